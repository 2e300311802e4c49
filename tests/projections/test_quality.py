"""The quality of a picture against scikit-learn and by hand."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import make_swiss_roll
from sklearn.manifold import trustworthiness
from torch import Tensor

from latentlab.projections import (
    PCA,
    FittedProjection,
    PaCMAP,
    find_nearest,
    measure_projection,
)
from latentlab.projections.quality import measure_preservation


def test_nearest_gives_distances_and_rows_by_hand():
    near = find_nearest(torch.tensor([[0.0, 0.0], [9.0, 4.0]]), torch.tensor([[3.0, 4.0], [9.0, 0.0], [9.0, 5.0]]), 2)
    assert near.distances.tolist() == [[5.0, 9.0], [1.0, 4.0]]
    assert near.rows.tolist() == [[0, 1], [2, 1]]


def test_preservation_by_hand():
    """On a line 0, 1, 3, 7; in the plane the last two change places with the first: of two neighbours each."""
    space = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    plane = torch.tensor([[7.0], [1.0], [3.0], [0.0]])
    there = [{1, 2}, {0, 2}, {1, 0}, {2, 1}]
    here = [{2, 1}, {3, 2}, {1, 3}, {1, 2}]
    expected = sum(len(a & b) / 2 for a, b in zip(there, here, strict=True)) / 4
    assert expected == 0.75
    assert measure_preservation(space, plane, 2) == expected
    assert measure_preservation(space, space, 2) == 1


def test_quality_is_scikit_learns_and_is_taken_on_a_stated_number_of_points(fitted: FittedProjection, points: Tensor):
    whole = measure_projection(points, fitted.coordinates, 10)
    expected = trustworthiness(points.numpy(), fitted.coordinates.numpy(), n_neighbors=10)
    assert whole.trustworthiness == pytest.approx(expected, abs=1e-6)
    assert (whole.neighbours, whole.points) == (10, 180)
    assert whole.trustworthiness > 0.8
    part = measure_projection(points, fitted.coordinates, 10, at_most=100)
    assert part.points == 100
    assert part == measure_projection(points, fitted.coordinates, 10, at_most=100)
    assert part != whole


def test_pacmap_shows_a_roll_unrolled_where_pca_folds_it():
    roll = torch.from_numpy(make_swiss_roll(800, random_state=0)[0]).float()
    flat, folded = (measure_projection(roll, cls().fit(roll).coordinates, 10).preservation for cls in (PaCMAP, PCA))
    assert flat > folded + 0.15
