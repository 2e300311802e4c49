"""This module reads from the files of a run what it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from latentlab.runs import files, layout, process
from latentlab.runs.process import ChildProcess

RUN_STATES = ("queued", "running", "stopped", "finished", "failed", "interrupted")
NO_LAST_WORD = "Its process is gone without a last word; it can go on from its last saved state."


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
    def creation_time(self) -> float:
        """Return the seconds since 1970, by its name; for people only."""
        return time.mktime(time.strptime(self.id[:15], "%Y%m%d-%H%M%S"))

    @property
    def is_active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def is_resumable(self) -> bool:
        return self.state in ("stopped", "failed", "interrupted")


@runtime_checkable
class HeartbeatSource(Protocol):
    """A `HeartbeatSource` knows whether a process on another machine has given a sign of life lately."""

    def has_heartbeat(self, run: Path) -> bool: ...


def read_run(run: Path, queue: list[str], beats: HeartbeatSource) -> Run | None:
    """Return the run in this directory; None where this is no run's directory, or no longer.

    Whether the process lives is asked before what it wrote.
    """
    config = files.read_record(run / layout.CONFIG_FILE)
    if config is None or not isinstance(config.get("config"), dict):
        return None
    child = read_child(run)
    lives = child is not None and process.is_on_this_machine(child) and process.is_process_alive(child)
    latest = files.read_last_event(run / layout.EVENTS_FILE)
    if child is not None and not process.is_on_this_machine(child) and latest.get("event") != "end":
        lives = beats.has_heartbeat(run)
    state, cause = _determine_state(run, child, lives, latest, queue)
    asked = files.read_text_file(run / layout.STOP_FILE) if state == "running" else None
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
        classifier=layout.name_run_checkpoint(run) if (run / layout.RESULT_FILE).exists() else "",
    )


def _determine_state(
    run: Path, child: ChildProcess | None, lives: bool, latest: dict[str, Any], queue: list[str]
) -> tuple[str, str]:
    if run.name in queue:
        return "queued", f"Number {queue.index(run.name) + 1} in the queue."
    if (run / layout.GIVEN_FILE).exists():
        return "queued", "Given to the launcher, which has not begun it yet."
    if lives:
        return "running", ""
    ending = files.read_record(run / layout.ENDING_FILE) or (latest if latest.get("event") == "end" else {})
    if ending.get("state") in RUN_STATES[2:]:
        return str(ending["state"]), str(ending.get("cause", ""))
    if child is None:
        return "stopped", "It was taken out of the queue before it began."
    return "interrupted", NO_LAST_WORD


def read_child(run: Path) -> ChildProcess | None:
    told = files.read_record(run / layout.CHILD_FILE) or {}
    try:
        return ChildProcess(int(told["pid"]), str(told["started"]), str(told["host"]))
    except (KeyError, ValueError, TypeError):
        return None


def read_queue_place(run: Path) -> int | None:
    """Return its place in the queue; None where it does not wait."""
    told = files.read_text_file(run / layout.QUEUED_FILE)
    if told is None:
        return None
    number = told.partition(" ")[0]
    return int(number) if number.isascii() and number.isdecimal() else 0
