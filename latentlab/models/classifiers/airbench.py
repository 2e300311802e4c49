"""A small classifier that learns CIFAR-10 in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.classifiers.resnet import register_normalisation
from latentlab.types import Images, ImageShape, Logits

NOISE_VARIANCE = 5e-4  # added to the variances of the patches: the faintest are noise
PATCH_SIDE = 2
LOGIT_SCALE = 1 / 9  # of the logits


class Airbench(nn.Module):
    """Convolutions over whitened 2×2 patches, three blocks that halve the picture (Jordan 2024, arXiv 2404.00498)."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        classes: Sequence[str],
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.25, 0.25, 0.25),
        widths: Sequence[int] = (64, 256, 256),
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_shape, self.classes = image_shape, tuple(classes)
        self.temperature = temperature  # that logits are divided by: label smoothing leaves them too faint
        patches = 2 * image_shape[0] * PATCH_SIDE**2
        self.whiten = nn.Conv2d(image_shape[0], patches, PATCH_SIDE)
        self.whiten.weight.requires_grad_(False)
        self.blocks = nn.Sequential(nn.GELU(), *(make_block(a, b) for a, b in pairwise((patches, *widths))))
        self.head = nn.Linear(widths[-1], len(classes), bias=False)
        register_normalisation(self, mean, std)

    @torch.no_grad()
    def initialise_whitening(self, images: Images) -> None:
        """Set the first layer: eigenvectors of the patches' covariance over their deviations, and their negatives."""
        whole = (images - self.mean) / self.std
        patches = nn.functional.unfold(whole, PATCH_SIDE).transpose(1, 2).flatten(0, 1)
        values, vectors = torch.linalg.eigh(patches.T.double().cov())
        filters = (vectors / (values + NOISE_VARIANCE).sqrt()).T.flip(0).to(self.whiten.weight)
        self.whiten.weight.copy_(torch.cat([filters, -filters]).view_as(self.whiten.weight))
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]

    def extract_features(self, images: Images) -> Float[Tensor, "B F"]:
        return self.blocks(self.whiten((images - self.mean) / self.std)).amax((2, 3))

    def forward(self, images: Images) -> Logits:
        return (self.head(self.extract_features(images)) * LOGIT_SCALE).float() / self.temperature


def make_block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        make_identity_conv(inputs, outputs),
        nn.MaxPool2d(2),
        make_batch_norm(outputs),
        nn.GELU(),
        make_identity_conv(outputs, outputs),
        make_batch_norm(outputs),
        nn.GELU(),
    )


def make_identity_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """Make a convolution that at first passes its input on."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


def make_batch_norm(width: int) -> nn.BatchNorm2d:
    """Make a batch norm without a scale of its own, and quick to forget."""
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer
