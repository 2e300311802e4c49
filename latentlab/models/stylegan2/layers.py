"""The layers of StyleGAN2 (Karras et al. 2020), with one weight for the whole batch.

Equalised learning rate: a layer's gain is a constant beside its weight. Modulated convolution: features are scaled by
the style, convolved with the shared weight and scaled back by a matrix product, which equals a convolution with weights
s_i w_oi / sqrt(Σ (s_i w_oi)² + ε) of its own for each image and needs no grouped convolution.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "B N H W"]
Style = Float[Tensor, "B S"]
RELU_GAIN = math.sqrt(2)  # keeps the variance behind a leaky ReLU of slope 0.2
BLUR_TAPS = (1.0, 3.0, 3.0, 1.0)


def apply_leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * RELU_GAIN


def normalise_style(x: Style) -> Style:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def make_blur_kernel(gain: float = 1.0) -> Float[Tensor, "4 4"]:
    row = torch.tensor(BLUR_TAPS)
    return torch.outer(row, row) * (gain / row.sum().square())


def blur_features(x: Features, kernel: Float[Tensor, "4 4"]) -> Float[Tensor, "B N H2 W2"]:
    """Convolve each channel with the kernel; one pixel smaller per side, then one pixel padded."""
    weight = kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(x, weight, padding=1, groups=x.shape[1])


def upsample_image(image: Features, kernel: Float[Tensor, "4 4"]) -> Float[Tensor, "B N H2 W2"]:
    """Double the size: zeros between the pixels, then the blur (its kernel has gain 4)."""
    weight = kernel.to(image.dtype).expand(image.shape[1], 1, -1, -1)
    return F.conv_transpose2d(image, weight, stride=2, padding=1, groups=image.shape[1])


class EqualLinear(nn.Module):
    """x (g W)ᵀ + m b with g = m / sqrt(fan in); the learning-rate multiplier m makes a layer learn slower."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain, self.multiplier = multiplier / math.sqrt(inputs), multiplier

    def forward(self, x: Float[Tensor, "B I"]) -> Float[Tensor, "B O"]:
        return F.linear(x, self.weight * self.gain, self.bias * self.multiplier)


class EqualConv(nn.Module):
    """A convolution whose weight is kept at unit variance and scaled by 1 / sqrt(fan in), then a leaky ReLU.

    The ReLU's gain is in the weight: a positive factor passes through it.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, gain: float = RELU_GAIN, linear: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))
        self.gain = gain / math.sqrt(inputs * kernel**2)
        self.stride, self.padding = stride, (kernel - 1) // 2

    def forward(self, x: Features) -> Float[Tensor, "B O H2 W2"]:
        y = F.conv2d(x, self.weight * self.gain, self.bias, self.stride, self.padding)
        return y if self.bias is None else F.leaky_relu(y, 0.2, inplace=True)


class ModulatedConv(nn.Module):
    """Convolution of style-scaled features; `up` doubles the size by a transposed convolution and the blur."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, style_dim: int, up: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.affine = EqualLinear(style_dim, inputs, bias=1.0)
        self.gain, self.up = 1 / math.sqrt(inputs * size**2), up
        self.register_buffer("kernel", make_blur_kernel(gain=4.0), persistent=False)

    def forward(self, x: Features, w: Style) -> tuple[Float[Tensor, "B O H2 W2"], Float[Tensor, "B O 1 1"]]:
        """Return the convolved features and the factors that demodulate them."""
        weight, style = self.weight * self.gain, self.affine(w).float()
        demodulation = (style.square() @ weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        return self._convolve_features(x * style.to(x.dtype)[:, :, None, None], weight), demodulation[:, :, None, None]

    def _convolve_features(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.up:
            return blur_features(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), self.kernel)
        return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


class StyledConv(nn.Module):
    """Modulated convolution, demodulation, noise, bias, leaky ReLU; `noise` is the constant noise of decoding."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, pixels: int, style_dim: int, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style_dim, up)
        self.strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.randn(1, 1, pixels, pixels))

    def forward(self, x: Features, w: Style, noise: Tensor | None) -> Float[Tensor, "B O H2 W2"]:
        """Add `noise` B 1 H W in training; without it, the constant one."""
        y, demodulation = self.conv(x, w)
        noise = self.noise if noise is None else noise
        y = y * (demodulation * RELU_GAIN).to(y.dtype)
        y = y.add_((self.bias * RELU_GAIN).to(y.dtype)[:, None, None])
        return F.leaky_relu_(y.add_((noise * (self.strength * RELU_GAIN)).to(y.dtype)), 0.2)


class ToImage(nn.Module):
    """A style-scaled 1×1 convolution to image channels, without demodulation, added to the up-sampled skip image."""

    kernel: Tensor

    def __init__(self, inputs: int, channels: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, inputs))
        self.affine = EqualLinear(style_dim, inputs, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.gain = 1 / math.sqrt(inputs)
        self.register_buffer("kernel", make_blur_kernel(gain=4.0), persistent=False)

    def forward(self, x: Features, w: Style, skip: Tensor | None) -> Float[Tensor, "B C H W"]:
        weight = self.weight * (self.affine(w).float() * self.gain)[:, None]
        image = torch.bmm(x.permute(0, 2, 3, 1).flatten(1, 2), weight.to(x.dtype).transpose(1, 2)).float() + self.bias
        image = image.transpose(1, 2).unflatten(2, x.shape[2:])
        return image if skip is None else image + upsample_image(skip, self.kernel)
