"""StyleGAN2 whose code holds where things are: a map from which the generator starts, and a style a resolution.

One vector a layer forgets the picture; a map of few channels keeps it (Swapping Autoencoder, Park et al. 2020, arXiv
2007.00653; feature-style inversion, Yao et al. 2022, arXiv 2202.02183). What is no structure, the palette, is taken out
of the picture before the map sees it: the mean of each colour ends the finest style, the contrast the one before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.code_flow import CodeFlow, CodeMap
from latentlab.models.code_search import search_codes
from latentlab.models.map_autoencoder import MapAutoencoder
from latentlab.models.modules import use_channels_last
from latentlab.models.stylegan2.layers import StyledConv, ToImage
from latentlab.types import Flat, Images, ImageShape, Latents

RawStyles = Float[Tensor, "B R S"]  # one for each resolution
Palette = Float[Tensor, "B P"]  # the mean of each colour, and the logarithm of the contrast
PLAIN_MEAN, PLAIN_CONTRAST = 0.5, 0.2  # of a picture whose palette is taken out
LEAST_CONTRAST = 0.02  # a picture of one colour has no structure to be blown up
LEAST_VARIANCE = 1e-5  # of a style's direction, relative to its part's mean


def measure_palette(images: Images) -> Palette:
    means = images.mean((2, 3))
    contrast = (images - means[:, :, None, None]).square().mean((1, 2, 3)).sqrt().clamp_min(LEAST_CONTRAST)
    return torch.cat([means, contrast.log()[:, None]], 1)


def remove_palette(images: Images, palette: Palette) -> Images:
    means, contrast = palette[:, :-1, None, None], palette[:, -1:, None, None].exp()
    return PLAIN_MEAN + (images - means) * (PLAIN_CONTRAST / contrast)


def restore_palette(plain: Images, palette: Palette) -> Images:
    """Undo `remove_palette`."""
    means, contrast = palette[:, :-1, None, None], palette[:, -1:, None, None].exp()
    return means + (plain - PLAIN_MEAN) * (contrast / PLAIN_CONTRAST)


class SpatialStyleGAN2(MapAutoencoder):
    """A map of `content` channels, which has a flow for a prior, and styles of `style_dim` numbers, white in each part.

    `channels` are those of the generator's features, from the map's size up to the image's.
    """

    style_mean: Tensor
    style_root: Tensor
    style_inverse: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        channels: Sequence[int],
        content: int = 16,
        stride: int = 4,
        local: bool = False,
        style_dim: int = 32,
        width: int = 192,
        depth: int = 2,
        levels: int = 2,
        steps: int = 8,
        hidden: int = 256,
    ) -> None:
        super().__init__(image_shape, content, stride, width, depth, local=local)
        colours, self.style_dim, self.resolutions = self.image_shape[0], style_dim, len(channels)
        assert stride == 2 ** (len(channels) - 1), "one width of features for each doubling from the map's size"
        self.start = nn.Conv2d(self.seen, channels[0], 3, padding=1)
        side = self.shape[1]
        self.convs = nn.ModuleList([StyledConv(channels[0], channels[0], side, style_dim)])
        self.to_images = nn.ModuleList(ToImage(width, colours, style_dim) for width in channels)
        for level, (a, b) in enumerate(itertools.pairwise(channels), 1):
            self.convs.append(StyledConv(a, b, side * 2**level, style_dim, up=True))
            self.convs.append(StyledConv(b, b, side * 2**level, style_dim))
        for layer in self.to_images:
            nn.init.zeros_(layer.get_parameter("weight"))  # at first the lines paint alone
        self.style_head = nn.Linear(2 * width, self.resolutions * style_dim - colours - 1)
        nn.init.zeros_(self.style_head.weight)
        self.register_buffer("style_mean", torch.zeros(self.resolutions, style_dim))
        self.register_buffer("style_root", torch.eye(style_dim).repeat(self.resolutions, 1, 1))
        self.register_buffer("style_inverse", torch.eye(style_dim).repeat(self.resolutions, 1, 1))
        self.prior = CodeFlow(self.shape, levels, steps, hidden)
        use_channels_last(self)

    def encode(self, images: Images) -> Latents:
        raw, styles = self.encode_parts(images)
        white = torch.einsum("brs,rst->brt", styles - self.style_mean, self.style_inverse)
        return self.name_parts(self.prior.encode(raw), white)

    def decode(self, latents: Latents) -> Images:
        content, *white = latents.parts.values()
        styles = torch.einsum("brs,rst->brt", torch.stack(white, 1), self.style_root) + self.style_mean
        return self.synthesise_images(self.prior.decode(content), styles).clamp(0, 1)

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        content = chance.draw_normal((count, len(self.prior.mean)), rng).to(self.style_mean)
        return self.name_parts(content, chance.draw_normal((count, *self.style_mean.shape), rng).to(content))

    def name_parts(self, content: Flat, white: RawStyles) -> Latents:
        side = self.shape[1]
        return Latents(
            {"content": content} | {f"{side * 2**level}px": white[:, level] for level in range(self.resolutions)}
        )

    def encode_parts(self, images: Images) -> tuple[CodeMap, RawStyles]:
        """Return the map before its prior, and the styles before they are white."""
        palette = measure_palette(images)
        line, features = self.describe_images(remove_palette(images, palette))
        pooled = torch.cat([features.mean((2, 3)), features.std((2, 3))], 1)
        found, before = self.style_head(pooled).float(), (self.resolutions - 1) * self.style_dim - 1
        styles = torch.cat([found[:, :before], palette[:, -1:], found[:, before:], palette[:, :-1]], 1)
        styles = styles.unflatten(1, (self.resolutions, -1))
        return (line + self.encoder[-1](features)).float(), styles

    def encode_raw(self, images: Images) -> CodeMap:
        return super().encode_raw(remove_palette(images, measure_palette(images)))

    def synthesise_images(self, raw: CodeMap, styles: RawStyles) -> Images:
        """Return images that are not held to [0, 1]: the lines', and what the styled layers add at each resolution."""
        line, skip = self.draw_lines(raw), None
        x = self.start(torch.cat([self.fold(2 * line - 1), raw], 1))
        for place, conv in enumerate(self.convs):
            style = styles[:, (place + 1) // 2]
            x = conv(x, style, None)
            if place % 2 == 0:
                skip = self.to_images[place // 2](x, style, skip)
        assert skip is not None
        palette = torch.cat([styles[:, -1, -self.image_shape[0] :], styles[:, -2, -1:]], 1)
        return restore_palette((line + skip).float(), palette)

    def refine(self, images: Images, latents: Latents, steps: int) -> Latents:
        """Return latents whose decoded images are closer to `images`, by gradient steps from these."""
        *_, refined = latents, *self.refine_stepwise(images, latents, steps)
        return refined

    def refine_stepwise(self, images: Images, latents: Latents, steps: int) -> Iterator[Latents]:
        return map(latents.unflat, search_codes(lambda z: self.decode(latents.unflat(z)), images, latents.flat, steps))

    @torch.no_grad()
    def whiten_styles(self, styles: RawStyles) -> None:
        """Let these styles have mean 0 and the identity for a covariance, part by part, from now on."""
        self.style_mean.copy_(styles.mean(0))
        for level, part in enumerate(styles.unbind(1)):
            values, vectors = torch.linalg.eigh(part.T.double().cov())
            values = values.clamp_min(float(values.mean()) * LEAST_VARIANCE + 1e-12)
            self.style_root[level] = ((vectors * values.sqrt()) @ vectors.T).float()
            self.style_inverse[level] = ((vectors / values.sqrt()) @ vectors.T).float()
