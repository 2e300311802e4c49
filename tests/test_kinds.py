"""An operator and a kind of model that somebody adds are full citizens: a row in a table is all that they need."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch

from latentlab import recipe
from latentlab.knobs import Knob, tool
from latentlab.operators import OPERATORS, LatentOperator
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    compare_spaces,
    export_animation,
    export_png,
    export_python,
    export_zip,
    make_link,
    make_recipe,
    move_along_path,
    open_world,
    remember_view,
    restore_png,
)
from latentlab.training.augmented import Augmentation, Config
from latentlab.training.augmented.learner import adapts_to_classifier
from latentlab.types import Batch, Bench, Latents, Targets
from latentlab.ui import build_page
from latentlab.ui.page import find_tool_tab
from latentlab.ui.stage.filmstrip import draw_filmstrip
from latentlab.ui.stage.view import draw_stage


@tool
class Stretch(LatentOperator):
    """z' = (1 + strength) z: a toy that says nothing of itself but its move."""

    strength: Annotated[float, Knob("how much further from the origin", 0, 4)] = 0.5

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        return latents.map(lambda part: (1 + self.strength) * part), batch.targets


@tool
class Borrow(LatentOperator):
    """z' = z of the partner: a toy without a number, that needs a second picture."""

    needs_partner = True

    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        return latents[torch.arange(len(latents)).roll(-1)], batch.targets


@pytest.fixture(autouse=True)
def added_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATORS, "stretch", Stretch)
    monkeypatch.setitem(OPERATORS, "borrow", Borrow)


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return apply_move(
        workspace,
        choose_networks(workspace, open_world(workspace, "digits"), model="digits-vae"),
        Stretch(strength=1.0),
    )


def test_an_added_operator_has_a_form_a_caption_and_a_tab(workspace: Workspace, session: Session) -> None:
    assert Stretch(strength=1.0).write_caption() == "stretch strength 1"
    assert "stretch strength 1" in draw_stage(workspace, session)
    assert find_tool_tab(session) == "explore"
    assert Borrow().write_caption() == "borrow"
    assert find_tool_tab(apply_move(workspace, session, Borrow())) == "mix"


def test_an_added_operator_has_a_path_a_strip_and_a_film(workspace: Workspace, session: Session) -> None:
    path = session.result.tool.make_path()
    assert path is not None
    assert path.marks == (0, 0.25, 0.5, 1, 1.5, 2, 3)
    assert [path.write_place(1.5), path.move_at(2.0)] == ["strength 1.5", Stretch(strength=2.0)]
    assert "the same stretch, growing" in draw_filmstrip(workspace, session)
    assert move_along_path(workspace, session, 2.0).result.tool == Stretch(strength=2.0)
    assert export_animation(workspace, session, "gif")
    assert Borrow().make_path() is None
    assert "ll-film" not in draw_filmstrip(workspace, apply_move(workspace, session, Borrow()))


def test_an_added_operator_is_compared_at_equal_distance(workspace: Workspace, session: Session) -> None:
    own, *others = compare_spaces(workspace, session, same_distance=True)
    reached = [one.far for one in others if one.result is not None]
    assert reached
    assert reached == pytest.approx([own.far] * len(reached), rel=0.15)  # so short a way is rounded to 256 levels


def test_an_added_operator_can_be_taken_home_and_brought_back(workspace: Workspace, session: Session) -> None:
    made = recipe.parse_recipe(make_recipe(workspace, session).to_json())
    assert made.make_operator() == Stretch(strength=1.0)
    restored = restore_png(workspace, session, export_png(workspace, session))
    assert restored is not None
    assert restored.result.tool == Stretch(strength=1.0)
    query = dict(pair.split("=") for pair in make_link(session).split("&") if "picture" not in pair)
    assert query["operator"] == "stretch"
    assert f"from {Stretch.__module__} import Stretch" in export_python(workspace, session)
    assert export_zip(workspace, session)
    partner = remember_view(apply_move(workspace, session, Borrow()))
    assert len(make_recipe(workspace, partner).images) == 2


def test_an_added_operator_has_an_endpoint_and_a_form_on_the_page(workspace: Workspace) -> None:
    config = build_page(workspace.store).get_config_file()
    named = {event["api_name"]: event for event in config["dependencies"] if event.get("api_name")}
    assert {"stretch", "borrow"} <= set(named)
    places = {part["props"].get("elem_id") for part in config["components"]}
    assert {"stretch-strength", "stretch-go", "borrow-go"} <= places


def test_an_added_operator_moves_pictures_in_training() -> None:
    step = Augmentation("stretch", {"strength": 2.0}, "digits-vae")
    assert Config(augmentations=(step,)).augmentations[0].build_operator() == Stretch(strength=2.0)
    assert not adapts_to_classifier(step.build_operator())
