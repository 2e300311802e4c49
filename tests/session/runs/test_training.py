"""The run that a view and a form describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from latentlab.errors import UserError
from latentlab.operators import Noise
from latentlab.session import Selection, Session, Workspace, apply_move, choose_networks, open_world
from latentlab.session.runs.training import (
    MAX_NAME_LETTERS,
    RunForm,
    describe_training_speed,
    make_budget,
    make_run_config,
    parse_seeds,
    plan_runs,
    preview_run_batch,
)
from latentlab.training.augmented import Augmentation, make_update_batch, measure_training_speed


@pytest.fixture(scope="module")
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


def test_the_run_has_exactly_the_move_of_the_page(workspace: Workspace, session: Session) -> None:
    there = apply_move(
        workspace, choose_networks(workspace, session, model="digits-glow"), Noise(epsilon=3.0, parts=("fine",))
    )
    base = make_run_config(there, RunForm(methods=("mixup",), probability=0.5), {"clean": 0.25, "batch": 16})
    first, second = base.augmentations
    assert first.build_operator() == there.result.tool
    assert (first.space, first.probability) == ("digits-glow", 0.5)
    assert second == Augmentation("mixup", probability=0.5)
    assert (base.world, base.clean, base.batch) == ("digits", 0.25, 16)


@pytest.mark.parametrize(("amount", "unit"), [(40.0, "seconds"), (300.0, "steps")])
def test_before_the_start_it_is_said_what_the_budget_buys(
    workspace: Workspace, session: Session, amount: float, unit: str
) -> None:
    """Updates times their time is the budget, whichever of the two was given."""
    wanted = make_run_config(session, RunForm(move=False, budget=amount, unit=unit), {"batch": 16})
    speed = measure_training_speed(wanted, workspace.store, seconds=0.2)
    assert speed.batch == 16
    assert speed.seconds == pytest.approx(speed.updates / speed.updates_per_second)
    assert (speed.updates if unit == "steps" else speed.seconds) == pytest.approx(amount, rel=0.2)
    assert f"updates of {speed.batch} images" in describe_training_speed(workspace, wanted)


@pytest.mark.parametrize(
    ("amount", "unit", "wanted"),
    [
        (30, "seconds", (0.5, 0, 0)),
        (2, "minutes", (2, 0, 0)),
        (100, "steps", (0, 100, 0)),
        (1.5, "epochs", (0, 0, 1.5)),
    ],
)
def test_one_budget_is_given_and_the_others_have_no_limit(amount: float, unit: str, wanted: tuple[float, ...]) -> None:
    given = make_budget(amount, unit)
    assert (given["minutes"], given["steps"], given["epochs"]) == wanted


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"methods": ("rm -rf",)}, "no method"),
        ({"probability": 2.0}, "probability is 2"),
        ({"probability": float("nan")}, "probability is nan"),
        ({"start": "new:vgg"}, "network"),
        ({"start": "from:"}, "network"),
        ({"budget": 0.0}, "budget is 0"),
        ({"unit": "years"}, "unit"),
        ({"selected": True}, "No training images are selected"),
    ],
)
def test_a_bad_wish_is_one_clear_line(session: Session, change: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        make_run_config(session, replace(RunForm(), **change), {})


def test_the_maps_selection_is_what_is_learned_from(session: Session) -> None:
    lassoed = replace(session, selection=Selection("train", (1, 5, 8)))
    assert make_run_config(lassoed, RunForm(selected=True), {}).rows == (1, 5, 8)
    assert make_run_config(lassoed, RunForm(), {}).rows == ()


def test_a_baseline_differs_in_the_moves_alone(session: Session) -> None:
    base = make_run_config(session, RunForm(methods=("mixup",)), {})
    runs = dict(plan_runs(base, (3, 4), True, "mine"))
    assert list(runs) == ["mine, seed 3", "baseline of mine, seed 3", "mine, seed 4", "baseline of mine, seed 4"]
    assert runs["mine, seed 4"] == replace(base, seed=4)
    assert runs["baseline of mine, seed 4"] == replace(base, seed=4, augmentations=())


def test_names_stay_within_their_length(session: Session) -> None:
    for name, _ in plan_runs(make_run_config(session, RunForm(), {}), (123456789, 2), True, "x" * MAX_NAME_LETTERS):
        assert len(name) <= MAX_NAME_LETTERS
        assert "seed" in name


def test_a_run_without_a_move_is_its_own_baseline(session: Session) -> None:
    with pytest.raises(UserError, match="its own baseline"):
        plan_runs(make_run_config(session, RunForm(move=False), {}), (0,), True, "plain")


@pytest.mark.parametrize(("words", "wanted"), [("0", (0,)), ("2, 0,2", (2, 0)), (" 7 ", (7,))])
def test_seeds(words: str, wanted: tuple[int, ...]) -> None:
    assert parse_seeds(words) == wanted


@pytest.mark.parametrize("words", ["", "1;2", "-1", "1,2,3,4,5,6", "1e3", "9" * 12, None, "０x"])
def test_other_seeds_are_refused(words: Any) -> None:
    with pytest.raises(UserError, match="seeds"):
        parse_seeds(words)


def test_the_batch_shown_before_is_the_batch_of_that_update(workspace: Workspace, session: Session) -> None:
    base = make_run_config(session, RunForm(methods=("mixup",)), {"batch": 16})
    shown, real = preview_run_batch(workspace, base, 3), make_update_batch(base, workspace.store, 3)
    assert shown.rows == tuple(real.rows[: len(shown.rows)].tolist())
    torch.testing.assert_close(shown.images, real.batch.images[: len(shown.images)].cpu(), atol=1 / 255, rtol=0)
    assert shown.targets.equal(real.batch.targets[: len(shown.targets)].cpu())
    assert shown.targets.sum(1).tolist() == pytest.approx([1] * len(shown.targets))
    assert not preview_run_batch(workspace, base, 4).images.equal(shown.images)
