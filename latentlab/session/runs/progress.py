"""What the events of runs have told so far, read once for all who look at them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Generic, TypeVar

from latentlab.runs import Runs

MAX_KEPT_RUNS = 64  # stories
EventRecord = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class RunMeasurement:
    """One measurement of a run: after how many updates and seconds, and what was found."""

    step: int
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunProgress:
    """A training run so far."""

    begin: EventRecord = field(default_factory=dict)
    losses: tuple[RunMeasurement, ...] = ()
    marks: tuple[RunMeasurement, ...] = ()  # accuracies on the images held out: clean, moved, corrupted
    step: EventRecord = field(default_factory=dict)  # the last of its kind
    sampled: int = 0  # the step of the last sample
    end: EventRecord = field(default_factory=dict)


def add_events(story: RunProgress, events: Iterable[EventRecord]) -> RunProgress:
    """Return the progress with these events; the end of an earlier part is forgotten when a run goes on."""
    losses, marks = list(story.losses), list(story.marks)
    for event in events:
        match event.get("event"):
            case "begin":
                story = replace(story, begin=event, end={})
            case "step":
                losses.append(RunMeasurement(event["step"], event["seconds"], {"loss": event["loss"]}))
                story = replace(story, step=event)
            case "epoch" if event["accuracy"]:
                marks.append(RunMeasurement(event["step"], event["seconds"], event["accuracy"]))
            case "sample":
                story = replace(story, sampled=event["step"])
            case "end":
                story = replace(story, end=event)
    return replace(story, losses=tuple(losses), marks=tuple(marks))


class EventReader(Generic[T]):
    """A reader of runs as they come, each line read once; whoever asks needs the right to each run."""

    def __init__(self, runs: Runs, first: T, tell: Callable[[T, Iterable[EventRecord]], T]) -> None:
        self._runs, self._first, self._tell = runs, first, tell
        self._kept: OrderedDict[str, tuple[str, T]] = OrderedDict()
        self._lock = Lock()

    def read_run(self, run: str, token: str) -> tuple[str, T]:
        """Return all that was told, and a mark that changes when there is more."""
        with self._lock:
            cursor, known = self._kept.get(run, ("", self._first))
            tail = self._runs.read_events(run, token, cursor)
            told = (tail.cursor, self._tell(self._first if tail.anew else known, tail.events))
            self._kept[run] = told
            self._kept.move_to_end(run)
            while len(self._kept) > MAX_KEPT_RUNS:
                self._kept.popitem(last=False)
            return told
