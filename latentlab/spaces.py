"""Images as points of a space: a model's latents, or what a classifier sees just before it decides."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from latentlab.errors import UserError
from latentlab.models import Attribute, Normalised
from latentlab.operators import encode
from latentlab.types import Flat, Images, LatentModel, Latents

Described = Callable[[Images], Flat]


@runtime_checkable
class Describing(Protocol):
    """A classifier whose last layer reads `features`."""

    def features(self, images: Images) -> Flat: ...


def points(network: Any, images: Images, batch: int = 100) -> Flat:
    """A row an image, on the CPU, without gradients: latents of a latent model, features of a classifier."""
    describe, device = described(network), _device(network, images)
    with torch.no_grad():
        return torch.cat([describe(few.to(device)).float().cpu() for few in images.split(batch)])


def of_latents(latents: Latents) -> Flat:
    """The points of latents that are at hand."""
    return latents.flat.detach().float().cpu()


def described(network: Any) -> Described:
    """How this network sees images."""
    if isinstance(network, LatentModel):
        return lambda images: encode(network, images).flat
    if isinstance(network, Describing):
        return network.features
    if isinstance(network, Attribute):
        return described(network.network)
    if isinstance(network, Normalised):
        return headless(network)
    raise UserError(
        f"{type(network).__name__} has neither latents nor features; choose a latent model or a classifier."
    )


def headless(network: Normalised) -> Normalised:
    """A copy that answers what its last linear layer, that of the classes, would read."""
    heads = [name for name, layer in network.network.named_modules() if _answers(layer, len(network.classes))]
    if not heads:
        raise UserError(
            "This network does not end in a linear layer of its classes, so it has no features here; "
            "choose another classifier or a latent model."
        )
    bare = copy.deepcopy(network)
    if not heads[-1]:
        bare.network = nn.Flatten()
    else:
        bare.network.set_submodule(heads[-1], nn.Flatten())
    return bare.eval()


def _answers(layer: nn.Module, classes: int) -> bool:
    return isinstance(layer, nn.Linear) and layer.out_features == classes


def _device(network: Any, images: Images) -> torch.device:
    if not isinstance(network, nn.Module):
        return images.device
    return next(chain(network.parameters(), network.buffers()), images).device
