"""Principal components: the plane in which the points spread most."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab import chance
from latentlab.knobs import Knob, tool
from latentlab.projections.fitted import Fitted, Progress, checked, digest, framed
from latentlab.types import Flat

EXACT = 1024  # coordinates up to which the covariance is taken apart as a whole
SPARE, ROUNDS = 10, 4  # of the randomised search for the first axes


@tool
class PCA:
    """At once, and linear: distances along the first axes are true, the others are not seen."""

    dims: Annotated[int, Knob("axes of the picture", 2, 3)] = 2

    def fit(self, points: Flat, progress: Progress = lambda stage, share: None) -> Fitted:
        points = checked(points, least=self.dims + 1)
        frame, coordinates = framed(points, self.dims)
        progress("axes", 1.0)
        return Fitted(self, digest(points), coordinates, frame)


def principal(centred: Flat, count: int) -> Float[Tensor, "D count"]:
    """The first axes as columns, the widest first, each with its largest entry positive: the same at every fit."""
    axes = _exact(centred) if centred.shape[1] <= EXACT else _searched(centred, count)
    axes = axes[:, :count]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return (axes * torch.where(largest < 0, -1.0, 1.0)).contiguous()


def _exact(centred: Flat) -> Float[Tensor, "D D"]:
    return torch.linalg.eigh((centred.T @ centred).double()).eigenvectors.flip(1).float()


def _searched(centred: Flat, count: int) -> Float[Tensor, "D C"]:
    """Power iterations on a random subspace (Halko, Martinsson and Tropp 2011, algorithm 4.4)."""
    width = min(count + SPARE, *centred.shape)
    start = chance.normal((centred.shape[1], width), chance.seeded(0))
    basis = torch.linalg.qr(centred @ start).Q
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(centred @ torch.linalg.qr(centred.T @ basis).Q).Q
    return torch.linalg.svd(basis.T @ centred, full_matrices=False).Vh.T
