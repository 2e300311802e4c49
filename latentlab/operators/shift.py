"""Moves along a direction that has a name."""

from __future__ import annotations

import math
import re
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from latentlab.chance import draw_normal, make_generator
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.operators.latent_operator import LatentOperator
from latentlab.types import PART_GROUPS, Batch, Bench, DirectedModel, Flat, LatentModel, Latents, Targets

MAX_FACTOR = 100  # factor of a direction in a sum


@tool
class Shift(LatentOperator):
    """z' = z + t v, v a direction of the model as long as one standard deviation of the training images along it.

    Principal components as in GANSpace (Härkönen et al. 2020); attribute directions where the data has labels.
    """

    direction: Annotated[str, Knob("pc1, pc2, …, an attribute, random-SEED, or a sum: 1.5*pc1 + -2*pc2")] = "pc1"
    amount: Annotated[float, Knob("how far along it", -10, 10, unit="σ")] = 2.0
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        z = latents.flat
        delta = self.amount * _sum_directions(bench.model, self.direction, z).to(z) * latents.make_mask(self.parts)
        return latents.unflat(z + delta), batch.targets


def _sum_directions(model: LatentModel, names: str, z: Flat) -> Float[Tensor, " D"]:
    """Sum terms such as `Smiling`, `-1.5*pc2` and `random-7`, a direction of seed 7 and length 1."""
    terms = (term.strip().rpartition("*") for term in names.split(" + "))
    return torch.stack([_parse_factor(factor) * _find_direction(model, name, z) for factor, _, name in terms]).sum(0)


def _parse_factor(text: str) -> float:
    try:
        factor = float(text or 1)
    except ValueError:
        factor = math.nan
    if not abs(factor) <= MAX_FACTOR:
        raise UserError(
            f"{text[:40]!r} is no number up to {MAX_FACTOR}; write a sum of directions as 1.5*pc1 + -2*pc2."
        )
    return factor


def _find_direction(model: LatentModel, name: str, z: Flat) -> Float[Tensor, " D"]:
    if seed := re.fullmatch(r"random-(\d{1,9})", name):
        return normalize(draw_normal(z.shape[1:], make_generator(int(seed[1]))), dim=0)
    directions = model.directions if isinstance(model, DirectedModel) else {}
    if name not in directions:
        known = f"it has {', '.join(directions)}" if directions else "choose a fitted Glow, VAE or StyleGAN2"
        raise UserError(f"This model has no direction {name[:40]!r}; {known}, or random-SEED.")
    return directions[name]
