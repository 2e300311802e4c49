"""Every projection: seeds, places of new points, and what cannot be laid out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.knobs import list_settings
from latentlab.projections import (
    PROJECTIONS,
    UMAP,
    FittedProjection,
    PaCMAP,
    Projection,
)


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
