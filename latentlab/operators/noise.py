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
    """

    epsilon: Annotated[float, Knob("radius of the move", 0, 100, unit="σ")] = 20.0
    shape: Annotated[Literal["sphere", "gaussian"], Knob("where the offset is drawn")] = "sphere"
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        z, mask = latents.flat, latents.make_mask(self.parts)
        delta = self._scale_draw(send_to_device(draw_normal(z.shape, bench.rng), z.device).to(z.dtype) * mask, mask)
        return latents.unflat(z + delta), batch.targets

    def _scale_draw(self, drawn: Flat, mask: torch.Tensor) -> Flat:
        if self.shape == "gaussian":
            return drawn * (self.epsilon / mask.sum().sqrt())
        return torch.nn.functional.normalize(drawn, dim=1) * self.epsilon
