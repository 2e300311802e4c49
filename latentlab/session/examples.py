"""The example pictures of a world: those shipped in the project's assets, else some of its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from latentlab import images
from latentlab.resources import find_assets_folder
from latentlab.session.state import Picture, make_picture
from latentlab.types import ImageShape

EXAMPLES_FOLDER = find_assets_folder() / "examples"
EXAMPLE_COUNT = 8


def load_examples(folder: Path, world: str, shape: ImageShape) -> list[Picture]:
    """Load the shipped samples of a world; none where none are shipped."""
    files = sorted(folder.glob(f"{world}-*.png"))[:EXAMPLE_COUNT]
    pictures = [images.fit_to(images.read(file.read_bytes()), shape) for file in files]
    return [make_picture(picture, f"example {n}", f"example {n}") for n, picture in enumerate(pictures, 1)]


def choose_example_rows(labels: Tensor, count: int) -> list[int]:
    """Choose rows of classes by turns, each class's first ones first; of attributes, the first rows."""
    if labels.ndim > 1:
        return list(range(min(count, len(labels))))
    seen: Counter[int] = Counter()
    turns = []
    for row, label in enumerate(labels.tolist()):
        turns.append((seen[label], label, row))
        seen[label] += 1
    return [row for *_, row in sorted(turns)[:count]]


def draw_examples(draw: Callable[[int], Picture]) -> list[Picture]:
    """Draw as many samples as are usually shipped, by seed, and name them as examples."""
    return [replace(draw(seed), name=f"example {seed + 1}") for seed in range(EXAMPLE_COUNT)]
