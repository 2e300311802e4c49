"""The size of picture that a network expects: from its own configuration, or by trying those of the worlds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from latentlab.errors import UserError
from latentlab.types import ImageShape

ASK_SIZE = "say the size that it was trained with: image_shape=(3, 224, 224), or --size 224"
SIZE_LIMITS = (8, 1024)


@dataclass(frozen=True)
class InputSize:
    """It is the shape that a network takes; one that takes any gets the pictures as they are."""

    shape: ImageShape
    note: str
    resizes: bool = True


def choose_input_size(
    network: nn.Module, worlds: Sequence[ImageShape], accepts: Callable[[ImageShape], str]
) -> InputSize:
    """Find the size of a network that comes without one; `accepts` says why a shape is not taken, "" where it is."""
    channels = find_input_channels(network)
    if configured := find_configured_size(network):
        shape = (channels or 3, *configured)
        return InputSize(shape, f"it takes {format_shape(shape)} pixels, as its own configuration says")
    tried = list(dict.fromkeys((channel, *shape[1:]) for shape in worlds for channel in _order_channels(channels)))
    taken = [shape for shape in tried if not accepts(shape)]
    if not taken:
        reason = f" ({accepts(tried[0])})" if tried else ""
        raise UserError(f"The network takes no picture of a world's size{reason}; {ASK_SIZE}.")
    channel, height, width = taken[0]
    sizes = {shape[1:] for shape in taken}
    if len(sizes) == len({shape[1:] for shape in tried}) and not accepts((channel, height * 2, width * 2)):
        note = f"it takes pictures of any size, and gets those of a world as they are; if that is wrong, {ASK_SIZE}"
        return InputSize(taken[0], note, resizes=False)
    return InputSize(taken[0], f"it takes {format_shape(taken[0])} pixels, the size of a world that fits")


def _order_channels(channels: int | None) -> tuple[int, ...]:
    return (channels,) if channels in (1, 3) else (3, 1)


def find_configured_size(network: nn.Module) -> tuple[int, int] | None:
    """Return height and width from what timm, torchvision and Hugging Face networks say of themselves."""
    settings = getattr(network, "pretrained_cfg", None) or getattr(network, "default_cfg", None)
    published = settings.get("input_size", ()) if isinstance(settings, Mapping) else getattr(settings, "input_size", ())
    patches = getattr(network, "patch_embed", None)
    config = getattr(network, "config", None)
    said: list[Any] = [
        getattr(patches, "img_size", None),
        getattr(network, "image_size", None),
        getattr(config, "image_size", None),
        tuple(published)[1:] if published else None,
    ]
    pairs = ((size, size) if isinstance(size, int) else size for size in said)
    return next(((int(p[0]), int(p[1])) for p in pairs if isinstance(p, tuple | list) and len(p) == 2), None)


def find_input_channels(network: nn.Module) -> int | None:
    """Return the channels of the first convolution, None where there is none."""
    first = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d)), None)
    return None if first is None else first.in_channels


def check_size(size: int) -> int:
    if not SIZE_LIMITS[0] <= size <= SIZE_LIMITS[1]:
        raise UserError(f"The image size is {size}; it must be from {SIZE_LIMITS[0]} to {SIZE_LIMITS[1]} pixels.")
    return size


def format_shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
