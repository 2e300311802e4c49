"""Content kept, style borrowed: RandMix, and with the adversary AdvMix."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from latentlab.knobs import Knob, tool
from latentlab.operators.adversary import Adversary
from latentlab.operators.latent_operator import LatentOperator, MoveVariants
from latentlab.operators.pairing import pair_at_random, pair_with_hardest, pair_with_next
from latentlab.types import PART_GROUPS, Batch, Bench, Labels, Latents, Targets

PART_CHOICES = (
    ("coarse",),
    ("middle",),
    ("fine",),
    ("coarse", "middle"),
    ("middle", "fine"),
    ("coarse", "middle", "fine"),
)


@tool
class Swap(LatentOperator):
    """z' = z with the style parts of a partner, then worsened by projected gradient ascent in a ball around them.

    Gowal et al. 2020: RandMix without steps, AdvMix with them. The label is kept: that style carries none is a premise
    about the generator, to be checked.
    """

    parts: Annotated[tuple[str, ...], Knob("style parts: taken from the partner", choices=PART_GROUPS)] = ("fine",)
    partner: Annotated[Literal["random", "hardest", "next"], Knob("whose style is taken")] = "random"
    candidates: Annotated[int, Knob("partners tried for the hardest", 1, 64)] = 4
    steps: Annotated[int, Knob("gradient steps of the adversary; 0 for none", 0, 200)] = 0
    epsilon: Annotated[float, Knob("radius of its ball around the partner's style", 0, 100, unit="σ")] = 2.0
    norm: Annotated[Literal["l2", "linf"], Knob("shape of the ball")] = "l2"
    step_size: Annotated[float, Knob("length of a step, as a share of the radius", 0.001, 2)] = 0.4
    label: Annotated[Literal["predicted", "true"], Knob("class the adversary leaves")] = "true"

    needs_partner: ClassVar[bool] = True

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        partner = self.find_partners(latents, batch, bench)
        styled = latents.swap(latents[partner], latents.select_part_names(self.parts))
        return self.make_adversary().move(styled, batch, bench) if self.steps else (styled, batch.targets)

    def find_partners(self, latents: Latents, batch: Batch, bench: Bench) -> Labels:
        names, count = latents.select_part_names(self.parts), len(latents)

        def swap_with(partner: Labels) -> tuple[Latents, Targets]:
            return latents.swap(latents[partner], names), batch.targets

        if self.partner == "hardest":
            return pair_with_hardest(count, self.candidates, swap_with, bench)
        return pair_with_next(count) if self.partner == "next" else pair_at_random(count, bench.rng)

    @property
    def needs_classifier(self) -> bool:
        return self.steps > 0 or self.partner == "hardest"

    @property
    def distance_knob(self) -> str | None:
        """Name none: without the adversary no number says how far it goes, and with it to try many takes too long."""
        return None

    def list_variants(self) -> MoveVariants:
        moves = {" + ".join(parts) if len(parts) < 3 else "all": replace(self, parts=parts) for parts in PART_CHOICES}
        return MoveVariants("parts borrowed", moves)

    def find_attack(self) -> Adversary:
        return self.make_adversary()

    def write_caption(self) -> str:
        return f"{' + '.join(self.parts)} swapped" + (f", {self.steps} steps" if self.steps else "")

    def make_adversary(self) -> Adversary:
        """Return what worsens the style once it is borrowed."""
        return Adversary(
            epsilon=self.epsilon,
            norm=self.norm,
            steps=self.steps,
            step_size=self.step_size,
            start="zero",
            label=self.label,
            parts=self.parts,
        )
