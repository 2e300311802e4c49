"""The digits' small untrained networks, and a run of a few updates with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = {"fraction": 0.05, "epochs": 0, "steps": 4, "batch": 8}


@pytest.fixture(scope="session")
def store(small_world: Path) -> Any:
    from latentlab.store import Store

    return Store(small_world, "cpu")


@pytest.fixture(scope="session")
def config() -> Callable[..., Any]:
    from latentlab.knobs import from_json
    from latentlab.training import Config

    return lambda **knobs: from_json(Config, QUICK | knobs)


@pytest.fixture
def trained(store: Any, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The events of a whole run; its files lie in the folder of that name."""
    from latentlab.training import train
    from latentlab.training.directory import Directory

    def go(asked_for: Any, name: str = "run", asked: Callable[[], str] = lambda: "") -> list[dict[str, Any]]:
        (tmp_path / name).mkdir(exist_ok=True)
        return list(train(asked_for, store, Directory.of(tmp_path / name).files, asked))

    return go
