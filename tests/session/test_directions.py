"""Directions that one can see: the pictures of a row are those of the moves, and a link finds a local one again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import torch

from latentlab import datasets
from latentlab.operators import Shift
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    export_python,
    list_session_directions,
    make_link,
    open_link,
    open_world,
    preview_directions,
)
from latentlab.session.directions import PREVIEW_PLACES, describe_component
from latentlab.store import Store


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return choose_networks(workspace, open_world(workspace, "digits"), model="digits-vae")


@pytest.mark.parametrize("group", ["space", "picture"])
def test_a_row_shows_the_moves_that_its_slider_makes(workspace: Workspace, session: Session, group: str) -> None:
    """All terms but the row's own stay as they are, and its own stands at the picture's place."""
    session = apply_move(workspace, session, Shift(direction="1.5*pc2 + -1*local-1", amount=1.0))
    near = list_session_directions(workspace, session)
    names = near if group == "picture" else workspace.list_directions(session.model)[:3]
    shown = [preview for preview in preview_directions(workspace, session, names) if preview is not None]
    assert [preview.direction for preview in shown] == list(names)
    for preview in shown:
        for place, picture in zip(PREVIEW_PLACES, preview.images, strict=True):
            terms = {"pc2": 1.5, "local-1": -1.0} | {preview.direction: place}
            whole = " + ".join(f"{amount}*{name}" for name, amount in terms.items())
            made = apply_move(workspace, session, Shift(direction=whole, amount=1.0)).result.image[0]
            torch.testing.assert_close(picture, made, atol=1.01 / 255, rtol=0)  # a batch may round otherwise
        assert preview.here == {"pc2": 1.5, "local-1": -1.0}.get(preview.direction, 0.0)


def test_directions_of_a_picture_are_of_images_where_there_are_some(workspace: Workspace, session: Session) -> None:
    assert list_session_directions(workspace, session)[:2] == ("local-1", "local-2")
    assert list_session_directions(workspace, session)[-1] == "decision-inside"
    assert list_session_directions(workspace, replace(session, classifier="")) == ("local-1", "local-2", "local-3")


def test_without_images_samples_stand_in(workspace: Workspace, session: Session) -> None:
    """A world of no data: the same networks under a name that no data set has."""
    store = Store(workspace.store.folder, "cpu")
    store.add("nowhere-vae", store.load("digits-vae"))
    elsewhere = Workspace(store)
    lost = replace(session, world="nowhere", model="nowhere-vae")
    assert list_session_directions(elsewhere, lost)[0] == "local-drawn-1"
    assert list_session_directions(elsewhere, replace(lost, model="digits-pixels")) == ("decision",)


@pytest.mark.parametrize("direction", ["local-2", "decision", "1*decision-inside + 2*local-drawn-1"])
def test_a_link_and_lines_of_python_make_the_same_move(
    workspace: Workspace, session: Session, direction: str, small_world: Path
) -> None:
    moved = apply_move(workspace, session, Shift(direction=direction, amount=1.5))
    again = open_link(Workspace(Store(small_world, "cpu")), dict(parse_qsl(make_link(moved))))
    assert not again.notice
    assert again.result.image.equal(moved.result.image)
    assert direction in export_python(workspace, moved)


def test_a_component_is_named_after_what_it_changes_most(workspace: Workspace, session: Session) -> None:
    """A direction that is a label's own raises that label by one deviation; against it, it lowers it."""
    workspace = Workspace(Store(workspace.store.folder, "cpu"))
    model = workspace.store.load(session.model)
    own = dict(model.directions)
    model.directions = {"pc1": 3 * own["4"], "pc2": -3 * own["7"], "4": own["4"], "7": own["7"]}
    assert "more class 4" in describe_component(workspace, session, "pc1")
    assert "less class 7" in describe_component(workspace, session, "pc2")
    assert describe_component(workspace, session, "4") == ""
    assert describe_component(workspace, session, "decision") == ""


def test_references_are_the_same_images_every_time(workspace: Workspace, session: Session) -> None:
    *_, codes = workspace.store.encode_references(session.model)
    *_, again = Store(workspace.store.folder, "cpu").encode_references(session.model)
    assert codes.equal(again)
    assert len(codes) == 256 < len(datasets.load_world("digits").train)
