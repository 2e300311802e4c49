"""The table beside augmented pictures: a row a picture, what it was, whom it met, and what the classifier says."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from latentlab.chance import clone_generator
from latentlab.operators import LatentOperator, encode
from latentlab.types import Batch, Bench, Images, Operator

COLUMNS = (
    "id",
    "true class",
    "partner",
    "soft label",
    "prediction before",
    "confidence before",
    "prediction after",
    "confidence after",
    "distance",
    "file",
)


@dataclass(frozen=True)
class MovedPicture:
    """One row: the picture's place in its folder, and what became of it."""

    source: str
    true_class: str
    partner: str
    target: tuple[float, ...]
    before: tuple[str, float] | None  # the classifier's class and its probability
    after: tuple[str, float] | None
    distance: float  # Euclidean, of pixels in [0, 1]
    file: str

    def write_cells(self, classes: Sequence[str]) -> list[str]:
        shares = zip(classes, self.target, strict=False)
        label = ";".join(f"{name}={share:.6g}" for name, share in shares if name and share > 0)
        seen = [cell for sight in (self.before, self.after) for cell in _write_sight(sight)]
        return [self.source, self.true_class, self.partner, label, *seen, f"{self.distance:.6g}", self.file]


def _write_sight(sight: tuple[str, float] | None) -> tuple[str, str]:
    return ("", "") if sight is None else (sight[0], f"{sight[1]:.6g}")


@torch.no_grad()
def find_partners(operator: Operator, batch: Batch, bench: Bench) -> list[int | None]:
    """Return the row that each picture will meet, None where it meets none; no chance of the move is used up."""
    same, count = replace(bench, rng=clone_generator(bench.rng)), len(batch)
    if isinstance(operator, LatentOperator):
        found = (
            operator.find_partners(encode(bench.model, batch.images), batch, same) if operator.needs_partner else None
        )
        return [None] * count if found is None else [int(row) for row in found]
    # an operator of pixels looks at no label, so labels of rows show which ones it mixes
    weights = operator(Batch(batch.images, torch.eye(count, device=batch.images.device)), same).targets.fill_diagonal_(
        0
    )
    return [int(row.argmax()) if row.any() else None for row in weights]


@torch.no_grad()
def read_sights(bench: Bench, images: Images, classes: Sequence[str]) -> list[tuple[str, float] | None]:
    """Return the classifier's class of each picture and its probability; None where there is no classifier."""
    if bench.classifier is None:
        return [None] * len(images)
    shares, places = bench.classifier(images).softmax(1).max(1)
    return [(classes[int(place)], float(share)) for share, place in zip(shares, places, strict=True)]


def write_table(path: Path, classes: Sequence[str], rows: Iterable[MovedPicture]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(row.write_cells(classes) for row in rows)
