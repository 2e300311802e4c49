"""Exact nearest neighbours in Euclidean distance, by blocks of rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab.types import Flat

BLOCK = 2**24  # distances held at once: 64 MB

Distances = Float[Tensor, "M k"]  # nearest first
Places = Float[Tensor, "N D"]
Rows = Int[Tensor, "M k"]
Step = Callable[[float], None]  # told the share that is done


def neighbours(points: Flat, reference: Places, count: int, step: Step | None = None) -> tuple[Distances, Rows]:
    """For each point the nearest rows of the reference."""
    return _search(points, reference, count, own=False, step=step)


def among(points: Flat, count: int, step: Step | None = None) -> tuple[Distances, Rows]:
    """For each point the nearest of the others."""
    return _search(points, points, count, own=True, step=step)


def _search(points: Flat, reference: Places, count: int, own: bool, step: Step | None) -> tuple[Distances, Rows]:
    """Squares by |a|² − 2 a·b + |b|² choose; the distances of the chosen are then taken without that cancellation."""
    centre = reference.mean(0)
    queries, places = points - centre, reference - centre
    squares = places.square().sum(1)
    found = []
    size = max(1, BLOCK // len(places))
    for first in range(0, len(queries), size):
        few = queries[first : first + size]
        far = torch.addmm(squares, few, places.T, alpha=-2)  # |few|² is the same for a whole row
        if own:
            rows = torch.arange(len(few))
            far[rows, first + rows] = torch.inf
        found.append(_sorted(few, places, far.topk(count, largest=False, sorted=False).indices))
        if step is not None:
            step(min(1.0, (first + size) / len(queries)))
    distances, rows = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(rows)


def _sorted(few: Flat, places: Places, rows: Rows) -> tuple[Distances, Rows]:
    size = max(1, BLOCK // (8 * rows.shape[1] * few.shape[1]))
    parts = zip(few.split(size), rows.split(size), strict=True)
    distances = torch.cat([(places[chosen] - part[:, None]).norm(dim=2) for part, chosen in parts])
    order = distances.argsort(stable=True)
    return distances.gather(1, order), rows.gather(1, order)
