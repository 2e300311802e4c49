"""Principal components: the plane in which the points spread most."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab import chance
from latentlab.knobs import Knob, tool
from latentlab.projections.fitted import FittedProjection, StageReporter, check_points, digest_points, fit_frame
from latentlab.types import Flat

EXACT_DIMENSIONS = 1024  # coordinates up to which the covariance is taken apart as a whole
SPARE_AXES, POWER_ROUNDS = 10, 4  # of the randomised search for the first axes


@tool
class PCA:
    """It is there at once, and linear: distances along the first axes are true, the others are not seen."""

    dims: Annotated[int, Knob("axes of the picture", 2, 3)] = 2

    def fit(self, points: Flat, progress: StageReporter = lambda stage, share: None) -> FittedProjection:
        points = check_points(points, least=self.dims + 1)
        frame, coordinates = fit_frame(points, self.dims)
        progress("axes", 1.0)
        return FittedProjection(self, digest_points(points), coordinates, frame)


def find_principal_axes(centred: Flat, count: int) -> Float[Tensor, "D count"]:
    """Return the first axes as columns, the widest first, the largest entry of each positive: the same at every fit."""
    axes = _decompose_covariance(centred) if centred.shape[1] <= EXACT_DIMENSIONS else _search_subspace(centred, count)
    axes = axes[:, :count]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return (axes * torch.where(largest < 0, -1.0, 1.0)).contiguous()


def _decompose_covariance(centred: Flat) -> Float[Tensor, "D D"]:
    return torch.linalg.eigh((centred.T @ centred).double()).eigenvectors.flip(1).float()


def _search_subspace(centred: Flat, count: int) -> Float[Tensor, "D C"]:
    """Find the axes by power iterations on a random subspace (Halko, Martinsson and Tropp 2011, algorithm 4.4)."""
    width = min(count + SPARE_AXES, *centred.shape)
    start = chance.draw_normal((centred.shape[1], width), chance.make_generator(0))
    basis = torch.linalg.qr(centred @ start).Q
    for _ in range(POWER_ROUNDS):
        basis = torch.linalg.qr(centred @ torch.linalg.qr(centred.T @ basis).Q).Q
    return torch.linalg.svd(basis.T @ centred, full_matrices=False).Vh.T
