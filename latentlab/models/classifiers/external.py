"""Networks that people bring: torchvision's and timm's architectures, and modules in memory."""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.models.checkpoint import MAX_CHECKPOINT_BYTES
from latentlab.models.classifiers.resnet import NormalisedClassifier
from latentlab.models.safetensors_header import read_header
from latentlab.torchvision_schemas import import_torchvision
from latentlab.types import ImageShape, LatentModel

ChannelNumbers = Sequence[float]
FORWARD_ERRORS = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
)  # of a strange forward


def load_external_classifier(
    path: Path, architecture: str, classes: Sequence[str], mean: ChannelNumbers, std: ChannelNumbers, size: int
) -> NormalisedClassifier:
    """Return the network of `torchvision:NAME` or `timm:NAME` with this file's weights, all of them and no other."""
    if not 8 <= size <= 1024:
        raise UserError(f"The image size is {size}; it must be from 8 to 1024 pixels.")
    shapes = read_header(path).shapes
    if path.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{path.name} is larger than 2 GiB; bring a smaller network.")
    network = build_architecture(architecture, len(_check_class_names(classes)))
    state = network.state_dict()
    _check_shapes(path, architecture, shapes, {name: tuple(tensor.shape) for name, tensor in state.items()})
    tensors = load_file(path)
    _check_values(path, tensors, state)
    network.load_state_dict(tensors)
    return wrap_classifier(network, classes, mean, std, (3, size, size))


def build_architecture(architecture: str, count: int) -> nn.Module:
    """Make an untrained network that answers `count` classes."""
    library, _, name = architecture.partition(":")
    if library == "torchvision":
        models = import_torchvision().models
        _check_architecture(name, models.list_models(module=models), library)
        return models.get_model(name, weights=None, num_classes=count)
    if library == "timm":
        import timm

        _check_architecture(name, timm.list_models(), library)
        return timm.create_model(name, pretrained=False, num_classes=count)
    raise UserError(
        f"{architecture[:60]!r} names no architecture; write torchvision:resnet18 or timm:resnet18, for example."
    )


def _check_architecture(name: str, names: Sequence[str], library: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 3) or ["resnet18"]
        raise UserError(f"{library} has no architecture {name[:60]!r}; did you mean {' or '.join(near)}?")


def _check_shapes(
    path: Path, architecture: str, given: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]
) -> None:
    for word, names in (("lacks", wanted.keys() - given.keys()), ("has surplus", given.keys() - wanted.keys())):
        if names:
            some = ", ".join(sorted(names)[:3])
            raise UserError(
                f"{path.name} {word} {len(names)} tensors of {architecture} ({some} …); is it that architecture?"
            )
    for name, shape in wanted.items():
        if given[name] != shape:
            raise UserError(
                f"{path.name}: {name} has shape {list(given[name])}, {architecture} with these class names needs "
                f"{list(shape)}; check the architecture and the number of class names."
            )


def _check_values(path: Path, tensors: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != state[name].is_floating_point():
            raise UserError(f"{path.name}: {name} is {tensor.dtype}, it must be {state[name].dtype}.")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{path.name}: {name} holds values that are not finite; save the network again.")


def wrap_classifier(
    network: nn.Module, classes: Sequence[str], mean: ChannelNumbers, std: ChannelNumbers, image_shape: ImageShape
) -> NormalisedClassifier:
    """Return a frozen copy for images in [0, 1]; one forward pass has shown that its answers fit the class names."""
    names = _check_class_names(classes)
    _check_normalisation(mean, std, image_shape[0])
    try:
        wrapped = (
            NormalisedClassifier(copy.deepcopy(network).cpu(), image_shape, names, mean, std)
            .eval()
            .requires_grad_(False)
        )
        with torch.no_grad():
            answer = wrapped(torch.full((2, *image_shape), 0.5))
    except FORWARD_ERRORS as error:
        raise UserError(
            f"The network cannot classify images of shape {list(image_shape)}: {_take_first_line(error)}"
        ) from error
    if not isinstance(answer, Tensor) or answer.shape != (2, len(names)):
        shown = list(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise UserError(
            f"For 2 images the network answers {shown}; with {len(names)} class names it must be [2, {len(names)}]."
        )
    if not answer.is_floating_point() or not answer.isfinite().all():
        raise UserError("The network's answer to a grey image is not finite; check its weights, mean and std.")
    return wrapped


def check_latent_model(model: LatentModel) -> LatentModel:
    """Return a latent model that rebuilds two grey images in their shape; else say in one line why not."""
    images = torch.full((2, *model.image_shape), 0.5)
    try:
        with torch.no_grad():
            rebuilt = model.decode(model.encode(images))
    except FORWARD_ERRORS as error:
        raise UserError(
            f"The model cannot rebuild images of shape {list(model.image_shape)}: {_take_first_line(error)}"
        ) from error
    if not isinstance(rebuilt, Tensor) or rebuilt.shape != images.shape:
        raise UserError(f"decode(encode(images)) must be images of shape {list(images.shape)}; it is something else.")
    return model


def _check_class_names(classes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(str(name).strip() for name in classes)
    if len(names) < 2 or len(set(names)) < len(names) or not all(0 < len(name) <= 100 for name in names):
        raise UserError("Class names must be at least two, all different, none empty, each of at most 100 letters.")
    return names


def _check_normalisation(mean: ChannelNumbers, std: ChannelNumbers, channels: int) -> None:
    if len(mean) != channels or len(std) != channels or not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise UserError(f"Mean and std must be {channels} numbers each, the std above 0, for images in [0, 1].")


def _take_first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
