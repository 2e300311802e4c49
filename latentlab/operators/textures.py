"""Kernels, zooms and random textures from which the corruptions are made: arrays `N H W C` or `N H W` in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
import scipy
from jaxtyping import Float

ImageArrays = Float[np.ndarray, "N H W C"]
LayerArrays = Float[np.ndarray, "N H W"]


def blur_arrays(x: ImageArrays, sigma: float) -> ImageArrays:
    return scipy.ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")


def make_disk(radius: float, softness: float) -> Float[np.ndarray, "R R"]:
    """Make a filled circle of weight 1, its edge blurred by a 3×3 Gaussian (5×5 above radius 8)."""
    reach = math.ceil(radius) + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    circle = (x**2 + y**2 <= radius**2).astype(float)
    return scipy.ndimage.gaussian_filter(circle / circle.sum(), softness, radius=1 if radius <= 8 else 2)


def zoom_middle(x: ImageArrays, factor: float) -> ImageArrays:
    """Enlarge the middle to the whole."""
    height, width = x.shape[1:3]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = x[:, top : top + rows, left : left + columns]
    big = np.asarray(scipy.ndimage.zoom(middle, (1, factor, factor, 1), order=1))
    top, left = (big.shape[1] - height) // 2, (big.shape[2] - width) // 2
    return big[:, top : top + height, left : left + width]


def smear_array(x: Float[np.ndarray, "H W *C"], radius: int, sigma: float, angle: float) -> Float[np.ndarray, "H W *C"]:
    """Blur by motion: half a Gaussian of copies along `angle` (degrees), the border repeated, as ImageMagick's."""
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    down, right = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    copies = (w * _move_array(x, round(i * down), round(i * right)) for i, w in enumerate(weights / weights.sum()))
    return np.sum(list(copies), axis=0)


def _move_array(x: np.ndarray, down: int, right: int) -> np.ndarray:
    rows, columns = np.arange(x.shape[0]) + down, np.arange(x.shape[1]) + right
    return x[rows.clip(0, x.shape[0] - 1)][:, columns.clip(0, x.shape[1] - 1)]


def draw_plasma(count: int, height: int, width: int, decay: float, rng: np.random.Generator) -> LayerArrays:
    """Draw height maps by the diamond-square algorithm; each octave is `decay` times as rough as the one before."""
    size = 1 << (max(height, width) - 1).bit_length()
    maps, step, rough = np.zeros((count, size, size)), size, 100.0
    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, 1)
        squares = _roughen_mean(pairs + np.roll(pairs, -1, 2), rough, rng)
        maps[:, half::step, half::step] = squares
        maps[:, ::step, half::step] = _fill_diamonds(squares, corners, 1, rough, rng)
        maps[:, half::step, ::step] = _fill_diamonds(squares, corners, 2, rough, rng)
        step, rough = half, rough / decay
    maps -= maps.min((1, 2), keepdims=True)
    return (maps / maps.max((1, 2), keepdims=True).clip(1e-12))[:, :height, :width]


def _fill_diamonds(
    squares: LayerArrays, corners: LayerArrays, axis: int, rough: float, rng: np.random.Generator
) -> LayerArrays:
    """Fill what lies between two squares along one axis and two corners along the other."""
    return _roughen_mean(squares + np.roll(squares, 1, axis) + corners + np.roll(corners, -1, 3 - axis), rough, rng)


def _roughen_mean(four: LayerArrays, rough: float, rng: np.random.Generator) -> LayerArrays:
    return four / 4 + rough * rng.uniform(-rough, rough, four.shape)


def draw_rime(count: int, height: int, width: int, rng: np.random.Generator) -> ImageArrays:
    """Draw frost on a window: bright bluish ridges on grey. The photographs of the original are not ours to ship."""
    ridges = 1 - abs(2 * draw_plasma(count, height, width, 1.6, rng) - 1)
    crystals = 0.35 + 0.65 * (0.5 * ridges**3 + 0.5 * draw_plasma(count, height, width, 1.3, rng))
    return crystals[..., None] * np.array([0.86, 0.95, 1.0])


def compute_luma(x: ImageArrays) -> Float[np.ndarray, "N H W 1"]:
    """Return the luma of ITU-R BT.601; a single channel is its own."""
    return x if x.shape[3] == 1 else (x[..., :3] @ np.array([0.299, 0.587, 0.114]))[..., None]
