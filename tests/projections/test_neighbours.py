"""Nearest neighbours against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from latentlab.projections.neighbours import find_neighbours, find_neighbours_among


def test_nearest_neighbours_are_scikit_learns(points: Tensor):
    reference, few = points[40:], points[:40]
    distances, rows = find_neighbours(few, reference, 7)
    expected, places = NearestNeighbors(n_neighbors=7).fit(reference.numpy()).kneighbors(few.numpy())
    assert np.allclose(distances, expected, atol=1e-4)
    assert (rows.numpy() == places).mean() > 0.99


def test_a_point_is_not_its_own_neighbour_even_where_it_has_a_twin():
    twins = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    distances, rows = find_neighbours_among(twins, 2)
    assert distances.tolist() == [[0, 1], [0, 1], [1, 1], [2, 3]]
    assert rows[0, 0] == 1
    assert rows[1, 0] == 0


def test_distances_far_from_the_origin_keep_their_digits():
    far = torch.tensor([[1e4, 0.0], [1e4, 0.25]])
    assert find_neighbours(far[:1], far[1:], 1)[0].item() == 0.25
