"""A network that has just been read shows on one grey image that it works: finite weights do not promise it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from latentlab.chance import make_generator
from latentlab.types import Images, LatentModel


@torch.no_grad()
def probe_network(network: nn.Module, classes: int) -> None:
    """Run the network once; raise a ValueError where what it gives is not finite or of the wrong shape."""
    if isinstance(network, LatentModel):
        _probe_latent_model(network)
    else:
        image_shape: Any = network.image_shape
        _require_finite(network(_make_grey(image_shape)), (1, classes), "its answer")


def _probe_latent_model(model: LatentModel) -> None:
    image, drawn = _make_grey(model.image_shape), model.sample(1, make_generator(0))
    # without an encoder the encoding is found by optimisation, which takes seconds
    codes = drawn if getattr(model, "encoder", model) is None else model.encode(image)
    size = drawn.flat.shape[1]
    _require_finite(codes.flat, (1, size), "its code")
    _require_finite(model.decode(codes), tuple(image.shape), "its image")
    for name, direction in getattr(model, "directions", {}).items():
        _require_finite(direction, (size,), f"the direction {name[:40]}")


def _make_grey(image_shape: tuple[int, int, int]) -> Images:
    return torch.full((1, *image_shape), 0.5)


def _require_finite(values: Tensor, shape: tuple[int, ...], what: str) -> None:
    if tuple(values.shape) != shape:
        raise ValueError(f"{what} has the shape {list(values.shape)} instead of {list(shape)}")
    if not values.isfinite().all():
        raise ValueError(f"{what} of a grey image is not finite")
