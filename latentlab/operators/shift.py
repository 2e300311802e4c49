"""Moves along a direction that has a name."""

from __future__ import annotations

import math
import re
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from latentlab.chance import normal, seeded
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.operators.move import Move
from latentlab.types import GROUPS, Batch, Bench, DirectedModel, Flat, LatentModel, Latents, Targets

LARGEST = 100  # factor of a direction in a sum


@tool
class Shift(Move):
    """z' = z + t v, v a direction of the model as long as one standard deviation of the training images along it.

    Principal components as in GANSpace (Härkönen et al. 2020); attribute directions where the data has labels.
    """

    direction: Annotated[str, Knob("pc1, pc2, …, an attribute, random-SEED, or a sum: 1.5*pc1 + -2*pc2")] = "pc1"
    amount: Annotated[float, Knob("how far along it", -10, 10, unit="σ")] = 2.0
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=GROUPS)] = GROUPS

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        z = latents.flat
        delta = self.amount * _direction(bench.model, self.direction, z).to(z) * latents.mask(self.parts)
        return latents.unflat(z + delta), batch.targets


def _direction(model: LatentModel, names: str, z: Flat) -> Float[Tensor, " D"]:
    """The sum of terms such as `Smiling`, `-1.5*pc2` and `random-7`, a direction of seed 7 and length 1."""
    terms = (term.strip().rpartition("*") for term in names.split(" + "))
    return torch.stack([_factor(factor) * _named(model, name, z) for factor, _, name in terms]).sum(0)


def _factor(text: str) -> float:
    try:
        factor = float(text or 1)
    except ValueError:
        factor = math.nan
    if not abs(factor) <= LARGEST:
        raise UserError(f"{text[:40]!r} is no number up to {LARGEST}; write a sum of directions as 1.5*pc1 + -2*pc2.")
    return factor


def _named(model: LatentModel, name: str, z: Flat) -> Float[Tensor, " D"]:
    if seed := re.fullmatch(r"random-(\d{1,9})", name):
        return normalize(normal(z.shape[1:], seeded(int(seed[1]))), dim=0)
    directions = model.directions if isinstance(model, DirectedModel) else {}
    if name not in directions:
        known = f"it has {', '.join(directions)}" if directions else "choose a fitted Glow, VAE or StyleGAN2"
        raise UserError(f"This model has no direction {name[:40]!r}; {known}, or random-SEED.")
    return directions[name]
