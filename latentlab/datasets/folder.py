"""A world from a folder per class."""

from __future__ import annotations

import hashlib
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from latentlab.datasets.dataset import Dataset, Split
from latentlab.datasets.known_worlds import DATA_LICENCES
from latentlab.errors import UserError
from latentlab.images import fit_to
from latentlab.picture_files import (
    PICTURE_SUFFIXES,
    list_class_folders,
    list_picture_files,
    read_picture_file,
    read_picture_head,
)

MIN_SIDE, MAX_SIDE = 32, 64  # pixels of a world that nobody has chosen a size for
MAX_SIZES_READ = 500  # files that are asked for their size

LabelledFiles = list[tuple[Path, str]]


def load_folder_world(name: str, place: Path) -> Dataset:
    """Load a folder per class; pictures become squares: the power of two at or below their median short side.

    What only lies beside the pictures is skipped; a class without pictures is warned of, and never a class.
    """
    files, strangers = _list_halves(place)
    classes = _find_classes(place, files)
    if not files["train"] or not files["test"]:
        raise UserError(
            f"{place} needs pictures in a folder per class, in train/ and test/ or at least about ten a class "
            f"({strangers} other files lie there; {', '.join(PICTURE_SUFFIXES)} are read)."
        )
    size = propose_side([path for path, _ in files["train"]])
    train, test = (_read_pictures(files[half], classes, size) for half in ("train", "test"))
    return Dataset(name, train, test, classes, False, DATA_LICENCES.get(name, ""))


def propose_side(files: Sequence[Path]) -> int:
    """Return the power of two at or below the median short side of evenly chosen files, within the limits."""
    chosen = files[:: max(1, len(files) // MAX_SIZES_READ)]
    sides = [min(head.width, head.height) for head in map(read_picture_head, chosen) if head is not None]
    median = statistics.median_low(sides) if sides else MIN_SIDE
    return min(max(1 << (median.bit_length() - 1), MIN_SIDE), MAX_SIDE)


def _list_halves(place: Path) -> tuple[dict[str, LabelledFiles], int]:
    """Return the pictures of train and test with their class, and how many strangers lie there."""
    if not (place / "train").is_dir() or not (place / "test").is_dir():
        found, strangers = _list_labelled_files(place)
        found = [(path, label) for path, label in found if label not in ("train", "test")]
        halves = {half: [f for f in found if _is_held_out(f[0]) == (half == "test")] for half in ("train", "test")}
        return halves, strangers
    listed = {half: _list_labelled_files(place / half) for half in ("train", "test")}
    return {half: found for half, (found, _) in listed.items()}, sum(count for _, count in listed.values())


def _list_labelled_files(folder: Path) -> tuple[LabelledFiles, int]:
    found = list_picture_files(folder)
    return [(folder / file, file.parts[0]) for file in found.files if len(file.parts) > 1], found.strangers


def _find_classes(place: Path, files: dict[str, LabelledFiles]) -> tuple[str, ...]:
    """Return the folders that hold training pictures; name those that are empty or in one half alone."""
    seen = {half: {label for _, label in found} for half, found in files.items()}
    if unknown := seen["test"] - seen["train"]:
        raise UserError(
            f"{place}: {_quote_names(unknown)} only in test/; put pictures of it into train/ too, or take it away."
        )
    root = place / "train" if (place / "train").is_dir() else place
    if empty := set(list_class_folders(root)) - seen["train"] - {"train", "test"}:
        warnings.warn(f"{place}: {_quote_names(empty)} without a picture, and no class.", stacklevel=4)
    if missing := seen["train"] - seen["test"]:
        warnings.warn(f"{place}: {_quote_names(missing)} without a test picture.", stacklevel=4)
    return tuple(sorted(seen["train"]))


def _quote_names(names: set[str]) -> str:
    return f"{', '.join(repr(name) for name in sorted(names))} {'is' if len(names) == 1 else 'are'}"


def _is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode()).digest()[0] < 26


def _read_pictures(files: LabelledFiles, classes: Sequence[str], side: int) -> Split:
    pictures = [fit_to(read_picture_file(path), (3, side, side)) for path, _ in files]
    levels = torch.stack([(picture * 255).round().to(torch.uint8) for picture in pictures])
    return Split(levels, torch.tensor([classes.index(label) for _, label in files]))
