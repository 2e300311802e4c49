"""A small residual network from images to whitened W+ codes, one style vector per layer of a StyleGAN2."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.stylegan2.layers import EqualConv, EqualLinear, Features
from latentlab.types import Images


class DownBlock(nn.Module):
    """A residual block to half the size: 3×3 and strided 4×4 convolution beside an averaged 1×1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = EqualConv(inputs, outputs, 4, stride=2, gain=1.0)
        self.skip = EqualConv(inputs, outputs, 1, gain=0.5**0.5, linear=True)

    def forward(self, x: Features) -> Float[Tensor, "B O H2 W2"]:
        return self.second(self.first(x)) + self.skip(F.avg_pool2d(x, 2))


class Trunk(nn.Module):
    """It takes images to features of every scale from half the size down to 4×4; `channels` go from 4×4 up, as in the
    generator.

    The first convolution halves the size at once: full-size features would take most of the time and tell little more.
    """

    def __init__(self, image_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        widths = list(reversed(channels[:-1]))
        self.stem = EqualConv(image_channels, widths[0], 4, stride=2)
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, images: Images) -> list[Tensor]:
        """Return the features, fine to coarse."""
        features = [self.stem(images * 2 - 1)]
        for block in self.blocks:
            features.append(block(features[-1]))
        return features


class Encoder(nn.Module):
    """It takes images to B × layers × style_dim, in prior standard deviations."""

    def __init__(self, image_channels: int, channels: Sequence[int], layers: int, style_dim: int) -> None:
        super().__init__()
        self.trunk = Trunk(image_channels, channels)
        self.last = EqualConv(channels[0], channels[0], 3)
        self.head = EqualLinear(channels[0] * 16, layers * style_dim)
        self.layers = layers

    def forward(self, images: Images) -> Float[Tensor, "B L S"]:
        return self.predict_code(self.trunk(images))

    def predict_code(self, features: Sequence[Tensor]) -> Float[Tensor, "B L S"]:
        hidden = self.last(features[-1])
        return self.head(hidden.flatten(1)).float().unflatten(1, (self.layers, -1))

    @torch.no_grad()
    def rescale_code(self, scale: Float[Tensor, " S"], shift: Float[Tensor, " S"]) -> None:
        """Give code · scale + shift from now on."""
        scale, shift = scale.repeat(self.layers), shift.repeat(self.layers)
        self.head.weight.mul_(scale[:, None])
        self.head.bias.mul_(scale).add_(shift)
