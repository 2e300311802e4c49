"""Folders of runs whose program is small: it keeps the contract and trains nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latentlab.runs import Limits, Runs, process
from latentlab.runs.run import read_child

PROGRAM = Path(__file__).with_name("program.py")
ALICE, BOB = "alice " * 6, "bob " * 8
LONG = 100_000  # steps


def free(minutes: float = 1440) -> Any:
    """Limits that let the small program's own knobs through."""

    class Free(Limits):
        def check_config(self, verb: str, config: Any) -> dict[str, Any]:
            return dict(config)

    return Free(minutes=minutes)


@pytest.fixture
def hire(tmp_path: Path) -> Iterator[Callable[..., Runs]]:
    """A server's view of the folder; at the end every process is gone."""
    made = []
    anything = free()

    def view(**options: Any) -> Any:
        options = {"limits": anything, "program": (sys.executable, str(PROGRAM)), **options}
        made.append(Runs(tmp_path / "runs", **options))
        return made[-1]

    yield view
    for view in made:
        view.stop_watching()
    for path in (tmp_path / "runs").glob("*/child.json"):
        if child := read_child(path.parent):
            process.kill_group(child)
    for view in made:
        view._supervisor.reap_children()


@pytest.fixture
def wait() -> Callable[..., Any]:
    """Until it is so; fails after many seconds."""

    def until(true: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := true()):
            assert time.monotonic() < deadline, "it never became so"
            time.sleep(0.01)
        return value

    return until


def steps(runs: Any, id: str, token: str = ALICE) -> list[int]:
    return [event["step"] for event in runs.read_events(id, token).events if event["event"] == "step"]


def state(runs: Any, id: str, token: str = ALICE) -> str:
    return runs.find_run(id, token).state


@pytest.fixture
def begun(wait: Callable[..., Any]) -> Callable[..., str]:
    """The id of a run that has done its first step."""

    def start(runs: Any, token: str = ALICE, **config: Any) -> str:
        id = runs.submit_run("train", {"steps": LONG, **config}, "a run", token).id
        wait(lambda: steps(runs, id, token))
        return id

    return start
