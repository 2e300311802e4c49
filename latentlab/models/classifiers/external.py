"""Networks that people bring: any module that classifies pictures, and latent models, after one pass through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.chance import draw_uniform, make_generator
from latentlab.errors import UserError
from latentlab.models.classifiers.answers import AnswerForm, LogitPicker, find_answer_form, pick_logits, read_columns
from latentlab.models.classifiers.architectures import build_architecture
from latentlab.models.classifiers.network_size import (
    ASK_SIZE,
    InputSize,
    check_size,
    choose_input_size,
)
from latentlab.models.classifiers.plain_network import FixedBatchNetwork, copy_network, find_fixed_batch
from latentlab.models.classifiers.resnet import register_normalisation
from latentlab.models.classifiers.weights_file import load_weights
from latentlab.types import Images, ImageShape, LatentModel, Logits

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
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's grey
PROBE_COUNT, STRETCH = 6, 40.0  # pictures shown to a network at first; how wide the absurd ones range


@dataclass(frozen=True)
class ClassifierSettings:
    """They say what a network's numbers mean; what is not said is found, and said."""

    classes: Sequence[str] = ()
    mean: ChannelNumbers | None = None  # 0 for every channel
    std: ChannelNumbers | None = None  # 1 for every channel
    image_shape: ImageShape | None = None
    multilabel: bool = False  # the classes are attributes, each with a sigmoid of its own
    logits: LogitPicker | None = None
    dtype: torch.dtype | None = None  # float32


class NormalisedClassifier(nn.Module):
    """A classifier that somebody brings: images in [0, 1] are brought to its size and channels, and normalised."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        image_shape: ImageShape,
        classes: Sequence[str],
        mean: ChannelNumbers,
        std: ChannelNumbers,
    ) -> None:
        super().__init__()
        self.network, self.image_shape, self.classes = network, image_shape, tuple(classes)
        self.form, self.dtype, self.resizes = AnswerForm(), torch.float32, True
        self.multilabel = False
        self.notes: tuple[str, ...] = ()
        register_normalisation(self, mean, std)

    def forward(self, images: Images) -> Logits:
        return self.form.read_logits(self.answer_images(images))

    def answer_images(self, images: Images) -> object:
        """Return whatever the network itself answers."""
        images = match_channels(images.to(self.mean.dtype), self.image_shape[0])
        if self.resizes and images.shape[2:] != self.image_shape[1:]:
            images = F.interpolate(images, self.image_shape[1:], mode="bilinear", antialias=True)
        return self.network(((images - self.mean) / self.std).to(self.dtype))


def match_channels(images: Tensor, channels: int) -> Tensor:
    """Turn colour into grey, or repeat grey, where a network takes the other."""
    if images.shape[1] == channels:
        return images
    if channels == 1 and images.shape[1] == 3:
        return (images * torch.tensor(LUMA, device=images.device, dtype=images.dtype)[:, None, None]).sum(
            1, keepdim=True
        )
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    raise UserError(f"The network takes {channels} channels and the pictures have {images.shape[1]}; use 1 or 3.")


def load_external_classifier(
    path: Path, architecture: str, settings: ClassifierSettings, size: int | None, worlds: Sequence[ImageShape] = ()
) -> NormalisedClassifier:
    """Return the network of `torchvision:NAME` or `timm:NAME` with this file's weights, all of them and no other."""
    sides = None if size is None else (3, check_size(size), size)
    network = build_architecture(architecture, len(_check_class_names(settings.classes, settings.multilabel)))
    notes = load_weights(path, architecture, network)
    wrapped = wrap_classifier(network, replace(settings, image_shape=sides), worlds)
    wrapped.notes = (*notes, *wrapped.notes)
    return wrapped


def wrap_classifier(
    network: nn.Module, settings: ClassifierSettings, worlds: Sequence[ImageShape] = ()
) -> NormalisedClassifier:
    """Return a frozen copy for images in [0, 1]; some passes have shown that its answers fit the class names, and
    `notes` say what was found out about it.
    """
    names = _check_class_names(settings.classes, settings.multilabel)
    pick = settings.logits or pick_logits
    bare, notes = copy_network(network, settings.dtype)
    if count := find_fixed_batch(bare):
        bare = FixedBatchNetwork(bare, count, pick)
    trial = NormalisedClassifier(bare, (3, 1, 1), names, (0.0,), (1.0,)).requires_grad_(False)
    trial.dtype, trial.form = settings.dtype or torch.float32, AnswerForm(pick)
    size = _find_size(trial, network, settings, worlds)
    _set_input(trial, settings, size)
    form, said = _find_form(trial, names, settings, pick)
    trial.form, trial.multilabel = form, settings.multilabel
    grey = ["pictures are turned grey for it"] if size.shape[0] == 1 else []
    trial.notes = (*filter(None, [size.note]), *grey, *notes, *said)
    trial.training = False
    return trial


def _find_size(
    trial: NormalisedClassifier, network: nn.Module, settings: ClassifierSettings, worlds: Sequence[ImageShape]
) -> InputSize:
    given = settings.image_shape or getattr(network, "image_shape", None)
    if given is not None:
        return InputSize(_check_image_shape(given), "")

    def explain_refusal(shape: ImageShape) -> str:
        try:
            _set_input(trial, settings, InputSize(shape, ""))
            with torch.no_grad():
                trial.answer_images(torch.full((2, *shape), 0.5))
        except (UserError, *FORWARD_ERRORS) as error:
            return _take_first_line(error)
        return ""

    return choose_input_size(trial.network, worlds, explain_refusal)


def _set_input(trial: NormalisedClassifier, settings: ClassifierSettings, size: InputSize) -> None:
    channels = size.shape[0]
    mean = (0.0,) * channels if settings.mean is None else settings.mean
    std = (1.0,) * channels if settings.std is None else settings.std
    _check_normalisation(mean, std, channels)
    trial.image_shape, trial.resizes = size.shape, size.resizes
    register_normalisation(trial, mean, std)


def _find_form(
    trial: NormalisedClassifier, names: Sequence[str], settings: ClassifierSettings, pick: LogitPicker
) -> tuple[AnswerForm, list[str]]:
    """Show it a grey picture, which it must answer in numbers, and noise far beyond black and white."""
    shape = trial.image_shape
    columns = _show_pictures(trial, torch.full((2, *shape), 0.5))
    if not columns.is_floating_point() or not columns.isfinite().all():
        raise UserError("The network's answer to a grey image is not finite; check its weights, mean and std.")
    noise = draw_uniform((PROBE_COUNT, *shape), make_generator(0))
    absurd = _show_pictures(trial, STRETCH * (noise - 0.5))
    usual = _show_pictures(trial, noise)
    stretched = torch.cat([row for row in (absurd, usual) if row.isfinite().all()] or [columns])
    return find_answer_form(columns, stretched, names, settings.multilabel, pick)


@torch.no_grad()
def _show_pictures(trial: NormalisedClassifier, images: Tensor) -> Tensor:
    try:
        columns = read_columns(trial.answer_images(images), trial.form.pick).float()
    except FORWARD_ERRORS as error:
        raise UserError(
            f"The network cannot classify images of shape {list(images.shape[1:])}: {_take_first_line(error)}; "
            f"{ASK_SIZE}; or put a module around it whose forward(images) returns one logit a class."
        ) from error
    if len(columns) != len(images):
        raise UserError(
            f"For {len(images)} images the network answers {list(columns.shape)}; it must be a row an image."
        )
    return columns


def check_latent_model(model: LatentModel) -> LatentModel:
    """Return a latent model that rebuilds two grey images in their shape; else say in one line why not."""
    images = torch.full((2, *model.image_shape), 0.5)
    try:
        with torch.no_grad():
            # without an encoder the encoding is found by optimisation, which takes seconds
            by_search = getattr(model, "encoder", model) is None
            rebuilt = model.decode(model.sample(2, make_generator(0)) if by_search else model.encode(images))
    except FORWARD_ERRORS as error:
        raise UserError(
            f"The model cannot rebuild images of shape {list(model.image_shape)}: {_take_first_line(error)}"
        ) from error
    if not isinstance(rebuilt, Tensor) or rebuilt.shape != images.shape:
        raise UserError(f"decode(encode(images)) must be images of shape {list(images.shape)}; it is something else.")
    return model


def _check_class_names(classes: Sequence[str], multilabel: bool = False) -> tuple[str, ...]:
    names = tuple(str(name).strip() for name in classes)
    least = 1 if multilabel else 2
    if len(names) < least or len(set(names)) < len(names) or not all(0 < len(name) <= 100 for name in names):
        raise UserError(
            "Class names must be at least two, all different, none empty, each of at most 100 letters: a network, "
            "TorchScript included, does not know them; say classes=('cat', 'dog')."
        )
    return names


def _check_image_shape(shape: Sequence[int]) -> ImageShape:
    if len(shape) != 3 or shape[0] not in (1, 3) or not all(isinstance(side, int) and side > 0 for side in shape):
        raise UserError(f"image_shape is {tuple(shape)}; it must be channels (1 or 3), height, width: (3, 224, 224).")
    return shape[0], shape[1], shape[2]


def _check_normalisation(mean: ChannelNumbers, std: ChannelNumbers, channels: int) -> None:
    if len(mean) != channels or len(std) != channels or not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise UserError(f"Mean and std must be {channels} numbers each, the std above 0, for images in [0, 1].")


def _take_first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
