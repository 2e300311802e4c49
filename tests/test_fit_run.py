"""A fit as a run: its network is in the store from the first look on, under the name that a shipped one would have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from latentlab import datasets, fit_run
from latentlab.errors import UserError
from latentlab.fit_run import FitFiles, choose_shown_images, iterate_fit_events, measure_network
from latentlab.knobs import tool_to_json
from latentlab.models import Pixels, SmallResNet
from latentlab.runs import layout
from latentlab.session import Workspace
from latentlab.session.runs.fitting import FitProgress, FitProposal, add_fit_events, plan_fits, propose_fits
from latentlab.store import Store
from latentlab.training.fit_config import FitConfig
from latentlab.types import ImageShape

ID = "20260101-000000-abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / ID
    folder.mkdir(parents=True)
    return folder


def begin_fit(run: Path, kind: str, minutes: float = 0.01) -> tuple[FitConfig, FitFiles]:
    config = FitConfig(world="digits", kind=kind, minutes=minutes)
    record = layout.make_config_record("fit", "a fit", "", tool_to_json(config))
    (run / layout.CONFIG_FILE).write_text(json.dumps(record))
    return config, FitFiles(run / layout.RESUME_FILE, run / layout.RESULT_FILE, run / layout.SHEET_FILE)


def test_a_fit_can_be_used_from_its_first_look_and_when_it_is_stopped(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_run, "FIRST_LOOK_SECONDS", 0.0)
    (tmp_path / "empty").mkdir()
    config, files = begin_fit(run, "vae", minutes=10.0)
    store, story, said = Store(tmp_path / "empty", "cpu", run.parent), FitProgress(), [""]
    for event in iterate_fit_events(config, store, files, lambda: said[-1]):
        assert json.loads(json.dumps(event)) == event
        story = add_fit_events(story, [event])
        if event["event"] == "look":
            assert store.worlds == ("digits",)
            assert "digits-vae" in store.list_models("digits")
            said.append("stop")
    assert story.end["state"] == "stopped"
    assert files.resume.exists()
    assert store.card("digits-vae").scores["PSNR"] > 0
    assert store.load("digits-vae").directions
    assert Image.open(files.sheet).size[0] > 500
    assert [look.step for look in story.looks] == [1, story.end["step"]]
    goes_on = next(iterate_fit_events(config, store, files))
    assert (goes_on["resumed"], goes_on["step"]) == (True, story.end["step"])


def test_a_finished_fit_has_the_scores_of_its_card(run: Path, small_world: Path) -> None:
    config, files = begin_fit(run, "resnet")
    events = list(iterate_fit_events(config, Store(small_world, "cpu"), files))
    assert [event["event"] for event in events if event["event"] != "step"] == ["begin", "look", "end"]
    assert events[-1]["state"] == "finished"
    assert events[-1]["scores"] == Store(small_world, "cpu", run.parent).card(f"run-{ID}").scores
    assert not files.resume.exists()
    assert not files.sheet.exists()


def test_a_shipped_network_keeps_its_name_and_the_newest_fit_has_it_else(
    run: Path, small_world: Path, tmp_path: Path
) -> None:
    config, files = begin_fit(run, "resnet")
    list(iterate_fit_events(config, Store(small_world, "cpu"), files))
    newer = run.with_name("20260202-000000-abcdef")
    newer.mkdir()
    for name in (layout.CONFIG_FILE, layout.RESULT_FILE):
        (newer / name).write_bytes((run / name).read_bytes())
    shipped = Store(small_world, "cpu", run.parent).list_classifiers("digits")
    assert shipped == ["digits-resnet", f"run-{newer.name}", f"run-{ID}"]
    (tmp_path / "empty").mkdir()
    alone = Store(tmp_path / "empty", "cpu", run.parent)
    assert alone.list_classifiers("digits") == ["digits-resnet", f"run-{ID}"]
    assert alone.worlds == ("digits",)
    assert alone.digest("digits-resnet") == alone.digest(f"run-{ID}")


class ExactNetwork(torch.nn.Module, Pixels):
    """Pixels as a network, with a weight that says where it is."""

    def __init__(self, image_shape: ImageShape) -> None:
        torch.nn.Module.__init__(self)
        Pixels.__init__(self, image_shape)
        self.weight = torch.nn.Parameter(torch.zeros(1))


def test_figures_of_a_look_by_hand() -> None:
    world = choose_shown_images(datasets.load_world("digits"))
    assert (len(world.train), len(world.test)) == (600, 200)
    exact = ExactNetwork(world.image_shape)
    torch.manual_seed(0)
    judge = SmallResNet(image_shape=world.image_shape, classes=world.classes, widths=[4, 4, 4]).eval()
    assert measure_network(exact, world, judge) == {"PSNR": 99.0, "kept": 1.0}
    logits = judge(world.test.take_batch(slice(None))[0])
    right = replace(world, test=datasets.Split(world.test.images, logits.argmax(1)))
    assert measure_network(judge, right, None) == {"accuracy": 1.0}


def test_proposals_are_measured_and_a_visitor_may_say_otherwise(workspace: Workspace) -> None:
    found = propose_fits(workspace, "digits", ["vae", "classifier"])
    assert [one.kind for one in found] == ["resnet", "vae"]
    assert all(one.minutes >= 1 and one.images_per_second > 0 for one in found)
    made = [FitProposal("vae", 7, 100.0), FitProposal("glow", 90, 10.0)]
    assert [one.minutes for one in plan_fits("digits", made, 0)] == [7, 90]
    assert [one.minutes for one in plan_fits("digits", made, 2.5)] == [2.5, 2.5]
    for minutes in (-1, float("nan"), 1e9):
        with pytest.raises(UserError, match="minutes"):
            plan_fits("digits", made, minutes)
    for kinds in ([], ["resnet"], ["nothing"]):
        with pytest.raises(UserError, match="Choose"):
            propose_fits(workspace, "digits", kinds)
