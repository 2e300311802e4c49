"""Projections: seeds, places of new points, what is kept on disk, and quality against scikit-learn and by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from repository import ROOT
from sklearn import decomposition
from sklearn.datasets import make_swiss_roll
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from latentlab.errors import UserError
from latentlab.knobs import list_settings
from latentlab.projections import (
    PCA,
    PROJECTIONS,
    UMAP,
    FittedProjection,
    PaCMAP,
    Projection,
    ProjectionCache,
    find_nearest,
    measure_projection,
)
from latentlab.projections.neighbours import find_neighbours, find_neighbours_among
from latentlab.projections.pca import find_principal_axes
from latentlab.projections.quality import measure_preservation

FOUR_THREADS = """
import sys, torch
from threading import Thread
from latentlab.projections import UMAP
points = torch.randn(80, 12, generator=torch.Generator().manual_seed(0))
found = {}
def work(number):
    fitted = UMAP(neighbours=5).fit(points)
    found[number] = fitted.coordinates, fitted.transform(points[:9] + 0.1)
threads = [Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 4
assert all(torch.equal(a, b) for other in found.values() for a, b in zip(found[0], other))
import numba
print(numba.threading_layer())
"""


@pytest.fixture(scope="module")
def points() -> Tensor:
    """Three clouds of 60 in 12 dimensions, far apart."""
    rng = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(3, 12, generator=rng)
    return centres.repeat_interleave(60, 0) + torch.randn(180, 12, generator=rng)


@pytest.fixture(scope="module", params=["pca", "pacmap", pytest.param("umap", marks=pytest.mark.slow)])
def fitted(request: pytest.FixtureRequest, points: Tensor) -> FittedProjection:
    return PROJECTIONS[request.param]().fit(points)


def test_every_tool_is_a_projection_with_dims_of_two_or_three():
    for cls in PROJECTIONS.values():
        tool = cls()
        assert isinstance(tool, Projection)
        dims = list_settings(cls)[0]
        assert (dims.name, dims.knob.low, dims.knob.high) == ("dims", 2, 3)


def test_the_same_seed_gives_the_same_places(fitted: FittedProjection, points: Tensor):
    assert torch.equal(type(fitted.projection)().fit(points).coordinates, fitted.coordinates)


@pytest.mark.parametrize("cls", [PaCMAP, pytest.param(UMAP, marks=pytest.mark.slow)])
def test_another_seed_gives_other_places(cls: type[Projection], points: Tensor):
    assert not torch.equal(cls(seed=1).fit(points).coordinates, cls(seed=2).fit(points).coordinates)


@pytest.mark.parametrize("name", ["pca", "pacmap", pytest.param("umap", marks=pytest.mark.slow)])
def test_three_dimensions_are_three_finite_columns(name: str, points: Tensor):
    coordinates = PROJECTIONS[name](dims=3).fit(points).coordinates
    assert coordinates.shape == (180, 3)
    assert coordinates.isfinite().all()


def test_points_of_the_fit_keep_their_own_place(fitted: FittedProjection, points: Tensor):
    assert torch.allclose(fitted.transform(points), fitted.coordinates, atol=1e-4)


def test_a_point_has_the_same_place_alone_and_in_company(fitted: FittedProjection, points: Tensor):
    moved = points[::7] + 0.5
    whole = fitted.transform(moved)
    single = torch.cat([fitted.transform(one[None]) for one in moved])
    assert torch.allclose(whole, single, atol=1e-4)
    assert torch.allclose(fitted.transform(moved.flip(0)).flip(0), whole, atol=1e-4)


def test_the_fit_and_the_transform_leave_the_points_as_they_were(fitted: FittedProjection, points: Tensor):
    before = points.clone()
    fitted.transform(points[:5])
    fitted.projection.fit(points[:100])
    assert torch.equal(points, before)


def test_a_moved_point_lands_among_its_own(fitted: FittedProjection, points: Tensor):
    moved = fitted.transform(points + 0.2)
    nearest_row = torch.cdist(moved, fitted.coordinates).argmin(1)
    assert (nearest_row // 60 == torch.arange(180) // 60).float().mean() > 0.98


def test_a_path_of_points_is_a_path_in_the_plane(fitted: FittedProjection, points: Tensor):
    """Steps a hundred times as fine make jumps a good deal smaller: there is none that stays."""
    a, b = points[0], points[70]

    def jump(count: int) -> float:
        weights = torch.linspace(0, 0.02, count, dtype=torch.double)[:, None]
        path = fitted.transform((a + weights * (b - a)).float())
        return path.diff(dim=0).norm(dim=1).max().item()

    assert jump(1001) < 0.1 * jump(11)


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


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (torch.zeros(200, 0), "one row of numbers a point"),
        (torch.full((200, 3), torch.nan), "not finite"),
        (torch.zeros(2, 3), "takes from"),
    ],
)
@pytest.mark.parametrize("name", PROJECTIONS)
def test_points_that_cannot_be_laid_out_are_refused(name: str, bad: Tensor, word: str):
    with pytest.raises(UserError, match=word):
        PROJECTIONS[name]().fit(bad)


def test_points_of_another_space_are_refused(fitted: FittedProjection):
    with pytest.raises(UserError, match="5 coordinates, the projection 12"):
        fitted.transform(torch.zeros(2, 5))


def test_points_that_are_all_the_same_are_refused():
    with pytest.raises(UserError, match="the same point"):
        PaCMAP().fit(torch.ones(100, 4))


def test_what_is_kept_comes_back_the_same_and_moves_points_the_same(
    fitted: FittedProjection, points: Tensor, tmp_path: Path
):
    cache = ProjectionCache(tmp_path)
    assert cache.read_fitted(fitted.projection, points) is None
    cache.write_fitted(fitted)
    again = cache.read_fitted(fitted.projection, points)
    assert again is not None
    assert torch.equal(again.coordinates, fitted.coordinates)
    assert torch.equal(again.transform(points[:9] + 0.3), fitted.transform(points[:9] + 0.3))


def test_other_points_or_knobs_are_another_projection(points: Tensor, tmp_path: Path):
    cache = ProjectionCache(tmp_path)
    cache.write_fitted(PCA().fit(points))
    changed = points.clone()
    changed[3, 4] += 1e-3
    assert cache.read_fitted(PCA(), changed) is None
    assert cache.read_fitted(PCA(), points.reshape(90, 24)) is None
    assert cache.read_fitted(PCA(dims=3), points) is None
    assert cache.read_fitted(PaCMAP(), points) is None


@pytest.mark.parametrize("place", [20, -3])
def test_a_file_that_was_changed_is_refused_by_name(place: int, points: Tensor, tmp_path: Path):
    cache = ProjectionCache(tmp_path)
    cache.write_fitted(PCA().fit(points))
    (path,) = tmp_path.iterdir()
    bytes_ = bytearray(path.read_bytes())
    bytes_[place] ^= 0x41
    path.write_bytes(bytes_)
    with pytest.raises(UserError, match=path.name):
        cache.read_fitted(PCA(), points)


def test_a_file_of_another_projection_is_not_taken(points: Tensor, tmp_path: Path):
    cache = ProjectionCache(tmp_path)
    two, three = PCA().fit(points), PCA(dims=3).fit(points)
    cache.write_fitted(two)
    cache.locate_file(three.projection, three.digest).write_bytes(
        cache.locate_file(two.projection, two.digest).read_bytes()
    )
    with pytest.raises(UserError, match="not as it was written"):
        cache.read_fitted(PCA(dims=3), points)


def test_only_the_newest_are_kept(points: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("latentlab.projections.cache.KEPT", 2)
    cache = ProjectionCache(tmp_path)
    for rows in (100, 120, 140):
        cache.write_fitted(PCA().fit(points[:rows]))
    assert cache.read_fitted(PCA(), points[:100]) is None
    assert cache.read_fitted(PCA(), points[:140]) is not None
    assert len(list(tmp_path.iterdir())) == 2


def test_the_package_is_there_without_a_compiler():
    heavy = "print({'numba', 'umap', 'sklearn', 'plotly'} & set(__import__('sys').modules))"
    code = f"import latentlab.projections, latentlab.toys, latentlab.spaces; {heavy}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "set()", run.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core has one thread either way")
def test_umap_leaves_torchs_threads_as_they_were(points: Tensor):
    assert torch.get_num_threads() == 1, "as for all tests"
    UMAP().fit(points)
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_four_threads_at_once_do_not_abort_under_the_workqueue_layer():
    environment = {"NUMBA_THREADING_LAYER": "workqueue", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", FOUR_THREADS], capture_output=True, text=True, env=environment, timeout=600
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "workqueue"
