"""StyleGAN2 (Karras et al. 2020) as a latent space: whitened W+ in parts by resolution, with an encoder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.encoder import Encoder
from latentlab.models.inversion import invert
from latentlab.models.style_layers import GAIN, EqualLinear, StyledConv, ToImage, pixel_norm
from latentlab.types import Images, ImageShape, Latents

Codes = Float[Tensor, "B L S"]  # one style vector per layer: W+
ENCODE_STEPS = 100  # of optimisation, where there is no encoder


class Mapping(nn.Sequential):
    """z, normalised, to w by fully connected layers that learn 100 times slower."""

    def __init__(self, style_dim: int, layers: int) -> None:
        super().__init__(*(EqualLinear(style_dim, style_dim, multiplier=0.01) for _ in range(layers)))

    def forward(self, z: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
        x = pixel_norm(z)
        for layer in self:
            x = F.leaky_relu(layer(x), 0.2) * GAIN
        return x


class StyleGAN2(nn.Module):
    """A generator with skip connections to the image; `channels` of its features from 4×4 up to the image's size.

    Layer 0 styles the 4×4 convolution, layers 2i−1 and 2i the two at 4·2^i pixels, the last one only the image; the
    image of a resolution is styled by the layer after it, as in the published networks.
    """

    const: nn.Parameter
    w_mean: Tensor
    w_std: Tensor

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int],
        style_dim: int = 128,
        mapping_layers: int = 4,
        encoder: bool = True,
    ) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        assert height == width == 4 * 2 ** (len(channels) - 1), "one width of features for each doubling from 4 pixels"
        self.image_shape: ImageShape = (image_channels, height, width)
        self.directions: dict[str, Tensor] = {}
        self.style_dim, self.layers = style_dim, 2 * len(channels)
        self.mapping = Mapping(style_dim, mapping_layers)
        self.const = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.convs = nn.ModuleList([StyledConv(channels[0], channels[0], 4, style_dim)])
        self.to_images = nn.ModuleList([ToImage(channels[0], image_channels, style_dim)])
        for level, (a, b) in enumerate(itertools.pairwise(channels), 1):
            self.convs.append(StyledConv(a, b, 4 * 2**level, style_dim, up=True))
            self.convs.append(StyledConv(b, b, 4 * 2**level, style_dim))
            self.to_images.append(ToImage(b, image_channels, style_dim))
        self.register_buffer("w_mean", torch.zeros(style_dim))
        self.register_buffer("w_std", torch.ones(style_dim))
        self.encoder = Encoder(image_channels, channels, self.layers, style_dim) if encoder else None

    def synthesis(self, codes: Codes, noises: Sequence[Tensor] | None = None) -> Float[Tensor, "B C H W"]:
        """Images, not clamped, from raw W+ codes; `noises` has one map a convolution, without it the constant ones are
        added."""
        x = self.const.expand(len(codes), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        skip = None
        for layer, conv in enumerate(self.convs):
            x = conv(x, codes[:, layer], None if noises is None else noises[layer])
            if layer % 2 == 0:
                skip = self.to_images[layer // 2](x, codes[:, layer + 1], skip)
        assert skip is not None
        return (skip + 1) / 2

    def forward(self, z: Float[Tensor, "B S"]) -> Float[Tensor, "B C H W"]:
        return self.synthesis(self.broadcast(self.mapping(z)))

    def noises(self, count: int, rng: torch.Generator) -> list[Tensor]:
        """Fresh noise for every convolution, B 1 H W each."""
        sizes = [4 * 2 ** ((layer + 1) // 2) for layer in range(len(self.convs))]
        return [chance.normal((count, 1, size, size), rng).to(self.const.device) for size in sizes]

    def broadcast(self, w: Float[Tensor, "B S"]) -> Codes:
        """The same style in every layer."""
        return w[:, None].expand(-1, self.layers, -1)

    def whiten(self, codes: Codes) -> Codes:
        return (codes - self.w_mean) / self.w_std

    def colour(self, white: Codes) -> Codes:
        """The inverse of `whiten`."""
        return white * self.w_std + self.w_mean

    def split(self, white: Codes) -> Latents:
        """Parts by the resolution that a layer styles: 4px has one layer, the finest three, the others two."""
        sizes = [1, *[2] * (len(self.to_images) - 1)]
        sizes[-1] += 1
        names = [f"{4 * 2**level}px" for level in range(len(sizes))]
        return Latents(dict(zip(names, white.split(sizes, 1), strict=True)))

    def join(self, latents: Latents) -> Codes:
        return torch.cat(list(latents.parts.values()), 1)

    def encode(self, images: Images) -> Latents:
        """By the encoder; a generator without one starts at the mean code and optimises."""
        if self.encoder is None:
            start = images.new_zeros(len(images), self.layers, self.style_dim)
            return self.refine(images, self.split(start), ENCODE_STEPS)
        return self.split(self.encoder(images.contiguous(memory_format=torch.channels_last)))

    def decode(self, latents: Latents) -> Images:
        return self.synthesis(self.colour(self.join(latents))).clamp(0, 1)

    @torch.no_grad()
    def sample(self, count: int, rng: torch.Generator) -> Latents:
        z = chance.normal((count, self.style_dim), rng).to(self.w_mean.device)
        return self.split(self.whiten(self.broadcast(self.mapping(z))).contiguous())

    def truncate(self, latents: Latents, psi: float) -> Latents:
        """Towards the mean code, where images are safer and more alike: psi 1 changes nothing, 0 is the mean."""
        return latents.map(lambda part: part * psi)

    def refine(self, images: Images, latents: Latents, steps: int) -> Latents:
        """Latents whose decoded images are closer to `images`, by gradient steps from these."""
        *_, refined = latents, *self.refining(images, latents, steps)
        return refined

    def refining(self, images: Images, latents: Latents, steps: int) -> Iterator[Latents]:
        """`refine` step by step."""
        return map(self.split, invert(self, images, self.join(latents), steps))

    @torch.no_grad()
    def measure(self, rng: torch.Generator, count: int = 10_000) -> None:
        """Set the whitening from mapped codes; the encoder's raw codes stay what they were."""
        w = self.mapping(chance.normal((count, self.style_dim), rng).to(self.w_mean.device))
        mean, std = w.mean(0), w.std(0).clamp_min(1e-6 + 1e-3 * float(w.std()))
        if self.encoder is not None:
            self.encoder.rescale(self.w_std / std, (self.w_mean - mean) / std)
        self.w_mean.copy_(mean)
        self.w_std.copy_(std)
