"""Autoencoders whose code is a small map: the map starts as PCA, learns what no straight line can, and has a learned
prior.

A vector for a code forgets where things are; a map of a few channels keeps it (as in Esser et al. 2021, arXiv
2012.09841). Principal components, turned so that each belongs to a place of the map, are the first encoder and decoder;
convolutions beside them begin at zero. A flow over the map gives the standard coordinates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.code_flow import CodeFlow, CodeMap
from latentlab.models.principal_components import PrincipalComponents
from latentlab.types import Images, ImageShape

FeatureMaps = Float[Tensor, "B F h w"]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a skip; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: FeatureMaps) -> FeatureMaps:
        return x + self.second(F.silu(self.first(F.silu(x))))


def make_zero_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """Make a 3×3 convolution that gives nothing at first."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class MapAutoencoder(nn.Module):
    """The part that such autoencoders share: from images to the map, and the straight lines back.

    The lines work on images of a `pooled`-th of the size: large ones have little that is finer, and the convolutions
    add it. Its code is `channels` × height / `stride` × width / `stride`. `local` lines work on single patches of the
    stride's size, and are the same for all.
    """

    mixes_on_arc = True  # its coordinates are those of a flow over the codes
    prior: CodeFlow
    centre: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        channels: int,
        stride: int,
        width: int,
        depth: int,
        pooled: int = 1,
        local: bool = False,
    ) -> None:
        super().__init__()
        colours, height, across = image_shape
        self.image_shape: ImageShape = (colours, height, across)
        self.shape = (channels, height // stride, across // stride)
        self.pooled, self.local, self.seen = pooled, local, colours * stride**2 + channels
        pixels, size = colours * (height // pooled) * (across // pooled), channels * self.shape[1] * self.shape[2]
        if local:
            pixels, size = colours * stride**2, channels
        self.analysis, self.synthesis = nn.Linear(pixels, size, bias=False), nn.Linear(size, pixels, bias=False)
        self.register_buffer("centre", torch.full((pixels,), 0.5))
        self.fold, self.unfold = nn.PixelUnshuffle(stride), nn.PixelShuffle(stride)
        self.encoder = nn.Sequential(
            nn.Conv2d(self.seen, width, 3, padding=1),
            *(ResidualBlock(width) for _ in range(depth)),
            nn.SiLU(),
            make_zero_conv(width, channels),
        )
        self.directions: dict[str, Tensor] = {}

    def describe_images(self, images: Images) -> tuple[CodeMap, FeatureMaps]:
        """Return the map that straight lines make, and the features from which the last layer adds to it."""
        line = self.analyse_images(images)
        return line, self.encoder[:-1](torch.cat([self.fold(2 * images - 1), line], 1))

    def analyse_images(self, images: Images) -> CodeMap:
        """Return the map that straight lines alone make of images."""
        if self.local:
            return self.analysis(self.fold(images).permute(0, 2, 3, 1) - self.centre).permute(0, 3, 1, 2)
        small = F.avg_pool2d(images, self.pooled) if self.pooled > 1 else images
        return self.analysis(small.flatten(1) - self.centre).view(-1, *self.shape)

    def encode_raw(self, images: Images) -> CodeMap:
        """Return the map of codes, before the prior: what straight lines say, and what the convolutions add."""
        line, features = self.describe_images(images)
        return (line + self.encoder[-1](features)).float()

    def draw_lines(self, raw: CodeMap) -> Images:
        """Return the images that straight lines alone make of the map."""
        if self.local:
            return self.unfold((self.synthesis(raw.permute(0, 2, 3, 1)) + self.centre).permute(0, 3, 1, 2))
        colours, height, across = self.image_shape
        small = (self.synthesis(raw.flatten(1)) + self.centre).view(
            -1, colours, height // self.pooled, across // self.pooled
        )
        return F.interpolate(small, scale_factor=self.pooled, mode="bicubic") if self.pooled > 1 else small

    @torch.no_grad()
    def start_from_components(self, components: PrincipalComponents) -> None:
        """Make the code that of these components: white, and turned so that each coordinate belongs to its place.

        Those of a patch are in their place already.
        """
        colours, height, across = self.image_shape
        seen = (colours, height // self.pooled, across // self.pooled)
        turned = torch.eye(len(components.axes)) if self.local else rotate_to_places(components, seen, self.shape)
        self.centre.copy_(components.mean)
        self.analysis.weight.copy_(turned @ (components.axes / components.deviations[:, None]))
        self.synthesis.weight.copy_((turned @ (components.axes * components.deviations[:, None])).T)

    @torch.no_grad()
    def round_to_half(self) -> None:
        """Round every weight to one that half precision has: files hold it in half the room, without a loss."""
        for weight in self.parameters():
            weight.copy_(weight.half())


def rotate_to_places(
    components: PrincipalComponents, image_shape: ImageShape, shape: tuple[int, int, int]
) -> Float[Tensor, "D D"]:
    """Return the rotation that brings the axes nearest to the first components of each patch, the orthogonal factor of
    the polar decomposition (Löwdin).

    A patch of the image is a place of the map.
    """
    (colours, height, across), (channels, rows, columns) = image_shape, shape
    patch = height // rows, across // columns

    def cut_patches(axes: Float[Tensor, "D P"]) -> Float[Tensor, "D Q L"]:
        return F.unfold(axes.view(-1, colours, height, across), patch, stride=patch)

    spread = cut_patches(components.axes * components.deviations[:, None]).transpose(1, 2).flatten(0, 1)
    local = torch.linalg.eigh((spread.T @ spread).double())[1].flip(1)[:, :channels].to(spread)
    overlap = torch.einsum("dql,qc->dcl", cut_patches(components.axes), local).flatten(1)
    left, _, right = torch.linalg.svd(overlap.double())
    return (left @ right).T.to(spread)
