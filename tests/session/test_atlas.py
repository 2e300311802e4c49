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


@pytest.fixture(scope="module")
def atlas(desk: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from latentlab.session.atlas import Atlas

    made = Atlas(desk, tmp_path_factory.mktemp("projections"))
    yield made
    made.worker.close()


@pytest.fixture(scope="module")
def session(desk: Any) -> Any:
    from latentlab.session import open_world

    return open_world(desk, "digits")


def plan_of(space: str = "digits-resnet", source: str = "test", count: int = 250) -> Any:
    from latentlab.session.atlas import Plan

    return Plan("digits", space, source, count)  # type: ignore[arg-type]


def settled(atlas: Any, plan: Any, tool: Any = None, kind: str = "label", seconds: float = 120) -> Any:
    """The map when nothing more is being computed."""
    from latentlab.projections import PCA
    from latentlab.session.shades import Shade

    classifier = "digits-resnet" if kind in ("prediction", "correctness", "loss") else ""
    end = monotonic() + seconds
    while monotonic() < end:
        sight = atlas.look(plan, tool or PCA(), Shade(kind, classifier))
        if not sight.pending:
            return sight
        sleep(0.02)
    raise AssertionError(f"still {sight.pending}")


def test_the_first_map_is_of_test_images_in_the_features_of_the_classifier(desk: Any, session: Any) -> None:
    from latentlab.session.atlas import first_plan

    plan, line = first_plan(desk, session)
    assert (plan.space, plan.source, line) == ("digits-resnet", "test", "")
    assert plan.count <= len(desk.dataset("digits").test)


def test_without_data_the_map_is_of_samples_and_says_so(
    small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentlab.session import Desk, open_world
    from latentlab.session.atlas import Atlas, first_plan
    from latentlab.store import Store

    for file in small_world.glob("digits-vae*"):
        card = file.read_bytes().replace(b'\\"data\\": \\"digits\\"', b'\\"data\\": \\"nowhre\\"')
        (tmp_path / "nowhre-vae.safetensors").write_bytes(card)
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    desk = Desk(Store(tmp_path, "cpu"))
    plan, line = first_plan(desk, open_world(desk, "nowhre"))
    assert plan.source == "drawn"
    assert "samples drawn from nowhre-vae" in line
    atlas = Atlas(desk, tmp_path)
    assert settled(atlas, plan, kind="cluster").layout.places.shape == (plan.count, 2)
    images, _ = atlas.images(plan, [3, 7])
    torch.testing.assert_close(images[1:], desk.draw("nowhre-vae", 7, 0.7).image, atol=1 / 255 + 1e-6, rtol=0)


def test_points_of_a_map_are_what_the_network_gives_for_each_image(desk: Any, atlas: Any) -> None:
    sight = settled(atlas, plan_of("digits-vae"))
    images, _ = desk.rows("digits", "test", [0, 100, 249])
    own = desk.store.load("digits-vae").encode(images).flat
    torch.testing.assert_close(sight.ground.points[[0, 100, 249]], own, atol=1e-4, rtol=1e-4)


def test_the_colours_are_what_they_say(desk: Any, atlas: Any) -> None:
    plan = plan_of()
    images, labels = desk.rows("digits", "test", range(250))
    logits = desk.store.load("digits-resnet")(images)
    assert settled(atlas, plan, kind="label").values.numbers.equal(labels)
    assert settled(atlas, plan, kind="prediction").values.numbers.equal(logits.argmax(1))
    wrong = settled(atlas, plan, kind="correctness").values
    assert wrong.names[1] == "wrong"
    assert wrong.numbers.bool().equal(logits.argmax(1) != labels)
    loss = settled(atlas, plan, kind="loss").values.numbers
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, labels, reduction="none"))
    assert set(settled(atlas, plan, kind="cluster").values.numbers.tolist()) <= set(range(10))


def test_samples_have_no_label_and_the_line_says_what_they_have(atlas: Any) -> None:
    sight = settled(atlas, plan_of(source="drawn"), kind="label")
    assert "prediction" in sight.why
    assert sight.layout is not None


def test_too_many_images_are_refused_in_one_line(atlas: Any) -> None:
    sight = settled(atlas, plan_of(count=50_000))
    assert "choose at most so many" in sight.why


def test_a_better_layout_lies_as_the_first_one_does(atlas: Any) -> None:
    from latentlab.projections import PaCMAP

    first, better = settled(atlas, plan_of()), settled(atlas, plan_of(), PaCMAP())
    a, b = first.layout.places, better.layout.places
    for places in (a, b):
        assert float(places.square().sum(1).mean()) == pytest.approx(1, abs=1e-3)
    u, _, v = torch.linalg.svd(b.T @ a)
    torch.testing.assert_close(u @ v, torch.eye(2), atol=1e-3, rtol=0)  # no turn would bring them nearer
    own = better.layout.place(better.ground.points[:5])
    torch.testing.assert_close(own, b[:5], atol=1e-5, rtol=0)


def test_a_cancelled_layout_stops_and_the_first_one_stays(atlas: Any) -> None:
    from latentlab.projections import PCA, PaCMAP
    from latentlab.session.shades import Shade

    plan, tool, shade = plan_of("digits-vae"), PaCMAP(seed=7), Shade("nothing")
    settled(atlas, plan, kind="nothing")
    atlas.look(plan, tool, shade)
    atlas.cancel(plan, tool, shade)
    sight = settled(atlas, plan, tool, "nothing")
    assert "cancelled" in sight.why
    assert isinstance(sight.layout.fitted.projection, PCA)


def test_no_move_lands_where_the_image_is(atlas: Any, session: Any) -> None:
    from latentlab.operators import Noise
    from latentlab.session import act, choose
    from latentlab.session.drift import moves

    plan = plan_of()
    still = act(atlas.desk, choose(atlas.desk, session, model="digits-glow"), Noise(epsilon=0.0))
    found = moves(atlas, still, plan, settled(atlas, plan).ground)
    torch.testing.assert_close(found.ends, found.starts, atol=1e-2, rtol=1e-2)
    assert float(found.near.max()) < 0.05 * float(found.before.median())


def test_a_far_move_is_off_the_data_and_costs_bits(atlas: Any, session: Any) -> None:
    from latentlab.operators import Noise
    from latentlab.session import act, choose
    from latentlab.session.drift import moves

    plan = plan_of("digits-pixels")
    far = act(atlas.desk, choose(atlas.desk, session, model="digits-pixels"), Noise(epsilon=20.0))
    ground = settled(atlas, plan).ground
    found = moves(atlas, far, plan, ground, bits=True)
    assert float(found.near.min()) > ground.far > ground.typical
    before, after = found.bits
    assert sum(after) > sum(before)


def test_the_transport_plan_is_the_cheapest_of_all(atlas: Any, session: Any) -> None:
    from latentlab.session.drift import lassoed, pairs

    plan = plan_of()
    ground = settled(atlas, plan).ground
    held = lassoed(lassoed(session, plan, range(5), False), plan, range(10, 15), True)
    found = pairs(held, plan, ground)
    a, b = ground.points[:5], ground.points[10:15]
    best = min(float((a - b[list(order)]).square().sum(1).mean()) for order in permutations(range(5)))
    assert found.costs[0] == pytest.approx(best, rel=1e-5)
    assert found.costs[0] <= found.costs[1]


def test_pairs_of_one_set_alone_are_refused(atlas: Any, session: Any) -> None:
    from latentlab.errors import UserError
    from latentlab.session.drift import lassoed, pairs

    plan = plan_of()
    with pytest.raises(UserError, match="two sets"):
        pairs(lassoed(session, plan, range(5), False), plan, settled(atlas, plan).ground)


def test_a_lasso_fills_the_set_that_is_asked_for_and_keeps_the_other(session: Any) -> None:
    from latentlab.errors import UserError
    from latentlab.session.drift import lassoed

    plan = plan_of()
    held = lassoed(lassoed(session, plan, [3, 1, 3], False), plan, [9, 8], True).selection
    assert (held.rows, held.others) == ((1, 3), (8, 9))
    other = lassoed(replace(session, selection=held), plan_of(source="train"), [5], True).selection
    assert (other.source, other.rows, other.others) == ("train", (), (5,))
    with pytest.raises(UserError, match="rows 0 to 249"):
        lassoed(session, plan, [250], False)


def test_a_path_begins_at_the_first_mark_and_knows_its_distances(atlas: Any, session: Any) -> None:
    from latentlab.session.drift import paths

    plan = plan_of()
    (way,) = paths(atlas, session, plan, settled(atlas, plan).ground)
    assert len(way.words) == len(way.points) == len(way.near) == 7
    assert way.words[0] == "σ -3"
