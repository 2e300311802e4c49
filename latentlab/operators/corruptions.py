"""The 15 standard corruptions of Hendrycks and Dietterich 2019 (arXiv 1903.12261), severities 1 to 5.

Strengths are those published for CIFAR-10-C on images up to 48 pixels, for Tiny-ImageNet-C above. Three differences:
results are not rounded to 256 levels, frost is drawn instead of photographed, motion blur is our own.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import scipy
import torch
from PIL import Image

from latentlab.chance import make_numpy_rng
from latentlab.knobs import Knob, tool
from latentlab.operators.textures import (
    ImageArrays,
    blur_arrays,
    compute_luma,
    draw_plasma,
    draw_rime,
    make_disk,
    smear_array,
    zoom_middle,
)
from latentlab.types import Batch, Bench

NumpyRng = np.random.Generator


@tool
class Corruption(ABC):
    """What the world does to a picture; the label is kept. Subclasses say how, and how strong at each severity."""

    severity: Annotated[int, Knob("severity", 1, 5)] = 3

    small: ClassVar[Sequence[Any]] = ()  # strengths for images up to 48 px
    large: ClassVar[Sequence[Any]] = ()  # above; none if they are the same

    @abstractmethod
    def corrupt_images(self, x: ImageArrays, c: Any, rng: NumpyRng) -> ImageArrays:
        """Return the pictures at strength `c`; values may leave [0, 1], they are clipped afterwards."""

    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        x = batch.images.detach().permute(0, 2, 3, 1).cpu().double().numpy()
        strengths = self.large if self.large and max(x.shape[1:3]) > 48 else self.small
        worse = self.corrupt_images(x.copy(), strengths[self.severity - 1], make_numpy_rng(bench.rng)).clip(0, 1)
        return Batch(torch.from_numpy(worse).permute(0, 3, 1, 2).to(batch.images).contiguous(), batch.targets)


class GaussianNoise(Corruption):
    """Standard deviation c: the grain of a sensor in the dark."""

    small = (0.04, 0.06, 0.08, 0.09, 0.10)
    large = (0.04, 0.08, 0.12, 0.15, 0.18)

    def corrupt_images(self, x: ImageArrays, c: float, rng: NumpyRng) -> ImageArrays:
        return x + rng.normal(scale=c, size=x.shape)


class ShotNoise(Corruption):
    """Poisson noise of c photons in a white pixel."""

    small = (500, 250, 100, 75, 50)
    large = (250, 100, 50, 30, 15)

    def corrupt_images(self, x: ImageArrays, c: int, rng: NumpyRng) -> ImageArrays:
        return rng.poisson(x * c) / c


class ImpulseNoise(Corruption):
    """A share c of the values becomes 0 or 1."""

    small = (0.01, 0.02, 0.03, 0.05, 0.07)
    large = (0.01, 0.02, 0.05, 0.08, 0.14)

    def corrupt_images(self, x: ImageArrays, c: float, rng: NumpyRng) -> ImageArrays:
        hit, salt = rng.random(x.shape) < c, rng.random(x.shape) < 0.5
        return np.where(hit, salt.astype(x.dtype), x)


class DefocusBlur(Corruption):
    """A disk of (radius, softness of its edge)."""

    small = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))
    large = ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, float], rng: NumpyRng) -> ImageArrays:
        return scipy.ndimage.convolve(x, make_disk(*c)[None, :, :, None], mode="mirror")


class GlassBlur(Corruption):
    """Blur, pixels copied over neighbours (the published swap is in truth a copy), blur: (sigma, reach, rounds)."""

    small = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
    large = ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, int, int], rng: NumpyRng) -> ImageArrays:
        sigma, reach, rounds = c
        x = blur_arrays(x, sigma)
        for _ in range(rounds):
            self._scatter_pixels(x, reach, rng)
        return blur_arrays(x, sigma)

    def _scatter_pixels(self, x: ImageArrays, reach: int, rng: NumpyRng) -> None:
        count, height, width, _ = x.shape
        each, moves = np.arange(count), rng.integers(-reach, reach, (height, width, 2, count))
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                other = (each, row + moves[row - 1, column - 1, 0], column + moves[row - 1, column - 1, 1])
                x[:, row, column] = x[other]


class MotionBlur(Corruption):
    """A smear of (radius, sigma), within 45° of the horizontal."""

    small = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))
    large = ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3))

    def corrupt_images(self, x: ImageArrays, c: tuple[int, float], rng: NumpyRng) -> ImageArrays:
        return np.stack([smear_array(image, *c, rng.uniform(-45, 45)) for image in x])


class ZoomBlur(Corruption):
    """The mean of enlargements by 0, 1, … c percent."""

    small = (5, 10, 15, 20, 25)

    def corrupt_images(self, x: ImageArrays, c: int, rng: NumpyRng) -> ImageArrays:
        return (x + sum(zoom_middle(x, 1 + percent / 100) for percent in range(c + 1))) / (c + 2)


class Snow(Corruption):
    """Flakes: (mean, spread, size, threshold, radius and sigma of the fall, share of colour kept)."""

    small = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )
    large = tuple((*row[:6], kept) for row, kept in zip(small, (0.8, 0.8, 0.7, 0.65, 0.6), strict=True))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, ...], rng: NumpyRng) -> ImageArrays:
        mean, spread, size, threshold, radius, sigma, kept = c
        flakes = zoom_middle(rng.normal(mean, spread, (*x.shape[:3], 1)), size)
        flakes = np.where(flakes < threshold, 0, flakes).clip(0, 1)
        fallen = np.stack([smear_array(layer, int(radius), sigma, rng.uniform(-135, -45)) for layer in flakes])
        pale = kept * x + (1 - kept) * np.maximum(x, compute_luma(x) * 1.5 + 0.5)
        return pale + fallen + np.rot90(fallen, 2, (1, 2))


class Frost(Corruption):
    """Ice over the picture: (share of the picture, share of the ice)."""

    small = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
    large = ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, float], rng: NumpyRng) -> ImageArrays:
        ice = draw_rime(len(x), x.shape[1], x.shape[2], rng)
        return c[0] * x + c[1] * (ice if x.shape[3] == 3 else compute_luma(ice))


class Fog(Corruption):
    """Plasma of (thickness, decay of its roughness)."""

    small = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))
    large = ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, float], rng: NumpyRng) -> ImageArrays:
        brightest = x.max((1, 2, 3), keepdims=True)
        foggy = x + c[0] * draw_plasma(len(x), x.shape[1], x.shape[2], c[1], rng)[..., None]
        return foggy * brightest / (brightest + c[0])


class Brightness(Corruption):
    """The V of HSV raised by c."""

    small = (0.05, 0.1, 0.15, 0.2, 0.3)
    large = (0.1, 0.2, 0.3, 0.4, 0.5)

    def corrupt_images(self, x: ImageArrays, c: float, rng: NumpyRng) -> ImageArrays:
        value = x.max(3, keepdims=True)
        raised = (value + c).clip(0, 1)
        return np.where(value > 0, x / value.clip(1e-12) * raised, raised)


class Contrast(Corruption):
    """Distance from the mean of each channel, times c."""

    small = (0.75, 0.5, 0.4, 0.3, 0.15)
    large = (0.4, 0.3, 0.2, 0.1, 0.05)

    def corrupt_images(self, x: ImageArrays, c: float, rng: NumpyRng) -> ImageArrays:
        means = x.mean((1, 2), keepdims=True)
        return (x - means) * c + means


class ElasticTransform(Corruption):
    """A random affine map, then a smooth field: (height, smoothness, affine reach) as shares of the side."""

    small = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    large = ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02))

    def corrupt_images(self, x: ImageArrays, c: tuple[float, float, float], rng: NumpyRng) -> ImageArrays:
        height, smooth, reach = (x.shape[1] * share for share in c)
        return np.stack([self._bend_image(image, height, smooth, reach, rng) for image in x])

    def _bend_image(self, image: np.ndarray, height: float, smooth: float, reach: float, rng: NumpyRng) -> np.ndarray:
        middle, side = np.array(image.shape[:2]) // 2, min(image.shape[:2]) // 3
        corners = middle + side * np.array([[1, 1], [1, -1], [-1, -1]])
        moved = np.c_[corners + rng.uniform(-reach, reach, (3, 2)), np.ones(3)]
        matrix = np.linalg.solve(moved, corners).T  # takes a pixel of the result to its origin
        field = rng.uniform(-1, 1, (2, *image.shape[:2]))
        bend = height * scipy.ndimage.gaussian_filter(field, (0, smooth, smooth), mode="reflect", truncate=3)
        where = np.indices(image.shape[:2]) + bend
        channels = (scipy.ndimage.affine_transform(c, matrix, order=1, mode="mirror") for c in np.moveaxis(image, 2, 0))
        return np.stack([scipy.ndimage.map_coordinates(c, where, order=1, mode="reflect") for c in channels], axis=2)


class Pixelate(Corruption):
    """The picture made c times as large, and stretched back."""

    small = (0.95, 0.9, 0.85, 0.75, 0.65)
    large = (0.9, 0.8, 0.7, 0.6, 0.5)

    def corrupt_images(self, x: ImageArrays, c: float, rng: NumpyRng) -> ImageArrays:
        return np.stack([self._coarsen_image(image, c) for image in _to_pil_images(x)])

    def _coarsen_image(self, image: Image.Image, c: float) -> np.ndarray:
        coarse = image.resize((int(image.width * c), int(image.height * c)), Image.Resampling.BOX)
        return _to_array(coarse.resize(image.size, Image.Resampling.BOX))


class JpegCompression(Corruption):
    """A JPEG of quality c."""

    small = (80, 65, 58, 50, 40)
    large = (65, 58, 50, 40, 25)

    def corrupt_images(self, x: ImageArrays, c: int, rng: NumpyRng) -> ImageArrays:
        return np.stack([self._compress_image(image, c) for image in _to_pil_images(x)])

    def _compress_image(self, image: Image.Image, quality: int) -> np.ndarray:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return _to_array(Image.open(file))


def _to_pil_images(x: ImageArrays) -> list[Image.Image]:
    levels = np.rint(x.clip(0, 1) * 255).astype(np.uint8)
    return [Image.fromarray(image[..., 0] if image.shape[2] == 1 else image) for image in levels]


def _to_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image, dtype=float) / 255
    return array[..., None] if array.ndim == 2 else array


CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaussian_noise": GaussianNoise,
    "shot_noise": ShotNoise,
    "impulse_noise": ImpulseNoise,
    "defocus_blur": DefocusBlur,
    "glass_blur": GlassBlur,
    "motion_blur": MotionBlur,
    "zoom_blur": ZoomBlur,
    "snow": Snow,
    "frost": Frost,
    "fog": Fog,
    "brightness": Brightness,
    "contrast": Contrast,
    "elastic_transform": ElasticTransform,
    "pixelate": Pixelate,
    "jpeg_compression": JpegCompression,
}
