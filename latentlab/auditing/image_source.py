"""Where the audited images come from: a half of a world, or a folder that is read picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor

from latentlab import chance, datasets
from latentlab.datasets import Dataset, Split
from latentlab.errors import UserError
from latentlab.images import fit_to
from latentlab.picture_files import list_picture_files, read_picture_file
from latentlab.types import Images, ImageShape

ChosenRows = Int64[Tensor, " _"]  # of the source, of any number


@runtime_checkable
class ImageSource(Protocol):
    """It gives images by their rows; the labels are those that somebody gave, None where nobody did."""

    @property
    def labels(self) -> Int64[Tensor, " N"] | None: ...

    def __len__(self) -> int: ...

    def take_images(self, rows: Sequence[int]) -> Images: ...

    def name_image(self, row: int) -> str: ...


@dataclass(frozen=True, eq=False)
class WorldImages:
    split: Split
    half: str

    @property
    def labels(self) -> Int64[Tensor, " N"]:
        return self.split.labels

    def __len__(self) -> int:
        return len(self.split)

    def take_images(self, rows: Sequence[int]) -> Images:
        return self.split.take_batch(list(rows))[0]

    def name_image(self, row: int) -> str:
        return f"{self.half} image {row}"


@dataclass(frozen=True, eq=False)
class FolderImages:
    folder: Path
    files: tuple[Path, ...]
    labels: Int64[Tensor, " N"] | None
    shape: ImageShape = field(default=(3, 32, 32))

    def __len__(self) -> int:
        return len(self.files)

    def take_images(self, rows: Sequence[int]) -> Images:
        return torch.stack([fit_to(read_picture_file(self.folder / self.files[row]), self.shape) for row in rows])

    def name_image(self, row: int) -> str:
        return str(self.files[row])


def load_audited_world(name: str, classes: Sequence[str]) -> Dataset:
    """Load the data; where labels are attributes, with the one whose two classes these are."""
    world = datasets.load_world(name)
    if not world.multilabel:
        return world
    if len(classes) != 2:
        raise UserError(
            f"In {name} labels are attributes; choose a classifier of one, such as NAME:{world.classes[0]}."
        )
    return world.select_attribute(classes[1])


def open_images(half: str, world: Dataset, folder: Path | None = None) -> ImageSource:
    """Open a half of the world, or the pictures of a folder."""
    if folder is not None:
        return find_folder_images(folder, world.classes, world.image_shape)
    return WorldImages(getattr(world, half), half)


def find_folder_images(folder: Path, classes: Sequence[str], shape: ImageShape) -> FolderImages:
    """Find the pictures below a folder; they are labelled where each lies in a subfolder with the name of a class."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give a folder of pictures.")
    files = list_picture_files(folder).files
    if not files:
        raise UserError(f"{folder} holds no picture; give PNG, JPEG or WebP files.")
    places = [classes.index(file.parts[0]) if file.parts[0] in classes else -1 for file in files]
    known = sum(place >= 0 for place in places)
    if 0 < known < len(files):
        stranger = files[places.index(-1)]
        raise UserError(
            f"{folder}: {len(files) - known} pictures such as {stranger} lie in no folder of a class "
            f"({', '.join(classes)}); move them there or take them away."
        )
    return FolderImages(folder, files, torch.tensor(places) if known else None, shape)


def draw_stratified_rows(labels: Int64[Tensor, " N"], count: int, seed: int) -> ChosenRows:
    """Draw so many rows, each class by its share of all rows (largest remainders), in an order that mixes classes."""
    order = chance.draw_permutation(len(labels), chance.make_generator(seed))
    sizes = torch.bincount(labels[labels >= 0])
    exact = sizes.double() * min(count, len(labels)) / len(labels)
    taken = exact.floor().long()
    missing = min(count, len(labels)) - int(taken.sum())
    taken[(exact - taken).argsort(descending=True, stable=True)[:missing]] += 1
    rank = torch.zeros(len(labels), dtype=torch.int64)  # of each row among those of its class, in that order
    for label in range(len(sizes)):
        own = order[labels[order] == label]
        rank[own] = torch.arange(len(own))
    return order[rank[order] < taken[labels[order]]]
