"""CIFAR-10 and MNIST as torchvision lays them on the disk, and their download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from latentlab.datasets.dataset import Dataset, Split, make_colour_planes
from latentlab.datasets.known_worlds import DATA_HINTS, DATA_LICENCES, find_data_folder
from latentlab.errors import UserError
from latentlab.torchvision_schemas import import_torchvision


def _load_cifar10(place: Path) -> Dataset:
    halves = [_open_torchvision("cifar10", place, train) for train in (True, False)]
    train, test = (Split(make_colour_planes(torch.from_numpy(h.data)), torch.tensor(h.targets)) for h in halves)
    return Dataset("cifar10", train, test, tuple(halves[0].classes), False, DATA_LICENCES["cifar10"])


def _load_mnist(place: Path) -> Dataset:
    halves = [_open_torchvision("mnist", place, train) for train in (True, False)]
    train, test = (Split(make_colour_planes(h.data), h.targets.long()) for h in halves)
    return Dataset("mnist", train, test, tuple("0123456789"), False, DATA_LICENCES["mnist"])


def _open_torchvision(name: str, place: Path, train: bool):
    try:
        return getattr(import_torchvision().datasets, TORCHVISION_LAYOUTS[name][2])(place, train=train, download=False)
    except (RuntimeError, OSError, EOFError) as error:
        raise UserError(
            f"The data of {name} in {place} are incomplete ({error}); delete them and {DATA_HINTS[name]}."
        ) from error


TORCHVISION_LAYOUTS: dict[str, tuple[str, Callable[[Path], Dataset], str]] = {
    "cifar10": ("cifar-10-batches-py", _load_cifar10, "CIFAR10"),
    "mnist": ("MNIST/raw", _load_mnist, "MNIST"),
}


def download_world(name: str, folder: Path | None = None) -> None:
    """Download CIFAR-10 or MNIST from their publishers through torchvision."""
    if name not in TORCHVISION_LAYOUTS:
        raise UserError(f"{name} cannot be downloaded; {', '.join(TORCHVISION_LAYOUTS)} can.")
    place = find_data_folder(folder)
    try:
        getattr(import_torchvision().datasets, TORCHVISION_LAYOUTS[name][2])(place, download=True)
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"The download of {name} failed ({error}); with a network try again, or put {name}.npz in {place}."
        ) from error
