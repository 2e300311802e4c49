"""StyleGAN2 (Karras et al. 2020) as a latent space: whitened W+ in parts by resolution, with an encoder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.image_sizes import require_power_of_two
from latentlab.models.stylegan2.encoder import Encoder
from latentlab.models.stylegan2.inversion import invert_images
from latentlab.models.stylegan2.layers import RELU_GAIN, EqualLinear, StyledConv, ToImage, normalise_style
from latentlab.types import Images, ImageShape, Labels, Latents

StyleCodes = Float[Tensor, "B L S"]  # one style vector per layer: W+
ENCODE_STEPS = 100  # of optimisation, where there is no encoder


class MappingNetwork(nn.Sequential):
    """It takes z, normalised, to w by fully connected layers that learn 100 times slower."""

    def __init__(self, style_dim: int, layers: int, conditional: bool = False) -> None:
        widths = [2 * style_dim if conditional else style_dim, *[style_dim] * (layers - 1)]
        super().__init__(*(EqualLinear(width, style_dim, multiplier=0.01) for width in widths))

    def forward(self, z: Float[Tensor, "B S"], label: Float[Tensor, "B S"] | None = None) -> Float[Tensor, "B S"]:
        x = normalise_style(z) if label is None else torch.cat([normalise_style(z), normalise_style(label)], 1)
        for layer in self:
            x = F.leaky_relu(layer(x), 0.2) * RELU_GAIN
        return x


class StyleGAN2(nn.Module):
    """A generator with skip connections to the image; `channels` of its features from 4×4 up to the image's size.

    Layer 0 styles the 4×4 convolution, layers 2i−1 and 2i the two at 4·2^i pixels, the last one only the image; the
    image of a resolution is styled by the layer after it, as in the published networks. With `labels` classes it is
    conditional: the prior draws a class, too.
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
        labels: int = 0,
    ) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        require_power_of_two((image_channels, height, width), 8, "StyleGAN2")
        assert height == width == 4 * 2 ** (len(channels) - 1), "one width of features for each doubling from 4 pixels"
        self.image_shape: ImageShape = (image_channels, height, width)
        self.directions: dict[str, Tensor] = {}
        self.style_dim, self.layers = style_dim, 2 * len(channels)
        self.mapping, self.labels = MappingNetwork(style_dim, mapping_layers, labels > 0), labels
        self.embedding = EqualLinear(labels, style_dim) if labels else None
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

    def synthesise_images(self, codes: StyleCodes, noises: Sequence[Tensor] | None = None) -> Float[Tensor, "B C H W"]:
        """Return images, not clamped, from raw W+ codes; `noises` has one map a convolution, without it the constant
        ones are added.
        """
        x = self.const.expand(len(codes), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        skip = None
        for layer, conv in enumerate(self.convs):
            x = conv(x, codes[:, layer], None if noises is None else noises[layer])
            if layer % 2 == 0:
                skip = self.to_images[layer // 2](x, codes[:, layer + 1], skip)
        assert skip is not None
        return (skip + 1) / 2

    def forward(self, z: Float[Tensor, "B S"]) -> Float[Tensor, "B C H W"]:
        return self.synthesise_images(self.broadcast_style(self.map_style(z)))

    def map_style(self, z: Float[Tensor, "B S"], labels: Labels | None = None) -> Float[Tensor, "B S"]:
        """Return w of z and, if the generator has classes, of theirs; where none are named, all of them by turns."""
        if self.embedding is None:
            return self.mapping(z)
        chosen = torch.arange(len(z)) % self.labels if labels is None else labels
        return self.mapping(z, self.embedding(F.one_hot(chosen.to(z.device), self.labels).to(z)))

    def draw_noises(self, count: int, rng: torch.Generator) -> list[Tensor]:
        """Draw fresh noise for every convolution, B 1 H W each."""
        sizes = [4 * 2 ** ((layer + 1) // 2) for layer in range(len(self.convs))]
        return [chance.draw_normal((count, 1, size, size), rng).to(self.const.device) for size in sizes]

    def broadcast_style(self, w: Float[Tensor, "B S"]) -> StyleCodes:
        """Give the same style to every layer."""
        return w[:, None].expand(-1, self.layers, -1)

    def whiten_codes(self, codes: StyleCodes) -> StyleCodes:
        return (codes - self.w_mean) / self.w_std

    def colour_codes(self, white: StyleCodes) -> StyleCodes:
        """Undo `whiten_codes`."""
        return white * self.w_std + self.w_mean

    def split_codes(self, white: StyleCodes) -> Latents:
        """Cut into parts by the resolution that a layer styles: 4px has one layer, the finest three, the others two."""
        sizes = [1, *[2] * (len(self.to_images) - 1)]
        sizes[-1] += 1
        names = [f"{4 * 2**level}px" for level in range(len(sizes))]
        return Latents(dict(zip(names, white.split(sizes, 1), strict=True)))

    def join_parts(self, latents: Latents) -> StyleCodes:
        return torch.cat(list(latents.parts.values()), 1)

    def encode(self, images: Images) -> Latents:
        """Encode by the encoder; a generator without one starts at the mean code and optimises."""
        if self.encoder is None:
            start = images.new_zeros(len(images), self.layers, self.style_dim)
            return self.refine(images, self.split_codes(start), ENCODE_STEPS)
        return self.split_codes(self.encoder(images.contiguous(memory_format=torch.channels_last)))

    def decode(self, latents: Latents) -> Images:
        return self.synthesise_images(self.colour_codes(self.join_parts(latents))).clamp(0, 1)

    @torch.no_grad()
    def sample(self, count: int, rng: torch.Generator) -> Latents:
        z = chance.draw_normal((count, self.style_dim), rng).to(self.w_mean.device)
        labels = torch.randint(self.labels, (count,), generator=rng) if self.labels else None
        return self.split_codes(self.whiten_codes(self.broadcast_style(self.map_style(z, labels))).contiguous())

    def truncate_latents(self, latents: Latents, psi: float) -> Latents:
        """Go towards the mean code, where images are safer and more alike: psi 1 changes nothing, 0 is the mean."""
        return latents.map(lambda part: part * psi)

    def refine(self, images: Images, latents: Latents, steps: int) -> Latents:
        """Return latents whose decoded images are closer to `images`, by gradient steps from these."""
        *_, refined = latents, *self.refine_stepwise(images, latents, steps)
        return refined

    def refine_stepwise(self, images: Images, latents: Latents, steps: int) -> Iterator[Latents]:
        """Refine as `refine_latents` does, and give the latents of each step."""
        return map(self.split_codes, invert_images(self, images, self.join_parts(latents), steps))

    @torch.no_grad()
    def measure_whitening(self, rng: torch.Generator, count: int = 10_000) -> None:
        """Set the whitening from mapped codes; the encoder's raw codes stay what they were."""
        w = self.map_style(chance.draw_normal((count, self.style_dim), rng).to(self.w_mean.device))
        mean, std = w.mean(0), w.std(0).clamp_min(1e-6 + 1e-3 * float(w.std()))
        if self.encoder is not None:
            self.encoder.rescale_code(self.w_std / std, (self.w_mean - mean) / std)
        self.w_mean.copy_(mean)
        self.w_std.copy_(std)
