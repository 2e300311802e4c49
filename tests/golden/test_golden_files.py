"""Checkpoints, recipes, links, verbs and runs that exist out there go on working, however the package looks inside."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from safetensors import safe_open

from latentlab import cli, images, knobs, models, operators, recipe
from latentlab.session import Workspace, apply_move, choose_networks, export_png, make_link, open_link, open_world
from latentlab.store import Store

CHECKPOINTS = ROOT / "checkpoints"
FILES = Path(__file__).parent / "files"
OPERATORS: dict[str, dict[str, Any]] = {
    "noise": {"epsilon": 2.0},
    "shift": {"direction": "pc1", "amount": 1.5},
    "adversary": {"epsilon": 1.0, "steps": 2},
    "mix": {"partner": "next", "lam": 0.3},
    "swap": {"partner": "next", "parts": ("coarse",)},
}
Golden = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def shipped() -> Workspace:
    return Workspace(Store(CHECKPOINTS, "cpu"))


@pytest.mark.parametrize("path", sorted(CHECKPOINTS.glob("digits-*.safetensors")), ids=lambda path: path.stem)
def test_tensors_and_card_of_a_checkpoint(path: Path, golden: Golden) -> None:
    """The names of its tensors are those of the network that the card describes."""
    with safe_open(path, "pt") as file:
        shapes = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a dict
        card = json.loads(file.metadata()["card"])
    network = models.load_network(path)[1]
    keys = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert {name: shape for name, shape in shapes.items() if name in keys} == keys
    fields = {name: type(value).__name__ for name, value in card.items()}
    golden(
        f"checkpoint-{path.stem}",
        {"tensors": shapes, "fields": fields, "kind": card["kind"], "arguments": card["arguments"]},
    )


def view_of(shipped: Workspace, operator: str) -> Any:
    session = replace(choose_networks(shipped, open_world(shipped, "digits"), model="digits-glow"), seed=5)
    return apply_move(shipped, session, operators.OPERATORS[operator](**OPERATORS[operator]))


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_recipe_says_the_same_and_makes_the_same_picture(shipped: Workspace, operator: str, golden: Golden) -> None:
    """To one grey level in a few pixels: another processor rounds differently."""
    data = export_png(shipped, view_of(shipped, operator))
    text = images.read_png_recipe(data)
    assert text is not None
    golden(f"recipe-{operator}", json.loads(text))
    assert recipe.parse_recipe(text).make_operator() == operators.OPERATORS[operator](**OPERATORS[operator])
    kept = FILES / f"recipe-{operator}.png"
    if not kept.exists():
        kept.write_bytes(data)
    before, now = (np.asarray(Image.open(source)).astype(int) for source in (kept, io.BytesIO(data)))
    assert np.abs(before - now).max() <= 3
    assert np.abs(before - now).mean() < 0.05


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_address_opens_the_view_that_it_named(shipped: Workspace, operator: str, golden: Golden) -> None:
    query = make_link(view_of(shipped, operator))
    golden(f"link-{operator}", query)
    opened = open_link(shipped, dict(parse_qsl(query, keep_blank_values=True)))
    assert opened.notice == ""
    assert opened.result.tool == operators.OPERATORS[operator](**OPERATORS[operator])
    assert make_link(opened) == query


def test_verbs_and_their_flags(golden: Golden) -> None:
    flags: dict[str, list[str]] = {}
    for verb in cli.VERBS:
        subs = next(a for a in cli.build_parser([verb])._actions if isinstance(a, argparse._SubParsersAction))
        flags[verb] = sorted(
            name for action in subs.choices[verb]._actions for name in action.option_strings or [action.dest]
        )
    golden("verbs", flags)


def test_knobs_of_every_tool_and_the_published_settings(golden: Golden) -> None:
    tools = {
        name: {s.name: repr(s.default) for s in knobs.list_settings(kind)} for name, kind in operators.OPERATORS.items()
    }
    methods = {name: knobs.list_changed_knobs(operators.make_operator(name, {})) for name in operators.METHODS}
    golden("operators", {"knobs": tools, "methods": methods})


@pytest.mark.slow
def test_a_run_begun_before_the_move_goes_on_after_it(tmp_path: Path) -> None:
    """A run directory of version 0.1, killed at its eighth update: it goes on, and tells of every update once."""
    run = tmp_path / "20260101-000000-abcdef"
    shutil.copytree(FILES / "run", run)
    before = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    command = [
        sys.executable,
        "-m",
        "latentlab",
        "train",
        "--run",
        str(run),
        "--checkpoints",
        str(CHECKPOINTS),
        "--device",
        "cpu",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    after = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    steps = [event["step"] for event in after if event["event"] == "step"]
    assert steps == sorted(set(steps))
    assert max(steps) == 12 > max(event["step"] for event in before if event["event"] == "step")
    assert after[-1]["event"] == "end"
    assert after[-1]["state"] == "finished"
    assert (run / "run.safetensors").exists()


@pytest.mark.slow
def test_a_fit_begun_before_the_move_goes_on_after_it(tmp_path: Path) -> None:
    out = tmp_path / "digits-resnet.safetensors"
    shutil.copy(FILES / "fit.resume", out.with_suffix(".resume"))
    command = [
        sys.executable,
        "-m",
        "latentlab",
        "fit",
        "resnet",
        "--data",
        "digits",
        "--out",
        str(out),
        "--steps",
        "3",
        "--batch",
        "8",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    log = out.with_suffix(".jsonl")  # a fit from the beginning tells of its first step
    assert not log.exists() or all(json.loads(line)["step"] > 1 for line in log.read_text("utf-8").splitlines())
    assert out.exists()
