"""How much of the neighbourhoods a picture keeps, and how far moved points are from the real ones."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from latentlab import chance
from latentlab.errors import UserError
from latentlab.projections.fitted import Plane, checked
from latentlab.projections.neighbours import Places, among, neighbours
from latentlab.types import Flat


@dataclass(frozen=True)
class Quality:
    """Trustworthiness: 1 where no stranger stands among a point's neighbours in the plane (Venna and Kaski 2001).
    Preservation: the mean share of a point's neighbours that are its neighbours in the plane as well.
    Both among so many of the points, drawn evenly."""

    trustworthiness: float
    preservation: float
    neighbours: int
    points: int


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest real points of each moved one, nearest first."""

    distances: Float[Tensor, "M k"]
    rows: Int[Tensor, "M k"]


def quality(points: Flat, coordinates: Plane, neighbours: int = 15, at_most: int = 2000, seed: int = 0) -> Quality:
    from sklearn.manifold import trustworthiness

    rows = chance.permutation(len(points), chance.seeded(seed))[:at_most]
    if not 1 <= neighbours < len(rows) / 2:
        raise UserError(f"neighbours is {neighbours}; of {len(rows)} points it must be at least 1 and fewer than half.")
    space, plane = checked(points[rows], least=3), checked(coordinates[rows], least=3)
    return Quality(
        float(trustworthiness(space.numpy(), plane.numpy(), n_neighbors=neighbours)),
        preservation(space, plane, neighbours),
        neighbours,
        len(rows),
    )


def preservation(space: Flat, plane: Plane, count: int) -> float:
    """Mean of |N_k(x) ∩ N_k(y)| / k."""
    there, here = among(space, count)[1], among(plane, count)[1]
    return float((there[:, :, None] == here[:, None, :]).any(2).float().mean())


def nearest(points: Flat, reference: Places, count: int = 1) -> Near:
    """Euclidean distances in the full space, exact."""
    reference = checked(reference, least=count)
    points = checked(points, least=1)
    if points.shape[1] != reference.shape[1]:
        raise UserError(f"The points have {points.shape[1]} coordinates, the real ones {reference.shape[1]}.")
    return Near(*neighbours(points, reference, count))
