"""Principal axes against scikit-learn and against the exact ones."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import decomposition
from torch import Tensor

from latentlab.projections import (
    PCA,
)
from latentlab.projections.pca import find_principal_axes


def test_pca_is_scikit_learns_but_for_signs(points: Tensor):
    ours = PCA(dims=3).fit(points)
    theirs = decomposition.PCA(3).fit(points.numpy())
    assert np.allclose(ours.coordinates.abs(), np.abs(theirs.transform(points.numpy())), atol=1e-3)


def test_the_search_for_axes_in_many_dimensions_finds_the_exact_ones():
    rng = torch.Generator().manual_seed(0)
    wide = torch.randn(300, 5, generator=rng) * torch.tensor([9.0, 7.0, 5.0, 3.0, 2.0])
    wide = wide @ torch.randn(5, 1500, generator=rng) + 0.1 * torch.randn(300, 1500, generator=rng)
    wide -= wide.mean(0)
    exact = torch.linalg.svd(wide, full_matrices=False).Vh[:3].T
    assert torch.allclose((find_principal_axes(wide, 3) * exact).sum(0).abs(), torch.ones(3), atol=1e-4)
