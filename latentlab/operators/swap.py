"""Content kept, style borrowed: RandMix, and with the adversary AdvMix."""

from __future__ import annotations

from typing import Annotated, Literal

from latentlab.knobs import Knob, tool
from latentlab.operators.adversary import Adversary
from latentlab.operators.move import Move
from latentlab.operators.partners import Tried, following, hardest, shuffled
from latentlab.types import GROUPS, Batch, Bench, Labels, Latents, Targets


@tool
class Swap(Move):
    """z' = z with the style parts of a partner, then worsened by projected gradient ascent in a ball around them.

    Gowal et al. 2020: RandMix without steps, AdvMix with them. The label is kept: that style carries none is a premise
    about the generator, to be checked.
    """

    parts: Annotated[tuple[str, ...], Knob("style parts: taken from the partner", choices=GROUPS)] = ("fine",)
    partner: Annotated[Literal["random", "hardest", "next"], Knob("whose style is taken")] = "random"
    candidates: Annotated[int, Knob("partners tried for the hardest", 1, 64)] = 4
    steps: Annotated[int, Knob("gradient steps of the adversary; 0 for none", 0, 200)] = 0
    epsilon: Annotated[float, Knob("radius of its ball around the partner's style", 0, 100, unit="σ")] = 2.0
    norm: Annotated[Literal["l2", "linf"], Knob("shape of the ball")] = "l2"
    step_size: Annotated[float, Knob("length of a step, as a share of the radius", 0.001, 2)] = 0.4
    label: Annotated[Literal["predicted", "true"], Knob("class the adversary leaves")] = "true"

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        names = latents.named(self.parts)

        def swapped(partner: Labels) -> tuple[Latents, Targets]:
            return latents.swap(latents[partner], names), batch.targets

        styled, targets = swapped(self._partner(len(latents), swapped, bench))
        return self.adversary().move(styled, batch, bench) if self.steps else (styled, targets)

    def _partner(self, count: int, swapped: Tried, bench: Bench) -> Labels:
        if self.partner == "hardest":
            return hardest(count, self.candidates, swapped, bench)
        return following(count) if self.partner == "next" else shuffled(count, bench.rng)

    def adversary(self) -> Adversary:
        """What worsens the style once it is borrowed."""
        return Adversary(
            epsilon=self.epsilon,
            norm=self.norm,
            steps=self.steps,
            step_size=self.step_size,
            start="zero",
            label=self.label,
            parts=self.parts,
        )
