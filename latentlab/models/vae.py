"""MMD-VAE: InfoVAE with α = 1 and D = MMD (Zhao, Song, Ermon 2017, arXiv 1706.02262)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.image_sizes import require_divisible_sides
from latentlab.models.modules import use_channels_last
from latentlab.types import Flat, Images, ImageShape, Latents

UNSEEN_VARIANCE = 1e-3  # of a direction in which no code varies, as a share of the mean variance
ResidualMaps = Float[Tensor, "B F h w"]


def measure_mmd(a: Flat, b: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """Return the squared maximum mean discrepancy, biased estimate, kernel exp(−|x − y|² / D²) (Zhao et al.'s code)."""

    def average_kernel(x: Tensor, y: Tensor) -> Tensor:
        squares = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T
        return torch.exp(-squares / x.shape[1] ** 2).mean()

    return average_kernel(a, a) + average_kernel(b, b) - 2 * average_kernel(a, b)


class ResizeBlock(nn.Module):
    """Two 3×3 convolutions around a skip, after halving or doubling the size; no norm, so the second starts at zero."""

    def __init__(self, inputs: int, outputs: int, resize: float) -> None:
        super().__init__()
        self.resize = resize
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)

    def forward(self, x: ResidualMaps) -> Float[Tensor, "B G a b"]:
        halve = self.resize < 1
        x = self.skip(F.avg_pool2d(x, 2)) if halve else F.interpolate(self.skip(x), scale_factor=2)
        return x + self.body(x)


class MMDVAE(nn.Module):
    """A deterministic convolutional encoder and decoder; the code is whitened after the fit.

    Pixels are folded 2×2 into channels at both ends, so that no layer works at the full size.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, image_shape: ImageShape, code: int = 128, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        channels, height, breadth = self.image_shape = tuple(image_shape)
        require_divisible_sides((channels, height, breadth), 2 ** (depth + 1), "VAE")
        widths = [width * 2 ** min(i, 2) for i in range(depth + 1)]
        size = height >> (depth + 1), breadth >> (depth + 1)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, width, 3, padding=1),
            *(ResizeBlock(a, b, 0.5) for a, b in pairwise(widths)),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(widths[-1] * math.prod(size), code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, widths[-1] * math.prod(size)),
            nn.Unflatten(1, (widths[-1], *size)),
            *(ResizeBlock(b, a, 2.0) for b, a in pairwise(reversed(widths))),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, 4 * channels, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("spread", torch.eye(code))  # code = mean + standard code @ spread
        self.directions: dict[str, Tensor] = {}
        use_channels_last(self)

    def encode(self, images: Images) -> Latents:
        return Latents({"code": torch.linalg.solve(self.spread.T, (self.encode_raw(images) - self.mean).T).T})

    def decode(self, latents: Latents) -> Images:
        return self.decode_raw(self.mean + latents.parts["code"] @ self.spread)

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        return Latents({"code": chance.draw_normal((count, len(self.mean)), rng).to(self.mean)})

    def encode_raw(self, images: Images) -> Flat:
        """Return the code before whitening."""
        return self.encoder(2 * images - 1).float()

    def decode_raw(self, raw: Flat) -> Images:
        return torch.sigmoid(self.decoder(raw).float())

    @torch.no_grad()
    def set_whitening(self, raw: Flat) -> None:
        """Give these codes mean 0 and covariance 1 from now on.

        Fewer codes than coordinates leave directions in which nothing varies: those get a little of the mean variance.
        """
        self.mean.copy_(raw.mean(0))
        covariance = torch.cov(raw.T.double())
        spread, failed = torch.linalg.cholesky_ex(covariance)
        if failed:
            little = UNSEEN_VARIANCE * covariance.diagonal().mean() + torch.finfo(torch.float32).eps
            spread = torch.linalg.cholesky(covariance + little * torch.eye(len(covariance)).to(covariance))
        self.spread.copy_(spread.T.float())
