"""A world from one `.npz` of arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentlab.datasets.dataset import Dataset, Split, make_colour_planes
from latentlab.datasets.known_worlds import DATA_LICENCES
from latentlab.errors import UserError

OPTIONAL_ENTRIES = ("names", "title", "licence")


def load_npz_world(name: str, path: Path) -> Dataset:
    """Load a world from one file of arrays; object arrays, which would need a pickle, are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                key: file[key]
                for key in file.files
                if key in ("train_x", "train_y", "test_x", "test_y", *OPTIONAL_ENTRIES)
            }
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}. It must be a plain .npz without object arrays.") from error
    if missing := {"train_x", "train_y", "test_x", "test_y"} - set(arrays):
        raise UserError(f"{path} has no {', '.join(sorted(missing))}; it must hold train_x, train_y, test_x, test_y.")
    arrange = _put_channels_first if "title" in arrays else make_colour_planes  # a world made of pictures stays so
    train, test = (_make_split(path, arrays[f"{half}_x"], arrays[f"{half}_y"], arrange) for half in ("train", "test"))
    multilabel = train.labels.ndim == 2
    count = train.labels.shape[1] if multilabel else int(max(train.labels.max(), test.labels.max())) + 1
    if "names" in arrays and arrays["names"].shape == (0,) and count == 1:  # a world without classes
        count = 0
    classes = tuple(str(label) for label in arrays["names"]) if "names" in arrays else tuple(map(str, range(count)))
    if (
        len(classes) != count
        or train.images.shape[1:] != test.images.shape[1:]
        or train.labels.ndim != test.labels.ndim
    ):
        raise UserError(
            f"{path}: its names, train and test arrays do not agree ({len(classes)} names, {count} classes)."
        )
    licence = str(arrays["licence"]) if "licence" in arrays else DATA_LICENCES.get(name, "")
    return Dataset(name, train, test, classes, multilabel, licence)


def _make_split(path: Path, images: np.ndarray, labels: np.ndarray, arrange: Callable[[Tensor], Tensor]) -> Split:
    """Check the arrays and put channels first."""
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
    return Split(arrange(torch.from_numpy(images)), torch.from_numpy(labels).long())


def _put_channels_first(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).contiguous()
