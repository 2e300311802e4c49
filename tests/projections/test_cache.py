"""What is kept on the disk comes back the same, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.projections import (
    PCA,
    FittedProjection,
    PaCMAP,
    ProjectionCache,
)


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
    monkeypatch.setattr("latentlab.projections.cache.MAX_CACHED_FILES", 2)
    cache = ProjectionCache(tmp_path)
    for rows in (100, 120, 140):
        cache.write_fitted(PCA().fit(points[:rows]))
    assert cache.read_fitted(PCA(), points[:100]) is None
    assert cache.read_fitted(PCA(), points[:140]) is not None
    assert len(list(tmp_path.iterdir())) == 2
