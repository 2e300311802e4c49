"""The digits' small untrained networks, and a run of a few updates with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latentlab.knobs import tool_from_json
from latentlab.runs.writer import RunDirectory
from latentlab.store import Store
from latentlab.training.augmented import Config, train_classifier

QUICK = {"fraction": 0.05, "epochs": 0, "steps": 4, "batch": 8}


@pytest.fixture(scope="session")
def store(small_world: Path) -> Any:
    return Store(small_world, "cpu")


@pytest.fixture(scope="session")
def config() -> Callable[..., Any]:
    return lambda **knobs: tool_from_json(Config, QUICK | knobs)


@pytest.fixture
def trained(store: Any, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The events of a whole run; its files lie in the folder of that name."""

    def go(asked_for: Any, name: str = "run", asked: Callable[[], str] = lambda: "") -> list[dict[str, Any]]:
        (tmp_path / name).mkdir(exist_ok=True)
        return list(train_classifier(asked_for, store, RunDirectory.open_at(tmp_path / name).files, asked))

    return go


@pytest.fixture(scope="session")
def moves() -> list[dict[str, Any]]:
    return [{"method": "pixel-pgd", "settings": {"steps": 2}, "probability": 0.5}, {"method": "mixup"}]


@pytest.fixture
def order(tmp_path: Path, moves: list[dict[str, Any]]) -> Callable[..., Path]:
    """A run's directory with this config."""

    def make(name: str = "run", folder: Path = tmp_path, **config: Any) -> Path:
        run = folder / name
        run.mkdir()
        quick = QUICK | {"steps": 6, "augmentations": moves} | config
        written = {"verb": "train", "name": name, "owner": "", "config": quick}
        (run / "config.json").write_text(json.dumps(written))
        return run

    return make


@pytest.fixture
def words(small_world: Path) -> Callable[[Path], list[str]]:
    """That start its process."""
    return lambda folder: ["train", "--run", str(folder), "--checkpoints", str(small_world), "--device", "cpu"]
