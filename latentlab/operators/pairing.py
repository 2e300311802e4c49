"""Pairing: who is mixed with whom (rows of a batch): at random, by exact optimal transport, or the hardest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from latentlab.chance import draw_permutation
from latentlab.errors import UserError
from latentlab.operators.classification import compute_latent_losses
from latentlab.types import Bench, Flat, Labels, Latents, Targets

BatchRows = Int[Tensor, " k"]  # rows of a batch
TryPartners = Callable[[Labels], tuple[Latents, Targets]]  # what a choice of partners would give


def match_points(a: Flat, b: Flat, apart: Tensor | None = None) -> Int[Tensor, " B"]:
    """Return the assignment σ minimising Σ |a_i − b_σ(i)|²; pairs that are True in `apart` (B B) never meet.

    The squares add the same to every assignment, so minus the inner product is cost enough; centring keeps its digits.
    """
    from scipy.optimize import linear_sum_assignment

    centre = b.mean(0)
    cost = -((a - centre) @ (b - centre).T).double().cpu()
    if apart is not None:
        cost[apart.cpu()] = torch.inf
    _, columns = linear_sum_assignment(cost.numpy())
    return torch.from_numpy(columns)


def pair_at_random(count: int, rng: torch.Generator, distinct: bool = False) -> Labels:
    """Return a random permutation; a distinct one is a random cycle, which leaves no row in its place."""
    order = draw_permutation(count, rng)
    if not distinct:
        return order
    if count < 2:
        raise UserError("A single image has no partner but itself; give two or more, or set distinct to false.")
    partner = torch.empty_like(order)
    partner[order] = order.roll(-1)
    return partner


def pair_with_next(count: int) -> Labels:
    """Return the next row of each; the first after the last."""
    return torch.arange(count).roll(-1)


def pair_by_transport(z: Flat, k: int, rng: torch.Generator, distinct: bool = False) -> Labels:
    """Match by optimal transport each block of k rows to the same block of a shuffled copy (Greenewald et al. 2023).

    A row and its copy share a block with probability about k/B and then match at cost 0, which mixes nothing; at k = B
    that is every row. `distinct` forbids it.
    """
    second = pair_at_random(len(z), rng, distinct)
    blocks = zip(torch.arange(len(z)).split(k), second.split(k), strict=True)
    return torch.cat([_match_block(z, rows, copies, distinct) for rows, copies in blocks])


def _match_block(z: Flat, rows: BatchRows, copies: BatchRows, distinct: bool) -> BatchRows:
    apart = rows[:, None] == copies[None, :] if distinct else None
    return copies[match_points(z[rows], z[copies], apart)]


def pair_with_hardest(count: int, candidates: int, tried: TryPartners, bench: Bench, distinct: bool = False) -> Labels:
    """Take for each row, of so many random partners, the one that the classifier does worst on."""
    choices = torch.stack([pair_at_random(count, bench.rng, distinct) for _ in range(candidates)])
    losses = torch.stack([compute_latent_losses(*tried(choice), bench).cpu() for choice in choices])
    return choices.gather(0, losses.argmax(0, keepdim=True))[0]
