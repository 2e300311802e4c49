"""scikit-learn's digits as coloured pictures: the world that is always there."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from latentlab.datasets.dataset import Dataset, Split
from latentlab.datasets.known_worlds import DATA_LICENCES

DIGITS_VARIANTS: dict[str, dict[str, float]] = {
    "digits": {},
    "digits-biased": {"bias": 0.9},  # share of training digits that wear their class's hue
    "digits-mislabelled": {"mislabelled": 0.4},  # share of training digits whose label is wrong
}
COLOURINGS_PER_DIGIT = 4  # of every training digit: colour says nothing about the class, so more of it is free


def make_digits_world(bias: float = 0.0, mislabelled: float = 0.0) -> Dataset:
    """Make scikit-learn's digits 32x32 colour pictures; of the training ones a share `bias` wears its class's hue, and
    a share `mislabelled` has the label of another class.
    """
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    ink = _smooth_ink(torch.from_numpy(grey).float().reshape(-1, 1, 8, 8) / 16)
    targets = torch.from_numpy(labels).long()
    held_out = _rank_in_class(targets) % 5 == 4
    rng = np.random.default_rng(0)
    seen = torch.cat([torch.nonzero(~held_out).flatten()] * COLOURINGS_PER_DIGIT)
    unseen = torch.nonzero(held_out).flatten()
    train = _colour_digits(ink[seen], _draw_hues(targets[seen], bias, rng), rng)
    test = _colour_digits(ink[unseen], _draw_hues(targets[unseen], 0.0, rng), rng)
    return Dataset(
        "digits",
        Split(train, _spoil_labels(targets[~held_out], mislabelled, rng).repeat(COLOURINGS_PER_DIGIT)),
        Split(test, targets[unseen]),
        tuple("0123456789"),
        False,
        DATA_LICENCES["digits"],
        COLOURINGS_PER_DIGIT,
    )


def _spoil_labels(labels: Int64[Tensor, " N"], share: float, rng: np.random.Generator) -> Int64[Tensor, " N"]:
    """Give a share of the digits the label of another class, each as likely; all colourings of a digit agree."""
    wrong = torch.from_numpy(rng.random(len(labels)) < share)
    others = (labels + torch.from_numpy(rng.integers(1, 10, len(labels)))) % 10
    return torch.where(wrong, others, labels)


def _smooth_ink(ink: Float[Tensor, "N 1 8 8"]) -> Float[Tensor, "N 1 32 32"]:
    """Enlarge the ink to 28x28 in a margin of 2; the step gives strokes an edge that plain interpolation blurs."""
    grown = functional.interpolate(
        functional.pad(ink, (1, 1, 1, 1)), size=(34, 34), mode="bicubic", align_corners=False
    )
    step = ((grown[:, :, 1:-1, 1:-1] - 0.35) / 0.45).clamp(0, 1)
    return step * step * (3 - 2 * step)


def _rank_in_class(labels: Int64[Tensor, " N"]) -> Int64[Tensor, " N"]:
    """Count how many of the same class stand before each row."""
    return (functional.one_hot(labels).cumsum(0).gather(1, labels[:, None]) - 1).flatten()


def _draw_hues(labels: Int64[Tensor, " N"], bias: float, rng: np.random.Generator) -> np.ndarray:
    own = (labels.numpy() / 10 + rng.uniform(-0.02, 0.02, len(labels))) % 1
    return np.where(rng.random(len(labels)) < bias, own, rng.random(len(labels)))


def _colour_digits(
    ink: Float[Tensor, "N 1 32 32"], hues: np.ndarray, rng: np.random.Generator
) -> UInt8[Tensor, "N 3 32 32"]:
    """Paint bright strokes of these hues on a dark ground of another colour."""
    count = len(ink)
    stroke = _convert_hsv(hues, rng.uniform(0.45, 1, count), rng.uniform(0.8, 1, count))
    ground = _convert_hsv(rng.random(count), rng.uniform(0.2, 0.9, count), rng.uniform(0.02, 0.3, count))
    return (torch.lerp(ground, stroke, ink) * 255).round().byte()


def _convert_hsv(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> Float[Tensor, "N 3 1 1"]:
    """Return the colours of hue, saturation and value in [0, 1].

    f(n) = v − v s max(0, min(k, 4 − k, 1)), k = (n + 6 h) mod 6.
    """
    k = (np.array([5, 3, 1]) + 6 * hue[:, None]) % 6
    depth = np.clip(np.minimum(k, 4 - k), 0, 1)
    rgb = value[:, None] * (1 - saturation[:, None] * depth)
    return torch.from_numpy(rgb).float()[:, :, None, None]
