"""How far may I go where a knob takes few values: the severity of a corruption, the parts that move, the k of k-mixup.

Each value is tried on the images of the search, with the same chance; there is nothing to bisect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from latentlab.auditing.codes import CodeCache
from latentlab.auditing.moves import AuditedMove
from latentlab.auditing.reach import Trial, estimate_kept, try_value
from latentlab.auditing.subject import AuditSubject
from latentlab.auditing.trial_chunks import load_trial_chunks
from latentlab.knobs import list_settings
from latentlab.metrics import Estimate
from latentlab.types import PART_GROUPS, Operator

NESTED_PARTS = (PART_GROUPS[2:], PART_GROUPS[1:], PART_GROUPS)  # the finest alone first
SMALLEST_BLOCK = 1  # of k-mixup: partners at random, as in mixup

ChoiceValue = int | tuple[str, ...]


@dataclass(frozen=True)
class ChoiceAxis:
    """A knob and its values, from the gentlest on."""

    knob: str
    values: tuple[ChoiceValue, ...]


@dataclass(frozen=True, eq=False)
class ChoiceTrial:
    """A value with the share that the judge keeps there, and how far it moves images."""

    value: ChoiceValue
    kept: Estimate
    distance: float


@dataclass(frozen=True, eq=False)
class ChoiceResult:
    """What was tried of one knob; `limit` is the last value before the first that keeps too little."""

    knob: str
    trials: tuple[ChoiceTrial, ...]
    limit: ChoiceValue | None


def list_choice_axes(operator: Operator, batch: int, parts: int) -> list[ChoiceAxis]:
    """List the knobs with few values that this move has, in a space of so many parts."""
    knobs = {setting.name: setting.knob for setting in list_settings(type(operator))}
    axes = []
    if "severity" in knobs:
        low, high = int(knobs["severity"].low or 0), int(knobs["severity"].high or 0)
        axes.append(ChoiceAxis("severity", tuple(range(low, high + 1))))
    if "k" in knobs and getattr(operator, "partner", "") == "transport":
        most = min(batch, int(knobs["k"].high or 1))
        powers = [2**power for power in range(most.bit_length())]
        axes.append(ChoiceAxis("k", tuple(sorted({SMALLEST_BLOCK, *powers}, reverse=True))))
    if "parts" in knobs and parts >= len(PART_GROUPS):
        axes.append(ChoiceAxis("parts", NESTED_PARTS))
    return axes


def search_choices(
    subject: AuditSubject, known: Sequence[Trial], codes: CodeCache
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a trial for each value of each such knob of each move that was not made before."""
    if not subject.config.reach:
        return
    done = {(trial["move"], trial["knob"], read_choice(trial["value"])) for trial in known}
    load_chunks = cache(lambda: load_trial_chunks(subject))
    for move in subject.moves:
        for axis in list_choice_axes(move.operator, subject.config.batch, count_parts(subject, move)):
            for value in axis.values:
                if (move.title, axis.knob, value) not in done:
                    yield "choice", dict(try_value(subject, move, axis.knob, value, load_chunks(), codes))


def count_parts(subject: AuditSubject, move: AuditedMove) -> int:
    """Return of how many parts the codes in the move's space are."""
    return len(move.space.encode(subject.take_batch(subject.rows[:1]).images).parts)


def read_choice(value: Any) -> ChoiceValue:
    """Return the value as it was, where it was read again from JSON."""
    return tuple(value) if isinstance(value, list) else value


def read_choices(title: str, events: Sequence[Mapping[str, Any]], keep: float) -> tuple[ChoiceResult, ...]:
    """Read what was tried of a move's knobs, each in the order of its values."""
    knobs: dict[str, list[ChoiceTrial]] = {}
    for event in events:
        if event["move"] == title and event["kept"]:
            trial = ChoiceTrial(read_choice(event["value"]), estimate_kept(event), event["distance"])
            knobs.setdefault(event["knob"], []).append(trial)
    return tuple(ChoiceResult(knob, tuple(trials), find_last_kept(trials, keep)) for knob, trials in knobs.items())


def find_last_kept(trials: Sequence[ChoiceTrial], keep: float) -> ChoiceValue | None:
    """Return the last value before the first that keeps less than is asked; None where that is the first."""
    last = None
    for trial in trials:
        if trial.kept.value < keep:
            break
        last = trial.value
    return last


def write_choice(value: ChoiceValue) -> str:
    return " + ".join(value) if isinstance(value, tuple) else str(value)
