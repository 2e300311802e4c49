"""Random moves: Randomized-LA and, at radius 0, plain reconstruction."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from latentlab.chance import draw_normal
from latentlab.knobs import Knob, tool
from latentlab.operators.latent_operator import LatentOperator
from latentlab.transfer import send_to_device
from latentlab.types import PART_GROUPS, Batch, Bench, Flat, Latents, Targets


@tool
class Noise(LatentOperator):
    """z' = z + δ, δ random. On the sphere |δ| is ε; a Gaussian δ has the root mean square length ε.

    Yuksel et al. 2021 (Randomized-LA) project N(0, ε²I) on the ball of radius ε: in hundreds of dimensions, the sphere.
    Away is Gaussian, each coordinate pushed away from 0 (Away-LA of their code): improbable in a flow.
    """

    epsilon: Annotated[float, Knob("radius of the move", 0, 100, unit="σ")] = 20.0
    shape: Annotated[Literal["sphere", "gaussian", "away"], Knob("where the offset is drawn")] = "sphere"
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        z, mask = latents.flat, latents.make_mask(self.parts)
        drawn = send_to_device(draw_normal(z.shape, bench.rng), z.device).to(z.dtype)
        delta = self._scale_draw((drawn.abs() * z.sign() if self.shape == "away" else drawn) * mask, mask)
        return latents.unflat(z + delta), batch.targets

    def _scale_draw(self, drawn: Flat, mask: torch.Tensor) -> Flat:
        if self.shape != "sphere":
            return drawn * (self.epsilon / mask.sum().sqrt())
        return torch.nn.functional.normalize(drawn, dim=1) * self.epsilon
