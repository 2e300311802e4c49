"""Images as points of a space: a model's latents, or what a classifier sees just before it decides."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from latentlab.errors import UserError
from latentlab.models import AttributeClassifier, NormalisedClassifier
from latentlab.models.classifiers.answers import AnswerForm
from latentlab.operators import encode
from latentlab.types import Flat, Images, LatentModel, Latents

Embedding = Callable[[Images], Flat]


@runtime_checkable
class FeatureNetwork(Protocol):
    """A `FeatureNetwork` is a classifier whose last layer reads `features`."""

    def extract_features(self, images: Images) -> Flat: ...


def embed_images(network: Any, images: Images, batch: int = 100) -> Flat:
    """Return a row an image, on the CPU, without gradients: latents of a latent model, features of a classifier."""
    describe, device = choose_embedding(network), _find_device(network, images)
    with torch.no_grad():
        return torch.cat([describe(few.to(device)).float().cpu() for few in images.split(batch)])


def flatten_latents(latents: Latents) -> Flat:
    """Return the points of latents that are at hand."""
    return latents.flat.detach().float().cpu()


def choose_embedding(network: Any) -> Embedding:
    """Return the function by which this network sees images."""
    if isinstance(network, LatentModel):
        return lambda images: encode(network, images).flat
    if isinstance(network, FeatureNetwork):
        return network.extract_features
    if isinstance(network, AttributeClassifier):
        return choose_embedding(network.network)
    if isinstance(network, NormalisedClassifier):
        return remove_head(network)
    raise UserError(
        f"{type(network).__name__} has neither latents nor features; choose a latent model or a classifier."
    )


def remove_head(network: NormalisedClassifier) -> NormalisedClassifier:
    """Return a copy that answers what its last linear layer, that of the classes, would read."""
    outputs = 1 if network.form.single else len(network.classes)
    heads = [name for name, layer in network.network.named_modules() if _is_head(layer, outputs)]
    if not heads:
        raise UserError(
            "This network does not end in a linear layer of its classes, so it has no features here; "
            "choose another classifier or a latent model."
        )
    bare = copy.deepcopy(network)
    bare.form = AnswerForm()
    if not heads[-1]:
        bare.network = nn.Flatten()
    else:
        bare.network.set_submodule(heads[-1], nn.Flatten())
    return bare.eval()


def _is_head(layer: nn.Module, outputs: int) -> bool:
    return isinstance(layer, nn.Linear) and layer.out_features == outputs


def _find_device(network: Any, images: Images) -> torch.device:
    if not isinstance(network, nn.Module):
        return images.device
    return next(chain(network.parameters(), network.buffers()), images).device
