"""Exact nearest neighbours in Euclidean distance, by blocks of rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab.types import Flat

DISTANCES_AT_ONCE = 2**24  # distances held at once: 64 MB

NeighbourDistances = Float[Tensor, "M k"]  # nearest first
ReferencePoints = Float[Tensor, "N D"]
NeighbourRows = Int[Tensor, "M k"]
ShareReporter = Callable[[float], None]  # told the share that is done


def find_neighbours(
    points: Flat, reference: ReferencePoints, count: int, step: ShareReporter | None = None
) -> tuple[NeighbourDistances, NeighbourRows]:
    """Find the nearest rows of the reference for each point."""
    return _search_blocks(points, reference, count, own=False, step=step)


def find_neighbours_among(
    points: Flat, count: int, step: ShareReporter | None = None
) -> tuple[NeighbourDistances, NeighbourRows]:
    """Find the nearest of the other points for each point."""
    return _search_blocks(points, points, count, own=True, step=step)


def _search_blocks(
    points: Flat, reference: ReferencePoints, count: int, own: bool, step: ShareReporter | None
) -> tuple[NeighbourDistances, NeighbourRows]:
    """Search block by block: squares by |a|² − 2 a·b + |b|² choose; the distances of the chosen are then taken without
    that cancellation.
    """
    centre = reference.mean(0)
    queries, places = points - centre, reference - centre
    squares = places.square().sum(1)
    found = []
    size = max(1, DISTANCES_AT_ONCE // len(places))
    for first in range(0, len(queries), size):
        few = queries[first : first + size]
        far = torch.addmm(squares, few, places.T, alpha=-2)  # |few|² is the same for a whole row
        if own:
            rows = torch.arange(len(few))
            far[rows, first + rows] = torch.inf
        found.append(_sort_by_distance(few, places, far.topk(count, largest=False, sorted=False).indices))
        if step is not None:
            step(min(1.0, (first + size) / len(queries)))
    distances, rows = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(rows)


def _sort_by_distance(
    few: Flat, places: ReferencePoints, rows: NeighbourRows
) -> tuple[NeighbourDistances, NeighbourRows]:
    size = max(1, DISTANCES_AT_ONCE // (8 * rows.shape[1] * few.shape[1]))
    parts = zip(few.split(size), rows.split(size), strict=True)
    distances = torch.cat([(places[chosen] - part[:, None]).norm(dim=2) for part, chosen in parts])
    order = distances.argsort(stable=True)
    return distances.gather(1, order), rows.gather(1, order)
