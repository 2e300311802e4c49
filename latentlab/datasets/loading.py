"""A world by its name, from wherever its data are."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from latentlab.datasets.dataset import Dataset
from latentlab.datasets.digits import DIGITS_VARIANTS, make_digits_world
from latentlab.datasets.folder import load_folder_world
from latentlab.datasets.known_worlds import DATA_HINTS, WORLD_NAMES, find_data_folder
from latentlab.datasets.npz import load_npz_world
from latentlab.datasets.torchvision_layouts import TORCHVISION_LAYOUTS
from latentlab.datasets.world_file import WORLD_SLUG
from latentlab.errors import UserError


def load_world(name: str, folder: Path | None = None) -> Dataset:
    """Load the world of this name; where its data are missing, one line says how to get them."""
    if not WORLD_SLUG.fullmatch(name):
        raise UserError(
            f"{name[:40]!r} is no name of a data set; use letters, digits, - and _, such as {', '.join(WORLD_NAMES)}."
        )
    place = find_data_folder(folder)
    if load := _find_loader(name, place):
        return load()
    how = DATA_HINTS.get(
        name,
        f"put {name}.npz there, or make it with `latentlab world FOLDER`, or choose one of {', '.join(WORLD_NAMES)}",
    )
    raise UserError(f"The data of {name} are not in {place} (set LATENTLAB_DATA to look elsewhere); {how}.")


def is_world_here(name: str, folder: Path | None = None) -> bool:
    """Say whether the world's data are here; nothing of them is read."""
    return bool(WORLD_SLUG.fullmatch(name)) and _find_loader(name, find_data_folder(folder)) is not None


def _find_loader(name: str, place: Path) -> Callable[[], Dataset] | None:
    """Return what loads the world from the folder, None where its data are missing."""
    if name in DIGITS_VARIANTS:
        return partial(_make_digits_variant, name)
    if (place / f"{name}.npz").is_file():
        return partial(load_npz_world, name, place / f"{name}.npz")
    if name in TORCHVISION_LAYOUTS and (place / TORCHVISION_LAYOUTS[name][0]).is_dir():
        return partial(TORCHVISION_LAYOUTS[name][1], place)
    if (place / name).is_dir():
        return partial(load_folder_world, name, place / name)
    return None


@cache
def _make_digits_variant(name: str) -> Dataset:
    """Paint the digits once a process: a third of a second, and an experiment asks for them in every cell."""
    return make_digits_world(**DIGITS_VARIANTS[name])
