"""A data set in memory: two halves of images of 256 levels with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from latentlab.errors import UserError
from latentlab.types import ImageShape

MNIST_SHAPE = (1, 28, 28)


@dataclass(frozen=True, eq=False)
class Split:
    """Images of 256 levels; labels are class numbers, 0 where there are no classes, or one 0/1 column an attribute."""

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
        return self.name not in ("digits", "mnist") and self.image_shape != MNIST_SHAPE  # signs, more often than not

    def require_classes(self) -> None:
        """Refuse what cannot be done without classes."""
        if not self.classes:
            raise UserError(f"{self.name} has no classes; sort its pictures into a folder per class, or give a table.")

    def select_attribute(self, attribute: str) -> Dataset:
        """Return the same pictures with one attribute as two classes: without it and with it."""
        if attribute not in self.classes or not self.multilabel:
            known = ", ".join(self.classes) if self.multilabel else "none, but classes"
            raise UserError(f"{self.name} has no attribute {attribute[:40]!r}; it has {known}.")
        column = self.classes.index(attribute)
        train, test = (Split(half.images, half.labels[:, column]) for half in (self.train, self.test))
        return replace(self, train=train, test=test, classes=(f"not {attribute}", attribute), multilabel=False)


def make_colour_planes(images: UInt8[Tensor, "N H W ..."]) -> UInt8[Tensor, "N 3 h w"]:
    """Repeat grey to three planes; pad 28x28, MNIST's size, to 32x32."""
    planes = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    if planes.shape[2:] == (28, 28):
        planes = functional.pad(planes, (2, 2, 2, 2))
    return planes.expand(-1, 3, -1, -1).contiguous()
