"""The map without a page: layouts, colours, selections, and where moved images land."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import torch

from latentlab.errors import UserError
from latentlab.operators import Noise
from latentlab.projections import PCA, PaCMAP
from latentlab.session import Session, Workspace, apply_move, choose_networks, open_world
from latentlab.session.map.coloring import Colouring
from latentlab.session.map.overlays import (
    find_nearest_points,
    match_two_sets,
    move_selection,
    select_lasso,
    trace_paths,
    trace_workbench,
)
from latentlab.session.map.plan import MapPlan, choose_first_plan
from latentlab.session.map.service import MapMaker
from latentlab.session.map.sprite import draw_sprite_sheet
from latentlab.store import Store


@pytest.fixture(scope="module")
def atlas(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapMaker]:
    made = MapMaker(workspace, tmp_path_factory.mktemp("projections"))
    yield made
    made.worker.close()


@pytest.fixture(scope="module")
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


def plan_of(space: str = "digits-resnet", source: str = "test", count: int = 250) -> Any:
    return MapPlan("digits", space, source, count)  # type: ignore[arg-type]


def await_map(atlas: MapMaker, plan: Any, tool: Any = None, kind: str = "label", seconds: float = 120) -> Any:
    """The map when nothing more is being computed."""
    classifier = "digits-resnet" if kind in ("prediction", "correctness", "loss") else ""
    end = monotonic() + seconds
    while monotonic() < end:
        sight = atlas.request_map(plan, tool or PCA(), Colouring(kind, classifier))
        if not sight.pending:
            return sight
        sleep(0.02)
    raise AssertionError(f"still {sight.pending}")


def test_the_first_map_is_of_test_images_in_the_features_of_the_classifier(
    workspace: Workspace, session: Session
) -> None:
    plan, line = choose_first_plan(workspace, session)
    assert (plan.space, plan.source, line) == ("digits-resnet", "test", "")
    assert plan.count <= len(workspace.load_dataset("digits").test)


def test_without_data_the_map_is_of_samples_and_says_so(
    small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in small_world.glob("digits-vae*"):
        card = file.read_bytes().replace(b'\\"data\\": \\"digits\\"', b'\\"data\\": \\"nowhre\\"')
        (tmp_path / "nowhre-vae.safetensors").write_bytes(card)
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    workspace = Workspace(Store(tmp_path, "cpu"))
    plan, line = choose_first_plan(workspace, open_world(workspace, "nowhre"))
    assert plan.source == "drawn"
    assert "samples drawn from nowhre-vae" in line
    atlas = MapMaker(workspace, tmp_path)
    assert await_map(atlas, plan, kind="cluster").layout.plane_points.shape == (plan.count, 2)
    images, _ = atlas.load_images(plan, [3, 7])
    torch.testing.assert_close(
        images[1:], workspace.draw_sample("nowhre-vae", 7, 0.7).image, atol=1 / 255 + 1e-6, rtol=0
    )


def test_points_of_a_map_are_what_the_network_gives_for_each_image(workspace: Workspace, atlas: MapMaker) -> None:
    sight = await_map(atlas, plan_of("digits-vae"))
    images, _ = workspace.load_rows("digits", "test", [0, 100, 249])
    own = workspace.store.load("digits-vae").encode(images).flat
    torch.testing.assert_close(sight.ground.points[[0, 100, 249]], own, atol=1e-4, rtol=1e-4)


def test_the_colours_are_what_they_say(workspace: Workspace, atlas: MapMaker) -> None:
    plan = plan_of()
    images, labels = workspace.load_rows("digits", "test", range(250))
    logits = workspace.store.load("digits-resnet")(images)
    assert await_map(atlas, plan, kind="label").values.numbers.equal(labels)
    assert await_map(atlas, plan, kind="prediction").values.numbers.equal(logits.argmax(1))
    wrong = await_map(atlas, plan, kind="correctness").values
    assert wrong.names[1] == "wrong"
    assert wrong.numbers.bool().equal(logits.argmax(1) != labels)
    loss = await_map(atlas, plan, kind="loss").values.numbers
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, labels, reduction="none"))
    assert set(await_map(atlas, plan, kind="cluster").values.numbers.tolist()) <= set(range(10))


def test_samples_have_no_label_and_the_line_says_what_they_have(atlas: MapMaker) -> None:
    sight = await_map(atlas, plan_of(source="drawn"), kind="label")
    assert "prediction" in sight.why
    assert sight.layout is not None


def test_too_many_images_are_refused_in_one_line(atlas: MapMaker) -> None:
    sight = await_map(atlas, plan_of(count=50_000))
    assert "choose at most so many" in sight.why


def test_a_better_layout_lies_as_the_first_one_does(atlas: MapMaker) -> None:
    first, better = await_map(atlas, plan_of()), await_map(atlas, plan_of(), PaCMAP())
    a, b = first.layout.plane_points, better.layout.plane_points
    for places in (a, b):
        assert float(places.square().sum(1).mean()) == pytest.approx(1, abs=1e-3)
    u, _, v = torch.linalg.svd(b.T @ a)
    torch.testing.assert_close(u @ v, torch.eye(2), atol=1e-3, rtol=0)  # no turn would bring them nearer
    own = better.layout.place_points(better.ground.points[:5])
    torch.testing.assert_close(own, b[:5], atol=1e-5, rtol=0)


def test_a_cancelled_layout_stops_and_the_first_one_stays(atlas: MapMaker) -> None:
    plan, tool, shade = plan_of("digits-vae"), PaCMAP(seed=7), Colouring("nothing")
    await_map(atlas, plan, kind="nothing")
    atlas.request_map(plan, tool, shade)
    atlas.cancel_map(plan, tool, shade)
    sight = await_map(atlas, plan, tool, "nothing")
    assert "cancelled" in sight.why
    assert isinstance(sight.layout.fitted.projection, PCA)


def test_no_move_lands_where_the_image_is(atlas: MapMaker, session: Session) -> None:
    plan = plan_of()
    still = apply_move(
        atlas.workspace, choose_networks(atlas.workspace, session, model="digits-glow"), Noise(epsilon=0.0)
    )
    found = move_selection(atlas, still, plan, await_map(atlas, plan).ground)
    torch.testing.assert_close(found.ends, found.starts, atol=1e-2, rtol=1e-2)
    assert float(found.near.max()) < 0.05 * float(found.before.median())


def test_a_far_move_is_off_the_data_and_costs_bits(atlas: MapMaker, session: Session) -> None:
    plan = plan_of("digits-pixels")
    far = apply_move(
        atlas.workspace, choose_networks(atlas.workspace, session, model="digits-pixels"), Noise(epsilon=20.0)
    )
    ground = await_map(atlas, plan).ground
    found = move_selection(atlas, far, plan, ground, bits=True)
    assert float(found.near.min()) > ground.far > ground.typical
    before, after = found.bits
    assert sum(after) > sum(before)


def test_the_transport_plan_is_the_cheapest_of_all(atlas: MapMaker, session: Session) -> None:
    plan = plan_of()
    ground = await_map(atlas, plan).ground
    held = select_lasso(select_lasso(session, plan, range(5), False), plan, range(10, 15), True)
    found = match_two_sets(held, plan, ground)
    a, b = ground.points[:5], ground.points[10:15]
    best = min(float((a - b[list(order)]).square().sum(1).mean()) for order in permutations(range(5)))
    assert found.costs[0] == pytest.approx(best, rel=1e-5)
    assert found.costs[0] <= found.costs[1]


def test_pairs_of_one_set_alone_are_refused(atlas: MapMaker, session: Session) -> None:
    plan = plan_of()
    with pytest.raises(UserError, match="two sets"):
        match_two_sets(select_lasso(session, plan, range(5), False), plan, await_map(atlas, plan).ground)


def test_a_lasso_fills_the_set_that_is_asked_for_and_keeps_the_other(session: Session) -> None:
    plan = plan_of()
    held = select_lasso(select_lasso(session, plan, [3, 1, 3], False), plan, [9, 8], True).selection
    assert (held.rows, held.others) == ((1, 3), (8, 9))
    other = select_lasso(replace(session, selection=held), plan_of(source="train"), [5], True).selection
    assert (other.source, other.rows, other.others) == ("train", (), (5,))
    with pytest.raises(UserError, match="rows 0 to 249"):
        select_lasso(session, plan, [250], False)


def test_a_path_begins_at_the_first_mark_and_knows_its_distances(atlas: MapMaker, session: Session) -> None:
    plan = plan_of()
    (way,) = trace_paths(atlas, session, plan, await_map(atlas, plan).ground)
    assert len(way.words) == len(way.points) == len(way.near) == 7
    assert way.words[0] == "σ -3"


def test_each_picture_is_on_the_sheet_in_the_place_of_its_row(atlas: MapMaker) -> None:
    plan = plan_of(count=10)
    sheet, (images, _) = draw_sprite_sheet(atlas, plan), atlas.load_images(plan, plan.row_range)
    assert sheet.shape == (3, 3 * 32, 4 * 32)  # ten pictures in four columns
    for row, picture in enumerate(images):
        top, left = 32 * (row // 4), 32 * (row % 4)
        assert torch.equal(sheet[:, top : top + 32, left : left + 32], picture)


def test_the_nearest_points_are_those_of_all_distances_in_the_full_space(atlas: MapMaker, session: Session) -> None:
    ground = await_map(atlas, plan_of()).ground
    here = trace_workbench(atlas, session, plan_of(), ground)
    assert here is not None
    found = find_nearest_points(here, ground)
    for point, rows, distances in zip(here.points[[0, -1]], found.rows, found.distances, strict=True):
        every = (ground.points - point).norm(dim=1)
        assert torch.allclose(every[rows], distances, atol=1e-3)
        assert torch.allclose(every.sort().values[: len(rows)], distances, atol=1e-3)
