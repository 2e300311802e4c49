"""Classifiers of images in [0, 1]; they normalise inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.types import Images, ImageShape, Logits

FeatureMaps = Float[Tensor, "B C H W"]


def make_conv_bn(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """The residual block of He et al. 2015, arXiv 1512.03385."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(make_conv_bn(inputs, outputs, stride), nn.ReLU(), make_conv_bn(outputs, outputs))
        self.skip = make_conv_bn(inputs, outputs, stride, 1) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: FeatureMaps) -> Float[Tensor, "B D h w"]:
        return F.relu(self.body(x) + self.skip(x))


class ResNet18(nn.Module):
    """ResNet-18 with the 3×3 stem of CIFAR, no max-pool (the classifier of Yuksel et al. 2021, arXiv 2108.07958)."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        classes: Sequence[str],
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
        width: int = 64,
        stem: int = 1,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_shape, self.classes = image_shape, tuple(classes)
        self.temperature = temperature  # that logits are divided by
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        blocks = [
            BasicBlock(a if i == 0 else b, b, 2 if i == 0 and place > 0 else 1)
            for place, (a, b) in enumerate(pairwise(widths))
            for i in range(2)
        ]
        self.stem = nn.Sequential(make_conv_bn(image_shape[0], width, stem), nn.ReLU())
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], len(classes))
        register_normalisation(self, mean, std)

    def extract_maps(self, images: Images) -> list[Tensor]:
        """Return features of each resolution, `B N h w`, fine to coarse: behind every pair of blocks."""
        x, found = self.stem((images - self.mean) / self.std), []
        for place, block in enumerate(self.blocks):
            x = block(x)
            found += [x] if place % 2 else []
        return found

    def extract_features(self, images: Images) -> Float[Tensor, "B F"]:
        return self.extract_maps(images)[-1].mean((2, 3))

    def classify_maps(self, last: FeatureMaps) -> Logits:
        """Return what follows from the last of the maps."""
        return self.head(last.mean((2, 3))).float() / self.temperature

    def forward(self, images: Images) -> Logits:
        return self.classify_maps(self.extract_maps(images)[-1])


class ResNet20(nn.Module):
    """The narrow ResNet of CIFAR (He et al. 2015, section 4.2; 1×1 convolutions where the width changes).

    0.27 M parameters, and nothing is pooled before the last maps. It is there to judge: no fit borrows its features.
    `mirrors`: outside of training it looks at a picture and its mirror image, and answers with the mean of the two.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        classes: Sequence[str],
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
        widths: Sequence[int] = (16, 32, 64),
        depth: int = 3,
        temperature: float = 1.0,
        mirrors: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape, self.classes = image_shape, tuple(classes)
        self.temperature = temperature  # that logits are divided by
        self.mirrors = mirrors
        self.stem = nn.Sequential(make_conv_bn(image_shape[0], widths[0]), nn.ReLU())
        self.blocks = nn.Sequential(
            *(
                BasicBlock(a if i == 0 else b, b, 2 if i == 0 and place > 0 else 1)
                for place, (a, b) in enumerate(pairwise((widths[0], *widths)))
                for i in range(depth)
            )
        )
        self.head = nn.Linear(widths[-1], len(classes))
        register_normalisation(self, mean, std)

    def extract_features(self, images: Images) -> Float[Tensor, "B F"]:
        return self.blocks(self.stem((images - self.mean) / self.std)).mean((2, 3))

    def forward(self, images: Images) -> Logits:
        logits = self._classify_once(images)
        if self.mirrors and not self.training:
            logits = (logits + self._classify_once(images.flip(3))) / 2
        return logits

    def _classify_once(self, images: Images) -> Logits:
        return self.head(self.extract_features(images)).float() / self.temperature


class SmallResNet(nn.Module):
    """A fast small classifier: a convolution and a residual block a stage, pooling between them.

    After Page 2019, "How to train your ResNet".
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        classes: Sequence[str],
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
        widths: Sequence[int] = (32, 64, 128),
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_shape, self.classes = image_shape, tuple(classes)
        self.temperature = temperature  # that logits are divided by
        stages: list[nn.Module] = [make_conv_bn(image_shape[0], widths[0]), nn.ReLU()]
        for a, b in zip((widths[0], *widths), widths, strict=False):
            stages += [make_conv_bn(a, b), nn.MaxPool2d(2), nn.ReLU(), BasicBlock(b, b, 1)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], len(classes))
        register_normalisation(self, mean, std)

    def extract_maps(self, images: Images) -> list[Tensor]:
        """Return features of each resolution, `B N h w`, fine to coarse: behind every residual block."""
        x, found = (images - self.mean) / self.std, []
        for stage in self.stages:
            x = stage(x)
            found += [x] if isinstance(stage, BasicBlock) else []
        return found

    def extract_features(self, images: Images) -> Float[Tensor, "B F"]:
        return self.extract_maps(images)[-1].amax((2, 3))

    def classify_maps(self, last: FeatureMaps) -> Logits:
        """Return what follows from the last of the maps."""
        return self.head(last.amax((2, 3))).float() / self.temperature

    def forward(self, images: Images) -> Logits:
        return self.classify_maps(self.extract_maps(images)[-1])


@runtime_checkable
class LabelledClassifier(Protocol):
    """A classifier takes images in [0, 1] to one logit a class."""

    image_shape: ImageShape
    classes: tuple[str, ...]

    def __call__(self, images: Images) -> Logits: ...


class AttributeClassifier(nn.Module):
    """One output of a multi-label classifier as a classifier of two classes."""

    def __init__(self, network: LabelledClassifier, index: int) -> None:
        super().__init__()
        self.network, self.index = network, index
        self.image_shape = network.image_shape
        name = network.classes[index]
        self.classes = (f"not {name}", name)

    def forward(self, images: Images) -> Logits:
        logit = self.network(images)[:, self.index]
        return torch.stack([-logit / 2, logit / 2], 1)  # softmax of the pair is the sigmoid of the logit


def register_normalisation(network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
    """Keep mean and std out of the state: the card's arguments say them."""
    network.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), persistent=False)
    network.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), persistent=False)
