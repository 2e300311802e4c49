"""A world from a folder per class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from latentlab.datasets.dataset import Dataset, Split, make_colour_planes
from latentlab.datasets.known_worlds import DATA_LICENCES
from latentlab.errors import UserError

DATASET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def load_folder_world(name: str, place: Path) -> Dataset:
    """Load a folder per class; pictures become squares of 64 pixels where the first is that large, else of 32."""
    halves = {half: place / half if (place / half).is_dir() else place for half in ("train", "test")}
    split_by_hash = halves["train"] == halves["test"]
    classes = tuple(
        sorted(path.name for path in halves["train"].iterdir() if path.is_dir() and path.name not in halves)
    )
    files = {half: _list_pictures(folder, classes) for half, folder in halves.items()}
    if split_by_hash:
        files = {half: [f for f in files[half] if (half == "test") == _is_held_out(f[0])] for half in files}
    if not files["train"] or not files["test"]:
        raise UserError(
            f"{place} needs pictures in a folder per class, in train/ and test/ or at least about ten a class."
        )
    size = 64 if min(_open_picture(files["train"][0][0]).size) >= 64 else 32
    train, test = (_read_pictures(files[half], size) for half in ("train", "test"))
    return Dataset(name, train, test, classes, False, DATA_LICENCES.get(name, ""))


def _list_pictures(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    found = [(path, number) for number, label in enumerate(classes) for path in sorted((folder / label).glob("*"))]
    return [(path, number) for path, number in found if path.suffix.lower() in DATASET_SUFFIXES]


def _is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode()).digest()[0] < 26


def _open_picture(path: Path):
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}. Remove it or save it again.") from error


def _read_pictures(files: Sequence[tuple[Path, int]], size: int) -> Split:
    from PIL import ImageOps

    pictures = np.stack([np.asarray(ImageOps.fit(_open_picture(path), (size, size))) for path, _ in files])
    return Split(make_colour_planes(torch.from_numpy(pictures)), torch.tensor([number for _, number in files]))
