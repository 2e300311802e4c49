"""This module says how much of the neighbourhoods a picture keeps, and how far moved points are from the real ones."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from latentlab import chance
from latentlab.errors import UserError
from latentlab.projections.fitted import PlaneCoordinates, check_points
from latentlab.projections.neighbours import ReferencePoints, find_neighbours, find_neighbours_among
from latentlab.types import Flat


@dataclass(frozen=True)
class ProjectionQuality:
    """Trustworthiness: 1 where no stranger stands among a point's neighbours in the plane (Venna and Kaski 2001).
    Preservation: the mean share of a point's neighbours that are its neighbours in the plane as well.
    Both among so many of the points, drawn evenly."""

    trustworthiness: float
    preservation: float
    neighbours: int
    points: int


@dataclass(frozen=True, eq=False)
class NearestPoints:
    """The nearest real points of each moved one, nearest first."""

    distances: Float[Tensor, "M k"]
    rows: Int[Tensor, "M k"]


def measure_projection(
    points: Flat, coordinates: PlaneCoordinates, neighbours: int = 15, at_most: int = 2000, seed: int = 0
) -> ProjectionQuality:
    from sklearn.manifold import trustworthiness

    rows = chance.draw_permutation(len(points), chance.make_generator(seed))[:at_most]
    if not 1 <= neighbours < len(rows) / 2:
        raise UserError(f"neighbours is {neighbours}; of {len(rows)} points it must be at least 1 and fewer than half.")
    space, plane = check_points(points[rows], least=3), check_points(coordinates[rows], least=3)
    return ProjectionQuality(
        float(trustworthiness(space.numpy(), plane.numpy(), n_neighbors=neighbours)),
        measure_preservation(space, plane, neighbours),
        neighbours,
        len(rows),
    )


def measure_preservation(space: Flat, plane: PlaneCoordinates, count: int) -> float:
    """Return the mean of |N_k(x) ∩ N_k(y)| / k."""
    there, here = find_neighbours_among(space, count)[1], find_neighbours_among(plane, count)[1]
    return float((there[:, :, None] == here[:, None, :]).any(2).float().mean())


def find_nearest(points: Flat, reference: ReferencePoints, count: int = 1) -> NearestPoints:
    """Find the nearest points of the reference by exact Euclidean distances in the full space."""
    reference = check_points(reference, least=count)
    points = check_points(points, least=1)
    if points.shape[1] != reference.shape[1]:
        raise UserError(f"The points have {points.shape[1]} coordinates, the real ones {reference.shape[1]}.")
    return NearestPoints(*find_neighbours(points, reference, count))
