"""An MMD-VAE whose code is a small map, with a learned prior: deterministic, as the MMD-VAE of the paper."""

from __future__ import annotations

import torch
from torch import nn

from latentlab import chance
from latentlab.models.code_flow import CodeFlow, CodeMap
from latentlab.models.map_autoencoder import MapAutoencoder, ResidualBlock, make_zero_conv
from latentlab.models.modules import use_channels_last
from latentlab.types import Images, ImageShape, Latents


class SpatialVAE(MapAutoencoder):
    """One part, the whole map; convolutions at the map's size and at half the image's add to the lines."""

    def __init__(
        self,
        image_shape: ImageShape,
        channels: int = 8,
        stride: int = 4,
        pooled: int = 1,
        width: int = 192,
        fine: int = 64,
        depth: int = 3,
        levels: int = 2,
        steps: int = 8,
        hidden: int = 256,
    ) -> None:
        super().__init__(image_shape, channels, stride, width, depth, pooled)
        colours = self.image_shape[0]
        self.fold_pairs = nn.PixelUnshuffle(2)
        self.coarse = nn.Sequential(
            nn.Conv2d(self.seen, width, 3, padding=1),
            *(ResidualBlock(width) for _ in range(depth)),
            nn.Conv2d(width, fine * (stride // 2) ** 2, 1),
            nn.PixelShuffle(stride // 2),
        )
        self.look = nn.Conv2d(4 * colours, fine, 3, padding=1)
        self.fine = nn.Sequential(
            *(ResidualBlock(fine) for _ in range(2)), nn.SiLU(), make_zero_conv(fine, 4 * colours), nn.PixelShuffle(2)
        )
        self.prior = CodeFlow(self.shape, levels, steps, hidden)
        use_channels_last(self)

    def encode(self, images: Images) -> Latents:
        return Latents({"code": self.prior.encode(self.encode_raw(images))})

    def decode(self, latents: Latents) -> Images:
        return self.decode_raw(self.prior.decode(latents.parts["code"])).clamp(0, 1)

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        return Latents({"code": chance.draw_normal((count, len(self.prior.mean)), rng).to(self.prior.mean)})

    def decode_raw(self, raw: CodeMap) -> Images:
        """Return images that are not held to [0, 1], or what lies beyond would not learn."""
        line = self.draw_lines(raw)
        coarse = self.coarse(torch.cat([self.fold(2 * line - 1), raw], 1))
        return (line + self.fine(coarse + self.look(self.fold_pairs(2 * line - 1)))).float()
