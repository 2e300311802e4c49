"""Every latent operator does this around its move: encode before, decode after."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.types import Batch, Bench, Images, LatentModel, Latents, RefinableModel, Targets


class LatentOperator(ABC):
    """An operator on latents. A call is encode, move, decode, clamp; who has encoded already calls
    `move_latents` alone.
    """

    @abstractmethod
    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        """Return where the latents of `batch` go, and the targets that go with them."""

    @torch.no_grad()
    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        moved, targets = self.move(encode(bench.model, batch.images), batch, bench)
        return Batch(decode(bench.model, moved), targets)


@torch.no_grad()
def encode(model: LatentModel, images: Images, refine: int = 0) -> Latents:
    """Return the images' latents, improved by that many steps of optimisation."""
    if tuple(images.shape[1:]) != tuple(model.image_shape):
        found, allowed = _format_size(images.shape[1:]), _format_size(model.image_shape)
        raise UserError(f"The images are {found}; this model takes {allowed}. Resize them.")
    latents = model.encode(images)
    if not refine:
        return latents
    if not isinstance(model, RefinableModel):
        raise UserError("This model's encoding cannot be refined; choose a StyleGAN2, or refine by 0 steps.")
    return model.refine(images, latents, refine)


def decode(model: LatentModel, latents: Latents) -> Images:
    return model.decode(latents).clamp(0, 1)


@torch.no_grad()
def rebuild_images(batch: Batch, bench: Bench) -> Images:
    """Return the path without a move: what remains of the images after the model alone."""
    return decode(bench.model, encode(bench.model, batch.images))


def measure_distance(a: Images, b: Images) -> Float[Tensor, " B"]:
    """Return the Euclidean distance of each pair of images, pixels in [0, 1]."""
    return (a - b).flatten(1).norm(dim=1)


def require_classifier(bench: Bench) -> nn.Module:
    if bench.classifier is None:
        raise UserError("This needs a classifier to work against, and none is chosen; choose one.")
    return bench.classifier


def _format_size(shape: torch.Size | tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape)
