"""StyleGAN2 for augmentation and previews: what does not depend on the style is computed once, features are bf16.

The same generator with the same verbs, its styled convolutions exchanged: each keeps its scaled weight, that weight's
squares, from which the demodulation is one small product, and the sum of its bias and constant noise.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.layers import RELU_GAIN, EqualLinear, Features, Style, StyledConv, blur_features
from latentlab.models.stylegan2.spatial import SpatialStyleGAN2

G = TypeVar("G", bound=StyleGAN2 | SpatialStyleGAN2)


class FoldedStyledConv(nn.Module):
    """A styled convolution whose constants are computed; precision is decided here, not by the caller's autocast."""

    weight: Tensor
    squares: Tensor
    bias: Tensor
    strength: Tensor
    added: Tensor
    kernel: Tensor

    def __init__(self, layer: StyledConv, dtype: torch.dtype) -> None:
        super().__init__()
        conv, weight = layer.conv, layer.conv.weight * layer.conv.gain
        self.affine, self.up, self.padding = _fold_affine(conv.affine), conv.up, weight.shape[-1] // 2
        self.register_buffer("squares", weight.square().sum((2, 3)).t().contiguous())
        shared = weight.transpose(0, 1) if conv.up else weight
        self.register_buffer("weight", _pack_tensor(shared, dtype))
        self.register_buffer("kernel", conv.kernel.to(dtype))
        self.register_buffer("bias", layer.bias[:, None, None] * RELU_GAIN)
        self.register_buffer("strength", layer.strength * RELU_GAIN)
        self.register_buffer("added", _pack_tensor(self.bias + layer.noise * self.strength, dtype))

    def forward(self, x: Features, w: Style, noise: Tensor | None) -> Float[Tensor, "B O H2 W2"]:
        with torch.autocast(x.device.type, enabled=False):
            style = self.affine(w.float())
            factor = RELU_GAIN * (style.square() @ self.squares + 1e-8).rsqrt()
            y = self._convolve_features(x.to(self.weight.dtype) * style.to(self.weight.dtype)[:, :, None, None])
        added = self.added if noise is None else (self.bias + noise * self.strength).to(y.dtype)
        return F.leaky_relu_((y * factor.to(y.dtype)[:, :, None, None]).add_(added), 0.2)

    def _convolve_features(self, x: Tensor) -> Tensor:
        if self.up:
            return blur_features(F.conv_transpose2d(x, self.weight, stride=2), self.kernel)
        return F.conv2d(x, self.weight, padding=self.padding)


@torch.no_grad()
def fold_stylegan2(network: G, dtype: torch.dtype) -> G:
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for place, layer in enumerate(network.convs):
        assert isinstance(layer, StyledConv)
        folded.convs[place] = FoldedStyledConv(layer, dtype).requires_grad_(False)
    return folded


def _fold_affine(affine: EqualLinear) -> nn.Linear:
    """Return the scale of each feature by the style as one linear layer."""
    outputs, inputs = affine.weight.shape
    plain = nn.Linear(inputs, outputs, device=affine.weight.device)
    plain.weight.copy_(affine.weight * affine.gain)
    plain.bias.copy_(affine.bias * affine.multiplier)
    return plain


def _pack_tensor(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last)
