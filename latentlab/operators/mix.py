"""Part of the way to a partner: mixup, VarMixup, k-mixup."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch

from latentlab.chance import draw_beta
from latentlab.knobs import Knob, tool
from latentlab.operators.latent_operator import LatentOperator
from latentlab.operators.move_path import MovePath
from latentlab.operators.pairing import pair_at_random, pair_by_transport, pair_with_hardest, pair_with_next
from latentlab.types import PART_GROUPS, Batch, Bench, Flat, Labels, Latents, Targets

LAMBDA_MARKS = tuple(eighth / 8 for eighth in range(8, -1, -1))


@tool
class Mix(LatentOperator):
    """z' = λ z_i + (1 − λ) z_σ(i), y' = λ y_i + (1 − λ) y_σ(i); one λ for the batch, as published.

    On pixels mixup (Zhang et al. 2018) or k-mixup (Greenewald et al. 2023), in a VAE VarMixup (Mangla et al. 2020).
    Spherical: along the arc, at the length between the two, so that a mix of Gaussian latents is not too short.
    Of fewer parts only those are matched and mixed, and the label by the mean weight of all coordinates, as CutMix
    counts pixels: that the parts carry this share of the label is a premise, to be checked.
    """

    partner: Annotated[Literal["random", "transport", "hardest", "next"], Knob("who is mixed with whom")] = "random"
    weight: Annotated[Literal["fixed", "beta"], Knob("how λ is chosen: as below, or drawn from Beta(α, α)")] = "fixed"
    lam: Annotated[float, Knob("λ, the image's own share", 0, 1)] = 0.5
    alpha: Annotated[float, Knob("α of Beta(α, α)", 0.01, 100)] = 1.0
    path: Annotated[Literal["straight", "spherical"], Knob("way from one to the other")] = "straight"
    k: Annotated[int, Knob("images in a block of transport", 1, 512)] = 16
    candidates: Annotated[int, Knob("partners tried for the hardest", 1, 64)] = 4
    distinct: Annotated[bool, Knob("an image is never its own partner")] = False
    parts: Annotated[tuple[str, ...], Knob("latent parts that are mixed", choices=PART_GROUPS)] = PART_GROUPS

    needs_partner: ClassVar[bool] = True
    mixes_labels: ClassVar[bool] = True

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        lam = self.draw_lambda(bench.rng)
        return self.move_toward(self._pair_rows(lam, latents, batch, bench), lam, latents, batch.targets)

    def find_partners(self, latents: Latents, batch: Batch, bench: Bench) -> Labels:
        return self._pair_rows(self.draw_lambda(bench.rng), latents, batch, bench)

    def _pair_rows(self, lam: float, latents: Latents, batch: Batch, bench: Bench) -> Labels:
        if self.partner != "hardest":
            return self._choose_partner(latents.flat * latents.make_mask(self.parts), bench.rng)

        def mix_with(partner: Labels) -> tuple[Latents, Targets]:
            return self.move_toward(partner, lam, latents, batch.targets)

        return pair_with_hardest(len(latents), self.candidates, mix_with, bench, self.distinct)

    @property
    def needs_classifier(self) -> bool:
        return self.partner == "hardest"

    @property
    def distance_knob(self) -> str | None:
        """Name none: the larger λ, the nearer a picture stays."""
        return None

    def make_path(self) -> MovePath:
        def move_to(place: float) -> Mix:
            return replace(self, lam=place, weight="fixed")

        return MovePath(
            "λ", "from the input to the partner", LAMBDA_MARKS, self.lam, move_to, lambda lam: f"λ {lam:.2f}"
        )

    def write_caption(self) -> str:
        return f"mixed, λ {self.lam:.2f}"

    def draw_lambda(self, rng: torch.Generator) -> float:
        """Return λ, fixed or drawn."""
        return self.lam if self.weight == "fixed" else draw_beta(self.alpha, self.alpha, rng)

    def move_toward(self, partner: Labels, lam: float, latents: Latents, targets: Targets) -> tuple[Latents, Targets]:
        """Move every row on its way to the row that is its partner, 1 − λ of it."""
        z, mask = latents.flat, latents.make_mask(self.parts)
        moved = self._interpolate_latents(z[partner] * mask, z * mask, lam)
        own = 1 - float(mask.mean()) * (1 - lam)
        return latents.unflat(torch.where(mask > 0, moved, z)), torch.lerp(targets[partner], targets, own)

    def _choose_partner(self, z: Flat, rng: torch.Generator) -> Labels:
        if self.partner == "transport":
            return pair_by_transport(z, self.k, rng, self.distinct)
        return pair_with_next(len(z)) if self.partner == "next" else pair_at_random(len(z), rng, self.distinct)

    def _interpolate_latents(self, start: Flat, end: Flat, lam: float) -> Flat:
        return slerp(start, end, lam) if self.path == "spherical" else torch.lerp(start, end, lam)


def slerp(start: Flat, end: Flat, weight: float) -> Flat:
    """Return sin((1−w)ω)/sin ω · start + sin(wω)/sin ω · end, ω the angle between them; straight where they are
    parallel.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1, 1)[:, None]
    omega = torch.arccos(cosine)
    sine = torch.sin(omega)
    arc = torch.sin((1 - weight) * omega) / sine * start + torch.sin(weight * omega) / sine * end
    return torch.where(sine > 1e-4, arc, torch.lerp(start, end, weight))
