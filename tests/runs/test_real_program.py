"""The real program: what it learns is a classifier of the store, whatever happened on the way."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs.conftest import ALICE, LONG

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import Card, SmallResNet, read_card
from latentlab.runs import Limits, Runs, layout, process
from latentlab.runs.queue import RUN_PROGRAM
from latentlab.runs.run import read_child
from latentlab.store import Store

SHAPE = (3, 32, 32)
DIGITS = tuple("0123456789")
CARD = Card("resnet", {"image_shape": SHAPE, "classes": DIGITS, "widths": [4, 4, 4]}, SHAPE, "digits", DIGITS)
QUICK = {"world": "digits", "steps": 20, "epochs": 0, "batch": 16, "augmentations": [{"method": "mixup"}]}


@pytest.fixture
def real(hire: Callable[..., Runs], small_world: Path) -> Any:
    return hire(program=RUN_PROGRAM, limits=Limits(), flags=("--checkpoints", str(small_world), "--device", "cpu"))


def save_result(run: Path, seed: int = 0, card: Card = CARD) -> None:
    """What a run leaves that was asked to save."""
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    models.save_network(run / layout.RESULT_FILE, SmallResNet(**card.arguments), card)


def test_what_runs_learn_comes_and_goes_in_the_store(small_world: Path, tmp_path: Path) -> None:
    runs, first, second = tmp_path / "runs", "20260101-000000-abcdef", "20260101-000001-abcdef"
    store = Store(small_world, "cpu", runs)
    own = Store(small_world, "cpu").list_classifiers("digits")
    save_result(runs / first)
    save_result(runs / second, seed=1)
    save_result(runs / "no run")
    assert store.list_classifiers("digits") == [*own, f"run-{second}", f"run-{first}"]
    digest, network = store.digest(f"run-{first}"), store.load(f"run-{first}")
    assert not network.training
    assert store.card(f"run-{first}").data == "digits"
    save_result(runs / first, seed=2)
    assert store.list_classifiers("digits")[-1] == f"run-{first}"
    assert store.digest(f"run-{first}") != digest
    assert store.load(f"run-{first}") is not network
    (runs / first / layout.RESULT_FILE).unlink()
    assert store.list_classifiers("digits") == [*own, f"run-{second}"]
    with pytest.raises(UserError):
        store.load(f"run-{first}")


def test_a_run_makes_no_world_and_a_link_is_none(small_world: Path, tmp_path: Path) -> None:
    runs, id = tmp_path / "runs", "20260101-000000-abcdef"
    save_result(tmp_path / "elsewhere")
    runs.mkdir()
    (runs / id).symlink_to(tmp_path / "elsewhere")
    assert f"run-{id}" not in Store(small_world, "cpu", runs).cards
    (runs / id).unlink()
    save_result(runs / id, card=replace(CARD, data="birds"))
    store = Store(small_world, "cpu", runs)
    assert store.worlds == ("digits",)
    assert store.list_classifiers("birds") == [f"run-{id}"]


@pytest.mark.parametrize(
    ("verb", "config", "words"),
    [
        ("train", {"steps": LONG * 100}, "steps"),
        ("train", {"minutes": 2000.0, "steps": 0}, "minutes"),
        ("train", {"batch": 100_000}, "batch"),
        ("train", {"batch": math.nan}, "batch"),
        ("train", {"steps": True}, "steps"),
        ("train", {"steps": "5"}, "steps"),
        ("train", {"unheard": 1}, "unheard"),
        ("train", {"parent": "x" * 5000}, "parent"),
        ("train", {"augmentations": [{"method": "noise", "probability": 2.0}]}, "probability"),
        ("compare", {"classifiers": ["a"], "images": 10**7}, "images"),
        ("delete", {}, "verb"),
        ("app", {}, "verb"),
    ],
)
def test_what_is_asked_for_is_checked_here_and_not_only_on_the_page(
    real: Any, verb: str, config: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        real.submit_run(verb, config, "", ALICE)
    assert real.list_runs(ALICE) == []


@pytest.mark.parametrize("name", ["x" * 81, "two\nlines", "\x00", "\u202eevil"])
def test_a_name_is_one_short_line(real: Any, name: str) -> None:
    with pytest.raises(UserError, match="name of a run"):
        real.submit_run("train", QUICK, name, ALICE)


@pytest.mark.slow
def test_a_real_run_ends_as_a_classifier(real: Any, small_world: Path, wait: Any) -> None:
    store = Store(small_world, "cpu", real.path)
    id = real.submit_run("train", QUICK, "quick", ALICE).id
    run = wait(lambda: not (seen := real.find_run(id, ALICE)).is_active and seen, 120)
    assert run.state == "finished", (run.cause, real.read_log(id, ALICE))
    assert run.classifier in store.list_classifiers("digits")
    assert store.load(run.classifier)(torch.rand(2, *SHAPE)).shape == (2, 10)
    with pytest.raises(UserError, match="finished"):
        real.resume_run(id, ALICE)
    real.delete_run(id, ALICE)
    assert run.classifier not in store.list_classifiers("digits")


@pytest.mark.slow
def test_a_real_run_that_is_killed_goes_on_and_is_stopped_and_saved(real: Any, small_world: Path, wait: Any) -> None:
    chance = random.Random(0)
    id = real.submit_run("train", {**QUICK, "steps": LONG, "batch": 8}, "", ALICE).id
    run = real.path / id

    def further(than: int) -> int:
        latest = real.find_run(id, ALICE).latest
        return latest.get("event") == "step" and latest["step"] > than and latest["step"]

    reached = wait(lambda: further(0), 120)
    for _ in range(3):
        time.sleep(chance.random())
        os.kill(read_child(run).pid, signal.SIGKILL)
        wait(lambda: real.find_run(id, ALICE).state == "interrupted")
        assert all(json.loads(line) for line in (run / layout.EVENTS_FILE).read_text().splitlines(keepends=True)[:-1])
        real.resume_run(id, ALICE)
        wait(lambda: real.find_run(id, ALICE).state == "running")
        reached = wait(lambda: further(0), 120)
    assert reached
    real.stop_run(id, ALICE, save=True)
    ended = wait(lambda: not (seen := real.find_run(id, ALICE)).is_active and seen, 120)
    assert (ended.state, ended.classifier) == ("stopped", f"run-{id}"), (ended.cause, real.read_log(id, ALICE))
    assert read_card(run / layout.RESULT_FILE).data == "digits"
    assert Store(small_world, "cpu", real.path).broken == {}
    assert not process.is_process_alive(read_child(run))


@pytest.mark.slow
def test_a_real_run_that_cannot_begin_says_why(real: Any, wait: Any) -> None:
    id = real.submit_run("train", {**QUICK, "parent": "nobody"}, "", ALICE).id
    run = wait(lambda: not (seen := real.find_run(id, ALICE)).is_active and seen, 120)
    assert run.state == "failed"
    assert "nobody" in run.cause


@pytest.mark.slow
def test_a_real_fit_ends_as_a_network(real: Any, small_world: Path, wait: Any) -> None:
    config = {"world": "digits", "kind": "resnet", "minutes": 0.02}
    id = real.submit_run("fit", config, "quick", ALICE).id
    ended = wait(lambda: not (seen := real.find_run(id, ALICE)).is_active and seen, 600)
    assert ended.state == "finished", (ended.cause, real.read_log(id, ALICE))
    assert f"run-{id}" in Store(small_world, "cpu", real.path).list_classifiers("digits")
    for bad in ({"kind": "pixels"}, {"minutes": 2000.0}, {"world": 3}):
        with pytest.raises(UserError):
            real.submit_run("fit", {**config, **bad}, "", ALICE)
