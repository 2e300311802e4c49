"""Moves along a direction that has a name."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from latentlab.chance import draw_normal, make_generator
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.operators.latent_operator import LatentOperator
from latentlab.operators.local_directions import asks_classifier, find_local_direction, is_local_direction
from latentlab.operators.move_path import MovePath
from latentlab.types import PART_GROUPS, Batch, Bench, DirectedModel, Flat, Latents, Targets

MAX_FACTOR = 100  # factor of a direction in a sum
AMOUNT_MARKS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # σ along one direction
SUM_MARKS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # times a move along several


@tool
class Shift(LatentOperator):
    """z' = z + t v, v a direction of the model as long as one standard deviation of the training images along it.

    Principal components as in GANSpace (Härkönen et al. 2020); attribute directions where the data has labels; and
    directions that hold at one picture alone.
    """

    direction: Annotated[str, Knob("pc1, an attribute, random-SEED, local-1, decision; a sum: 1.5*pc1 + -2*pc2")] = (
        "pc1"
    )
    amount: Annotated[float, Knob("how far along it", -10, 10, unit="σ")] = 2.0
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        z = latents.flat
        delta = self.amount * _sum_directions(bench, self.direction, latents) * latents.make_mask(self.parts)
        return latents.unflat(z + delta), batch.targets

    @property
    def needs_classifier(self) -> bool:
        return any(asks_classifier(name) for name in _split_terms(self.direction))

    def make_path(self) -> MovePath:
        def move_to(place: float) -> Shift:
            return replace(self, amount=place)

        def write_sigma(place: float) -> str:
            return f"{place:+g} σ" if place else "0 σ"

        def write_times(place: float) -> str:
            return f"× {place:g}"

        if "*" in self.direction:
            title = "the whole move, times"
            return MovePath("×", title, SUM_MARKS, self.amount, move_to, write_times, marks_are_ticks=True)
        title = f"along {_spell_name(self.direction)}"
        return MovePath("σ", title, AMOUNT_MARKS, self.amount, move_to, write_sigma, " σ", marks_are_ticks=True)

    def list_terms(self) -> dict[str, float]:
        return {name: factor * self.amount for name, factor in _split_terms(self.direction).items()}

    def write_caption(self) -> str:
        """Say along which direction and how far it goes; of several directions the first two."""
        if "*" not in self.direction:
            return f"{_spell_name(self.direction)} {self.amount:+.1f} σ"
        terms = [term.partition("*") for term in self.direction.split(" + ")]
        words = [f"{_spell_name(direction)} {float(factor):+.1f} σ" for factor, _, direction in terms[:2]]
        return ", ".join(words) + (f" and {len(terms) - 2} more" if len(terms) > 2 else "")


def _spell_name(direction: str) -> str:
    return direction.replace("_", " ")


def _sum_directions(bench: Bench, names: str, latents: Latents) -> Flat:
    """Sum terms such as `Smiling`, `-1.5*pc2` and `random-7`, a direction of seed 7 and length 1; a row each."""
    z = latents.flat
    terms = _split_terms(names).items()
    vectors = [factor * _find_direction(bench, name, latents).to(z).expand_as(z) for name, factor in terms]
    return torch.stack(vectors).sum(0)


def _split_terms(names: str) -> dict[str, float]:
    """Return the factor of each direction in a sum; one that is named twice counts twice."""
    found: dict[str, float] = {}
    for factor, _, name in (term.strip().rpartition("*") for term in names.split(" + ")):
        found[name] = found.get(name, 0.0) + _parse_factor(factor)
    return found


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


def _find_direction(bench: Bench, name: str, latents: Latents) -> Float[Tensor, "..."]:
    """Return the vector of a name, or one for each row where it depends on the row."""
    if seed := re.fullmatch(r"random-(\d{1,9})", name):
        return normalize(draw_normal(latents.flat.shape[1:], make_generator(int(seed[1]))), dim=0)
    directions = bench.model.directions if isinstance(bench.model, DirectedModel) else {}
    if name in directions:
        return directions[name]
    if is_local_direction(name):
        known = bench.local_directions.get(name)
        return find_local_direction(name, latents, bench) if known is None else known
    known = f"it has {', '.join(directions)}" if directions else "choose a fitted Glow, VAE or StyleGAN2"
    raise UserError(f"This model has no direction {name[:40]!r}; {known}, random-SEED, local-1 or decision.")
