"""Worlds: data sets as uint8 tensors in memory, with the names of their classes.

They are looked for in `$LATENTLAB_DATA` (default `data/`): `NAME.npz` (`train_x`, `test_x` uint8 N H W C, `train_y`,
`test_y`, optional `names`), then torchvision's own layout (`cifar-10-batches-py`, `MNIST/raw`), then a folder per class
(`NAME/train/CLASS/*.png` and `NAME/test/…`, or `NAME/CLASS/*.png`, a tenth of it held out by the hash of the name).
`digits` needs no file, nor does `digits-biased`: the same, but nine of ten training digits wear their class's hue.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from latentlab.errors import UserError
from latentlab.torchvision_schemas import import_torchvision
from latentlab.types import ImageShape

WORLD_NAMES = ("digits", "cifar10", "mnist", "faces")
DATASET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
DATA_LICENCES = {
    "digits": "CC BY 4.0 (UCI Optical Recognition of Handwritten Digits, through scikit-learn)",
    "cifar10": "no licence stated; cite Krizhevsky 2009",
    "mnist": "CC BY-SA 3.0",
    "faces": "CelebA: non-commercial research only; cite Liu et al. 2015",
}
DATA_HINTS = {
    "cifar10": "run `latentlab data cifar10`, or put cifar-10-batches-py or cifar10.npz there",
    "mnist": "run `latentlab data mnist`, or put MNIST/raw or mnist.npz there",
    "faces": "put faces.npz there (`latentlab data faces` describes it)",
}
DIGITS_BIASES = {"digits": 0.0, "digits-biased": 0.9}  # share of training digits that wear their class's hue
COLOURINGS_PER_DIGIT = 4  # of every training digit: colour says nothing about the class, so more of it is free


@dataclass(frozen=True, eq=False)
class Split:
    """Images of 256 levels; labels are class numbers, or one 0/1 column an attribute."""

    images: UInt8[Tensor, "N C H W"]
    labels: Int64[Tensor, "N ..."]

    def __len__(self) -> int:
        return len(self.images)

    def take_batch(
        self, rows: slice | Sequence[int] | Tensor
    ) -> tuple[Float[Tensor, "B C H W"], Int64[Tensor, "B ..."]]:
        """Return images in [0, 1] and labels of these rows."""
        return self.images[rows].float() / 255, self.labels[rows]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in two halves; the page calls it a world. In a multilabel one `classes` name the attributes."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    multilabel: bool
    licence: str
    copies: int = 1  # of every training picture, each in other colours; the training rows are that many equal stretches

    @property
    def image_shape(self) -> ImageShape:
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def allows_mirroring(self) -> bool:
        """Say whether a picture left to right is as good as it was."""
        return self.name not in ("digits", "mnist")

    def select_attribute(self, attribute: str) -> Dataset:
        """Return the same pictures with one attribute as two classes: without it and with it."""
        if attribute not in self.classes or not self.multilabel:
            known = ", ".join(self.classes) if self.multilabel else "none, but classes"
            raise UserError(f"{self.name} has no attribute {attribute[:40]!r}; it has {known}.")
        column = self.classes.index(attribute)
        train, test = (Split(half.images, half.labels[:, column]) for half in (self.train, self.test))
        return replace(self, train=train, test=test, classes=(f"not {attribute}", attribute), multilabel=False)


def find_data_folder(folder: Path | None = None) -> Path:
    return Path(folder or os.environ.get("LATENTLAB_DATA") or "data")


def load_world(name: str, folder: Path | None = None) -> Dataset:
    """Load the world of this name; where its data are missing, one line says how to get them."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UserError(
            f"{name[:40]!r} is no name of a data set; use letters, digits, - and _, such as {', '.join(WORLD_NAMES)}."
        )
    if name in DIGITS_BIASES:
        return make_digits_world(DIGITS_BIASES[name])
    place = find_data_folder(folder)
    if (place / f"{name}.npz").is_file():
        return load_npz_world(name, place / f"{name}.npz")
    if name in TORCHVISION_LAYOUTS and (place / TORCHVISION_LAYOUTS[name][0]).is_dir():
        return TORCHVISION_LAYOUTS[name][1](place)
    if (place / name).is_dir():
        return load_folder_world(name, place / name)
    how = DATA_HINTS.get(
        name, f"put {name}.npz or a folder {name}/CLASS/*.png there, or choose one of {', '.join(WORLD_NAMES)}"
    )
    raise UserError(f"The data of {name} are not in {place} (set LATENTLAB_DATA to look elsewhere); {how}.")


def make_digits_world(bias: float = 0.0) -> Dataset:
    """Make scikit-learn's digits 32x32 colour pictures; of the training ones a share `bias` wears its class's hue."""
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    ink = _smooth_ink(torch.from_numpy(grey).float().reshape(-1, 1, 8, 8) / 16)
    targets = torch.from_numpy(labels).long()
    held_out = _rank_in_class(targets) % 5 == 4
    rng = np.random.default_rng(0)
    seen = torch.cat([torch.nonzero(~held_out).flatten()] * COLOURINGS_PER_DIGIT)
    unseen = torch.nonzero(held_out).flatten()
    return Dataset(
        "digits",
        Split(_colour_digits(ink[seen], _draw_hues(targets[seen], bias, rng), rng), targets[seen]),
        Split(_colour_digits(ink[unseen], _draw_hues(targets[unseen], 0.0, rng), rng), targets[unseen]),
        tuple("0123456789"),
        False,
        DATA_LICENCES["digits"],
        COLOURINGS_PER_DIGIT,
    )


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
    return Split(_make_colour_planes(torch.from_numpy(images)), torch.from_numpy(labels).long())


def _make_colour_planes(images: UInt8[Tensor, "N H W ..."]) -> UInt8[Tensor, "N 3 h w"]:
    """Repeat grey to three planes; pad 28x28, MNIST's size, to 32x32."""
    planes = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    if planes.shape[2:] == (28, 28):
        planes = functional.pad(planes, (2, 2, 2, 2))
    return planes.expand(-1, 3, -1, -1).contiguous()


def _load_cifar10(place: Path) -> Dataset:
    halves = [_open_torchvision("cifar10", place, train) for train in (True, False)]
    train, test = (Split(_make_colour_planes(torch.from_numpy(h.data)), torch.tensor(h.targets)) for h in halves)
    return Dataset("cifar10", train, test, tuple(halves[0].classes), False, DATA_LICENCES["cifar10"])


def _load_mnist(place: Path) -> Dataset:
    halves = [_open_torchvision("mnist", place, train) for train in (True, False)]
    train, test = (Split(_make_colour_planes(h.data), h.targets.long()) for h in halves)
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
    return Split(_make_colour_planes(torch.from_numpy(pictures)), torch.tensor([number for _, number in files]))
