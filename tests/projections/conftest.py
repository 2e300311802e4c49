"""Points to lay out, and each projection of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from latentlab.projections import PROJECTIONS, FittedProjection


@pytest.fixture(scope="package")
def points() -> Tensor:
    """Three clouds of 60 in 12 dimensions, far apart."""
    rng = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(3, 12, generator=rng)
    return centres.repeat_interleave(60, 0) + torch.randn(180, 12, generator=rng)


@pytest.fixture(scope="package", params=["pca", "pacmap", pytest.param("umap", marks=pytest.mark.slow)])
def fitted(request: pytest.FixtureRequest, points: Tensor) -> FittedProjection:
    return PROJECTIONS[request.param]().fit(points)
