"""The points of a map in their space and in the plane: how far apart they are, and how the plane is turned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latentlab.projections import FittedProjection, ProjectionQuality, find_nearest
from latentlab.projections.fitted import PlaneCoordinates
from latentlab.types import Flat

SPACING_SAMPLE = 500  # real points whose nearest neighbours say what distance is usual

PlaneTransform = Float[Tensor, "P P"]


@dataclass(frozen=True, eq=False)
class EmbeddedPoints:
    """The points of a plan in their space, and how far a real one usually is from the next."""

    points: Flat
    typical: float  # median distance to the nearest other
    far: float  # 95 % of the points have one nearer
    pictures: UInt8[Tensor, "N C H W"] | None = None  # of samples, which are costly to draw again


@dataclass(frozen=True, eq=False)
class Layout:
    """A projection, how good it is, and how it is turned and scaled to lie as the principal components do.

    So a better picture takes the place of the first without a jump, and a zoom keeps its meaning.
    """

    fitted: FittedProjection
    quality: ProjectionQuality | None  # None while not all points are there
    turn: PlaneTransform

    @property
    def plane_points(self) -> PlaneCoordinates:
        """Return where the plan's points lie in the picture."""
        return self._turn_points(self.fitted.coordinates)

    def place_points(self, points: Flat) -> PlaneCoordinates:
        """Return where these points of the full space lie in the picture."""
        return self._turn_points(self.fitted.transform(points))

    def _turn_points(self, places: PlaneCoordinates) -> PlaneCoordinates:
        """Return the points centred, turned and scaled as the layout lies."""
        return (places - self.fitted.coordinates.mean(0)) @ self.turn


def make_unit_scale(places: PlaneCoordinates) -> PlaneTransform:
    """Return the scale that gives the places the root mean square 1 around their mean."""
    size = (places - places.mean(0)).square().sum(1).mean().sqrt()
    return torch.eye(places.shape[1]) / size.clamp_min(1e-12)


def align_places(places: PlaneCoordinates, others: PlaneCoordinates) -> PlaneTransform:
    """Return the transform to root mean square 1, turned or mirrored to lie nearest to the others.

    This is orthogonal Procrustes.
    """
    centred = places - places.mean(0)
    u, _, v = torch.linalg.svd(centred.T @ (others - others.mean(0)))
    return u @ v @ make_unit_scale(places)


def measure_spacing(points: Flat) -> tuple[float, float]:
    """Return median and 95th percentile of a real point's distance to the nearest other.

    An even choice of the points is measured.
    """
    some = points[:: max(1, len(points) // SPACING_SAMPLE)]
    median, far = find_nearest(some, points, 2).distances[:, 1].quantile(torch.tensor([0.5, 0.95])).tolist()
    return median, far
