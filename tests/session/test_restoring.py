"""A view is made again by one function, which looks at its input once and moves once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from latentlab.operators import Mix
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    export_png,
    go_back,
    make_link,
    make_recipe,
    open_link,
    open_world,
    place_picture,
    remember_view,
    restore_png,
    restore_recipe,
)
from latentlab.session.restoring import SavedView, restore_view
from latentlab.store import Store
from latentlab.types import Images, Latents


class CountedWorkspace(Workspace):
    """A workspace that counts what it decodes."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.decoded: list[str] = []

    def decode_latents(self, name: str, latents: Latents) -> Images:
        self.decoded.append(name)
        return super().decode_latents(name, latents)


WAYS: dict[str, Callable[[Workspace, Session, Session], Session | None]] = {
    "link": lambda workspace, view, here: open_link(workspace, dict(parse_qsl(make_link(view)))),
    "recipe": lambda workspace, view, here: restore_recipe(workspace, here, make_recipe(workspace, view).to_json()),
    "png": lambda workspace, view, here: restore_png(workspace, here, export_png(workspace, view)),
    "history": lambda workspace, view, here: go_back(workspace, replace(here, history=view.history), 0),
}


@pytest.fixture
def counted(small_world: Path) -> CountedWorkspace:
    workspace = CountedWorkspace(Store(small_world, "cpu"))
    workspace.list_examples("digits")  # drawn, as there are none of this world beside the package's own
    return workspace


@pytest.fixture
def view(workspace: Workspace) -> Session:
    """Nothing in this view is as in the first one: picture, partner, space, move and seed are others."""
    session = replace(open_world(workspace, "digits"), model="digits-glow", seed=3)
    session = replace(session, partner=workspace.find_picture("digits", "test 8"))
    session = place_picture(workspace, session, workspace.find_picture("digits", "test 7"))
    return remember_view(apply_move(workspace, session, Mix(partner="next", lam=0.25)))


@pytest.mark.parametrize("way", WAYS)
def test_a_view_is_decoded_once_by_every_model_and_once_moved(
    counted: CountedWorkspace, workspace: Workspace, view: Session, way: str
) -> None:
    here = open_world(workspace, "digits")
    back = WAYS[way](counted, view, here)
    assert back is not None
    assert back.result.image.equal(view.result.image)
    assert (back.model, back.seed, back.notice) == ("digits-glow", 3, "")
    assert sorted(counted.decoded) == sorted([*counted.store.list_models("digits"), "digits-glow"])


@pytest.mark.parametrize("way", WAYS)
def test_a_view_that_was_seen_before_is_decoded_once(
    counted: CountedWorkspace, workspace: Workspace, view: Session, way: str
) -> None:
    here = open_world(workspace, "digits")
    WAYS[way](counted, view, here)
    counted.decoded.clear()
    WAYS[way](counted, view, here)
    assert counted.decoded == ["digits-glow"]


def test_the_time_of_a_restored_view_is_that_of_its_move(workspace: Workspace) -> None:
    assert restore_view(workspace, SavedView("digits")).milliseconds > 0


def test_a_move_that_the_space_cannot_make_leaves_the_rest_of_the_link(workspace: Workspace, view: Session) -> None:
    query = dict(parse_qsl(make_link(view))) | {"operator": "shift", "settings": '{"direction":"nowhere"}'}
    back = open_link(workspace, query)
    assert (back.source.name, back.model, back.seed) == ("test 7", "digits-glow", 3)
    assert "nowhere" in back.notice
