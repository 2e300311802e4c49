"""What a folder of pictures would be as a world, said before anything is made of it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentlab.datasets.dataset import MNIST_SHAPE
from latentlab.datasets.folder import MAX_SIDE, MIN_SIDE
from latentlab.datasets.labelled_pictures import PictureCollection
from latentlab.errors import UserError
from latentlab.picture_files import PictureHead, read_picture_head
from latentlab.types import ImageShape

MAX_NAMED_FILES, MAX_NAMED_SIZES, MAX_NAMED_CLASSES = 5, 4, 20


@dataclass(frozen=True)
class WorldSurvey:
    """The collection, the heads of its files that can be read, and the shape that is proposed."""

    collection: PictureCollection
    heads: dict[Path, PictureHead]
    proposed: ImageShape

    def count_enlarged(self, shape: ImageShape) -> int:
        """Count the pictures that have fewer pixels than the shape along a side."""
        _, height, width = shape
        return sum(head.height < height or head.width < width for head in self.heads.values())

    def write_report(self, shape: ImageShape) -> Iterator[str]:
        """Say what is there and what would become of it, a line each."""
        counts = [len(self.collection.select_half(half)) for half in ("train", "test")]
        beside = f"; {self.collection.strangers:,} other files lie there" if self.collection.strangers else ""
        yield f"{sum(counts):,} pictures: {counts[0]:,} to train, {counts[1]:,} to test{beside}"
        yield self._describe_classes()
        yield f"sizes: {self._describe_sizes()}"
        enlarged = self.count_enlarged(shape)
        told = f"; {enlarged:,} of them are smaller and would be enlarged" if enlarged else ""
        yield f"they become {_format_shape(shape)}{told}"
        if unread := len(self.collection.pictures) - len(self.heads):
            yield f"{unread:,} files cannot be read as pictures and are left out"
        yield from self.collection.notes

    def _describe_classes(self) -> str:
        names = self.collection.classes
        if not names:
            return "no classes: whatever needs none works"
        labels = [picture.label for picture in self.collection.pictures]
        counts = (
            [sum(label[k] for label in labels if isinstance(label, tuple)) for k in range(len(names))]
            if self.collection.multilabel
            else [labels.count(k) for k in range(len(names))]
        )
        shown = ", ".join(f"{n} {c:,}" for n, c in list(zip(names, counts, strict=True))[:MAX_NAMED_CLASSES])
        what = "attributes" if self.collection.multilabel else "classes"
        return f"{len(names)} {what}: {shown}{', …' if len(names) > MAX_NAMED_CLASSES else ''}"

    def _describe_sizes(self) -> str:
        sizes = Counter((head.width, head.height) for head in self.heads.values())
        shown = ", ".join(f"{w}×{h} ({c:,})" for (w, h), c in sizes.most_common(MAX_NAMED_SIZES))
        return f"{shown}{f' and {len(sizes) - MAX_NAMED_SIZES:,} more' if len(sizes) > MAX_NAMED_SIZES else ''}"


def survey_pictures(collection: PictureCollection) -> WorldSurvey:
    """Read the head of every file, and propose a shape."""
    found = {picture.path: read_picture_head(picture.path) for picture in collection.pictures}
    heads = {path: head for path, head in found.items() if head is not None}
    if not heads:
        raise UserError("None of the files can be read as a picture; save them as PNG or JPEG.")
    return WorldSurvey(collection, heads, propose_shape(heads.values()))


def propose_shape(heads: Iterable[PictureHead]) -> ImageShape:
    """Propose the power of two at or below the median short side, within limits; 28 × 28 stays, and so does grey."""
    heads = list(heads)
    channels = 1 if all(head.is_grey for head in heads) else 3
    if all((head.height, head.width) == MNIST_SHAPE[1:] for head in heads):
        return channels, *MNIST_SHAPE[1:]
    median = statistics.median_low([min(head.width, head.height) for head in heads])
    side = min(max(1 << (median.bit_length() - 1), MIN_SIDE), MAX_SIDE)
    return channels, side, side


def _format_shape(shape: ImageShape) -> str:
    channels, height, width = shape
    return f"{width}×{height} pixels, {'grey' if channels == 1 else 'colour'}"
