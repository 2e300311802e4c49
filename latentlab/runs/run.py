"""What the files of a run say that it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from latentlab.runs import files, process
from latentlab.runs.process import Child

STATES = ("queued", "running", "stopped", "finished", "failed", "interrupted")
NO_WORD = "Its process is gone without a last word; it can go on from its last saved state."


@dataclass(frozen=True)
class Run:
    id: str
    verb: str
    name: str
    config: dict[str, Any]
    owner: str = field(repr=False)
    state: str
    cause: str  # one sentence; empty while it runs as it should
    mine: bool = False  # may be changed by who asks
    position: int = 0  # in the queue, 1 is next
    stopping: str = ""  # what it is asked to do: "stop" or "save"
    latest: dict[str, Any] = field(default_factory=dict)  # its last event
    classifier: str = ""  # its name in the store, where it has one

    @property
    def created(self) -> float:
        """Seconds since 1970, by its name; for people only."""
        return time.mktime(time.strptime(self.id[:15], "%Y%m%d-%H%M%S"))

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def resumable(self) -> bool:
        return self.state in ("stopped", "failed", "interrupted")


@runtime_checkable
class Beats(Protocol):
    """Whether a process on another machine has given a sign of life lately."""

    def beating(self, run: Path) -> bool: ...


def read(run: Path, queue: list[str], beats: Beats) -> Run | None:
    """None where this is no run's directory, or no longer. Whether the process lives is asked before what it wrote."""
    config = files.record(run / files.CONFIG)
    if config is None or not isinstance(config.get("config"), dict):
        return None
    child = child_of(run)
    lives = child is not None and process.is_here(child) and process.alive(child)
    latest = files.last_event(run / files.EVENTS)
    if child is not None and not process.is_here(child) and latest.get("event") != "end":
        lives = beats.beating(run)
    state, cause = _state(run, child, lives, latest, queue)
    asked = files.text(run / files.STOP) if state == "running" else None
    return Run(
        run.name,
        str(config.get("verb", "")),
        str(config.get("name", "")),
        config["config"],
        str(config.get("owner", "")),
        state,
        cause,
        position=queue.index(run.name) + 1 if run.name in queue and state == "queued" else 0,
        stopping=asked if asked in ("stop", "save") else "",
        latest=latest,
        classifier=f"run-{run.name}" if (run / files.RESULT).exists() else "",
    )


def _state(run: Path, child: Child | None, lives: bool, latest: dict[str, Any], queue: list[str]) -> tuple[str, str]:
    if run.name in queue:
        return "queued", f"Number {queue.index(run.name) + 1} in the queue."
    if (run / files.GIVEN).exists():
        return "queued", "Given to the launcher, which has not begun it yet."
    if lives:
        return "running", ""
    ending = files.record(run / files.ENDING) or (latest if latest.get("event") == "end" else {})
    if ending.get("state") in STATES[2:]:
        return str(ending["state"]), str(ending.get("cause", ""))
    if child is None:
        return "stopped", "It was taken out of the queue before it began."
    return "interrupted", NO_WORD


def child_of(run: Path) -> Child | None:
    told = files.record(run / files.CHILD) or {}
    try:
        return Child(int(told["pid"]), str(told["started"]), str(told["host"]))
    except (KeyError, ValueError, TypeError):
        return None


def ticket(run: Path) -> int | None:
    """Its place in the queue; None where it does not wait."""
    told = files.text(run / files.QUEUED)
    if told is None:
        return None
    number = told.partition(" ")[0]
    return int(number) if number.isascii() and number.isdecimal() else 0
