"""Augmentations of pixels: the controls of every comparison; all but one need no model."""

from __future__ import annotations

from typing import Annotated

import torch
from torch.nn.functional import pad

from latentlab.chance import draw_beta, draw_permutation, draw_uniform
from latentlab.knobs import Knob, tool
from latentlab.operators.latent_operator import rebuild_images
from latentlab.operators.pairing import pair_at_random
from latentlab.operators.textures import blur_arrays
from latentlab.types import Batch, Bench


@tool
class CutMix:
    """A box of a random partner is pasted in, and the labels mix by its area (Yun et al. 2019)."""

    alpha: Annotated[float, Knob("α of Beta(α, α), from which the area is drawn", 0.01, 100)] = 1.0

    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        height, width = batch.images.shape[2:]
        side = (1 - draw_beta(self.alpha, self.alpha, bench.rng)) ** 0.5
        rows, columns = _draw_span(height, side, bench.rng), _draw_span(width, side, bench.rng)
        partner = draw_permutation(len(batch), bench.rng)
        images = batch.images.clone()
        images[:, :, rows, columns] = batch.images[partner][:, :, rows, columns]
        kept = 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return Batch(images.clamp(0, 1), torch.lerp(batch.targets[partner], batch.targets, kept))


def _draw_span(length: int, share: float, rng: torch.Generator) -> slice:
    """Draw a stretch of this share around a random centre, cut off at the borders."""
    centre, half = int(draw_uniform((1,), rng) * length), int(length * share) // 2
    return slice(max(centre - half, 0), min(centre + half, length))


@tool
class RebuiltMixup:
    """x' = λ D(E(x_i)) + (1 − λ) D(E(x_σ(i))), labels alike: loss of detail without latent mixing (Mixup-R)."""

    alpha: Annotated[float, Knob("α of Beta(α, α), from which λ is drawn", 0.01, 100)] = 1.0

    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        rebuilt, lam = rebuild_images(batch, bench), draw_beta(self.alpha, self.alpha, bench.rng)
        partner = pair_at_random(len(batch), bench.rng)
        mixed = torch.lerp(rebuilt[partner], rebuilt, lam)
        return Batch(mixed.clamp(0, 1), torch.lerp(batch.targets[partner], batch.targets, lam))


@tool
class Blur:
    """A Gaussian blur: what a model that loses detail does to an image, without the model."""

    sigma: Annotated[float, Knob("standard deviation of the blur", 0, 16, unit="px")] = 1.0

    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        x = batch.images.detach().permute(0, 2, 3, 1).cpu().double().numpy()
        blurred = torch.from_numpy(blur_arrays(x, self.sigma)).permute(0, 3, 1, 2)
        return Batch(blurred.to(batch.images).clamp(0, 1).contiguous(), batch.targets)


@tool
class Standard:
    """Each image shifted at random within a black frame, and mirrored half of the time (He et al. 2016)."""

    padding: Annotated[int, Knob("largest shift", 0, 16, unit="px")] = 4
    flip: Annotated[bool, Knob("mirror half of the images")] = True

    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        framed = pad(batch.images, (self.padding,) * 4)
        draws = draw_uniform((len(batch), 3), bench.rng).tolist()
        pairs = zip(framed, draws, strict=True)
        images = torch.stack([self._cut_window(image, batch.images.shape, *draw) for image, draw in pairs])
        return Batch(images.clamp(0, 1), batch.targets)

    def _cut_window(
        self, image: torch.Tensor, shape: torch.Size, down: float, right: float, mirror: float
    ) -> torch.Tensor:
        top, left = (int(draw * (2 * self.padding + 1)) for draw in (down, right))
        cut = image[:, top : top + shape[2], left : left + shape[3]]
        return cut.flip(-1) if self.flip and mirror < 0.5 else cut
