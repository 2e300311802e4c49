"""Who is mixed with whom: rows of the same batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from latentlab.chance import permutation
from latentlab.errors import UserError
from latentlab.operators.matching import match
from latentlab.operators.scoring import latent_loss
from latentlab.types import Bench, Flat, Labels, Latents, Targets

Block = Int[Tensor, " k"]  # rows of a batch
Tried = Callable[[Labels], tuple[Latents, Targets]]  # what a choice of partners would give


def shuffled(count: int, rng: torch.Generator, distinct: bool = False) -> Labels:
    """A random permutation; a distinct one is a random cycle, which leaves no row in its place."""
    order = permutation(count, rng)
    if not distinct:
        return order
    if count < 2:
        raise UserError("A single image has no partner but itself; give two or more, or set distinct to false.")
    partner = torch.empty_like(order)
    partner[order] = order.roll(-1)
    return partner


def following(count: int) -> Labels:
    """The next row; the first after the last."""
    return torch.arange(count).roll(-1)


def transported(z: Flat, k: int, rng: torch.Generator, distinct: bool = False) -> Labels:
    """Optimal transport from each block of k rows to the same block of a shuffled copy (Greenewald et al. 2023).

    A row and its copy share a block with probability about k/B and then match at cost 0, which mixes nothing; at k = B
    that is every row. `distinct` forbids it.
    """
    second = shuffled(len(z), rng, distinct)
    blocks = zip(torch.arange(len(z)).split(k), second.split(k), strict=True)
    return torch.cat([_matched(z, rows, copies, distinct) for rows, copies in blocks])


def _matched(z: Flat, rows: Block, copies: Block, distinct: bool) -> Block:
    apart = rows[:, None] == copies[None, :] if distinct else None
    return copies[match(z[rows], z[copies], apart)]


def hardest(count: int, candidates: int, tried: Tried, bench: Bench, distinct: bool = False) -> Labels:
    """Of so many random partners, for each row the one that the classifier does worst on."""
    choices = torch.stack([shuffled(count, bench.rng, distinct) for _ in range(candidates)])
    losses = torch.stack([latent_loss(*tried(choice), bench).cpu() for choice in choices])
    return choices.gather(0, losses.argmax(0, keepdim=True))[0]
