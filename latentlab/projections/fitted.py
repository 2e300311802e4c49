"""This module holds a projection as data: settings, hash of the points, where they lie, and where others would."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.errors import UserError
from latentlab.projections.neighbours import find_neighbours
from latentlab.types import Flat

MAX_PROJECTED_POINTS = 100_000  # points
StageReporter = Callable[[str, float], None]  # the stage's name and its share that is done; may raise to stop the fit
PlaneCoordinates = Float[Tensor, "B P"]  # P is 2 or 3


@runtime_checkable
class Projection(Protocol):
    """A tool whose knobs say how points are laid out."""

    @property
    def dims(self) -> int: ...

    def fit(self, points: Flat, progress: StageReporter = ...) -> FittedProjection: ...


@runtime_checkable
class NeighbourProjection(Projection, Protocol):
    """A projection that knows its points by their neighbours alone."""

    @property
    def neighbours(self) -> int: ...

    @property
    def metric(self) -> Literal["euclidean", "cosine"]: ...


@dataclass(frozen=True, eq=False)
class PrincipalFrame:
    """The coordinates that a projection works in: centred, turned to the principal axes, rows first made of unit length
    where angles count instead of distances."""

    mean: Float[Tensor, " D"]
    axes: Float[Tensor, "D C"]
    unit: bool = False

    def __call__(self, points: Flat) -> Float[Tensor, "B C"]:
        return ((_normalise_rows(points) if self.unit else points) - self.mean) @ self.axes


@dataclass(frozen=True, eq=False)
class FittedProjection:
    """It says where the points lie. `anchors` are the points in the frame; None where the frame is the plane itself."""

    projection: Projection
    digest: str
    coordinates: Float[Tensor, "N P"]
    frame: PrincipalFrame
    anchors: Float[Tensor, "N C"] | None = None

    def transform(self, points: Flat) -> PlaneCoordinates:
        """Return the places of these points, each on its own; a point of the fit keeps its place.

        PCA is linear. In the others a point lies at the mean of its nearest points' places under the weights
        ((R − d) / (R d))², d their distances and R that of the first left out (Franke and Little, in Barnhill 1977):
        a path of points is a path in the plane, without jumps. It cannot leave the hull of its neighbours' places.
        """
        points = check_points(points, least=1)
        if points.shape[1] != len(self.frame.mean):
            raise UserError(
                f"The points have {points.shape[1]} coordinates, the projection {len(self.frame.mean)}; fit it again."
            )
        framed = self.frame(points)
        if self.anchors is None or not isinstance(self.projection, NeighbourProjection):
            return framed
        return _interpolate_places(framed, self.anchors, self.coordinates, self.projection.neighbours)


def _interpolate_places(
    points: Flat, anchors: Float[Tensor, "N C"], places: Float[Tensor, "N P"], count: int
) -> PlaneCoordinates:
    distances, rows = find_neighbours(points, anchors, count + 1)
    distances, rows, edge = distances[:, :-1].double(), rows[:, :-1], distances[:, -1:].double()
    here = distances[:, :1] <= 1e-6 * edge  # on one of them, but for rounding
    weights = ((edge - distances) / (edge * distances).clamp_min(1e-30)).square()
    weights = torch.where(here, 0.0, weights + 1e-30)  # all as far as the edge: all alike
    weights[:, :1] += here
    return ((weights / weights.sum(1, keepdim=True))[:, :, None] * places[rows]).sum(1).float()


def fit_frame(points: Flat, most: int, unit: bool = False) -> tuple[PrincipalFrame, Float[Tensor, "B C"]]:
    """Return the frame of the first principal components, `most` of them or all there are, and the points in it."""
    from latentlab.projections.pca import find_principal_axes

    rows = _normalise_rows(points) if unit else points
    mean = rows.mean(0)
    frame = PrincipalFrame(mean, find_principal_axes(rows - mean, min(most, rows.shape[1])), unit)
    return frame, frame(points)


def _normalise_rows(points: Flat) -> Flat:
    return points / points.norm(dim=1, keepdim=True).clamp_min(1e-12)


def check_points(points: Tensor, least: int) -> Flat:
    """Return the points as a finite matrix on the CPU in fp32, of at least so many rows, or refuse them."""
    if points.ndim != 2 or not points.shape[1]:
        raise UserError(f"The points have shape {list(points.shape)}; give one row of numbers a point.")
    if not least <= len(points) <= MAX_PROJECTED_POINTS:
        raise UserError(
            f"There are {len(points):,} points; this takes from {least} to {MAX_PROJECTED_POINTS:,}. Choose other rows."
        )
    plain = points.detach().to("cpu", torch.float32).contiguous()
    if not plain.isfinite().all():
        raise UserError("Some of the points are not finite; choose another model or other images.")
    return plain


def digest_points(points: Flat) -> str:
    """Return 32 hex digits that change with any of the numbers."""
    plain = points.detach().to("cpu", torch.float32).contiguous()
    shape = str(tuple(plain.shape)).encode()
    return hashlib.blake2b(plain.numpy().data.cast("B"), digest_size=16, salt=shape[:16]).hexdigest()
