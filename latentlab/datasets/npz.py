"""A world from one `.npz` of arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch

from latentlab.datasets.dataset import Dataset, Split, make_colour_planes
from latentlab.datasets.known_worlds import DATA_LICENCES
from latentlab.errors import UserError


def load_npz_world(name: str, path: Path) -> Dataset:
    """Load a world from one file of arrays; object arrays, which would need a pickle, are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                key: file[key] for key in file.files if key in ("train_x", "train_y", "test_x", "test_y", "names")
            }
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}. It must be a plain .npz without object arrays.") from error
    if missing := {"train_x", "train_y", "test_x", "test_y"} - set(arrays):
        raise UserError(f"{path} has no {', '.join(sorted(missing))}; it must hold train_x, train_y, test_x, test_y.")
    train, test = (_make_split(path, arrays[f"{half}_x"], arrays[f"{half}_y"]) for half in ("train", "test"))
    multilabel = train.labels.ndim == 2
    count = train.labels.shape[1] if multilabel else int(max(train.labels.max(), test.labels.max())) + 1
    classes = tuple(str(label) for label in arrays["names"]) if "names" in arrays else tuple(map(str, range(count)))
    if (
        len(classes) != count
        or train.images.shape[1:] != test.images.shape[1:]
        or train.labels.ndim != test.labels.ndim
    ):
        raise UserError(
            f"{path}: its names, train and test arrays do not agree ({len(classes)} names, {count} classes)."
        )
    return Dataset(name, train, test, classes, multilabel, DATA_LICENCES.get(name, ""))


def _make_split(path: Path, images: np.ndarray, labels: np.ndarray) -> Split:
    """Check the arrays and put channels first: at least 32 pixels, three channels."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
        raise UserError(f"{path}: images are {images.dtype} {images.shape}; they must be uint8 N H W C.")
    if images.ndim == 4 and images.shape[3] not in (1, 3):
        raise UserError(f"{path}: images have {images.shape[3]} channels; they must have 1 or 3, as N H W C.")
    if labels.dtype.kind not in "iub" or labels.ndim not in (1, 2) or len(labels) != len(images) or labels.min() < 0:
        raise UserError(
            f"{path}: labels are {labels.dtype} {labels.shape}; give {len(images)} whole numbers or rows of 0/1."
        )
    if labels.ndim == 2 and labels.max() > 1:
        raise UserError(
            f"{path}: the columns of labels are attributes and must be 0 or 1; give class numbers as one column."
        )
    return Split(make_colour_planes(torch.from_numpy(images)), torch.from_numpy(labels).long())
