"""How far may I go? The share of labels that the judge keeps over a move's knob, and the largest value that is safe.

Every trial draws the same chance, so that an image is lost at some value and the curve does not tremble. The share is
tried on a coarse grid, then bisected where it falls below what is asked; and the same where the ends of Wilson's
interval do, which gives the interval of the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from latentlab.auditing.chunk import ask_network, move_chunk
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.moves import AuditedMove, find_distance_knob
from latentlab.auditing.subject import AuditSubject
from latentlab.auditing.trial_chunks import TrialChunk, load_trial_chunks
from latentlab.knobs import find_setting
from latentlab.metrics import Estimate, estimate_share
from latentlab.operators import measure_distance
from latentlab.types import Operator

GRID_POINTS = 6  # beside the value at which nothing moves
FARTHEST_FACTOR = 2.0  # of the move as it stands: the end of the grid
BISECTIONS = 4  # of a step of the grid, for each of the three crossings

Trial = Mapping[str, Any]  # what an event of a trial says


@dataclass(frozen=True)
class ReachAxis:
    """The knob, the value at which nothing moves, and the end to which it is tried."""

    knob: str
    still: float
    end: float

    def choose_grid(self) -> list[float]:
        return [self.still + (self.end - self.still) * step / GRID_POINTS for step in range(GRID_POINTS + 1)]


@dataclass(frozen=True)
class Limit:
    """The largest value at which the share is kept, and the values at which the ends of its interval are.

    None where even the smallest step loses more; `open` where the end of the axis still keeps enough.
    """

    value: float | None
    low: float | None
    high: float | None
    open: bool


def find_reach_axis(operator: Operator) -> ReachAxis | None:
    """Return the knob along which a move may be taken less far or farther; None where it has none."""
    knob = find_distance_knob(operator)
    if knob is None:
        return None
    if knob == "lam":
        return ReachAxis(knob, 1.0, 0.5)
    here = getattr(operator, knob)
    setting = find_setting(type(operator), knob)
    low, high = setting.knob.low or 0.0, setting.knob.high or 0.0
    end = FARTHEST_FACTOR * (here or 1.0)
    return ReachAxis(knob, 0.0, max(low, min(high, end)))


def set_reach(operator: Operator, knob: str, value: Any) -> Operator:
    """Return the move at this value of the knob; a mix then draws its λ no more."""
    fixed = {"weight": "fixed"} if knob == "lam" else {}
    return replace(operator, **{knob: value, **fixed})  # type: ignore[type-var]


def search_limits(
    subject: AuditSubject, known: Sequence[Trial], codes: CodeCache
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each trial of each move that was not made before."""
    if not subject.config.reach:
        return
    load_chunks = cache(lambda: load_trial_chunks(subject))  # once for all trials, not at all where none is left
    for move in subject.moves:
        axis = find_reach_axis(move.operator)
        if axis is None:
            continue
        trials = {trial["value"]: trial for trial in known if trial["move"] == move.title}
        while (value := choose_next_value(axis, trials, subject.config.keep)) is not None:
            trials[value] = try_value(subject, move, axis.knob, value, load_chunks(), codes)
            yield "trial", dict(trials[value])


@torch.no_grad()
def try_value(
    subject: AuditSubject, move: AuditedMove, knob: str, value: Any, chunks: Sequence[TrialChunk], codes: CodeCache
) -> Trial:
    """Move the first images at this value; say of each that the judge knew whether it still sees the label."""
    moved = replace(move, operator=set_reach(move.operator, knob, value))
    kept, rows, distances = [], [], []
    for place, chunk in enumerate(chunks):
        latents = codes.encode_chunk(move, place, chunk.batch.images)
        after = move_chunk(subject, moved, chunk.batch, place, latents)
        judged = ask_network(subject.judge_network, subject.judge, after.images)
        hits = judged.argmax(1) == after.targets.argmax(1)
        kept += hits[chunk.known].long().tolist()
        rows += chunk.rows[chunk.known.cpu()].tolist()
        distances.append(measure_distance(after.images, chunk.batch.images))
    return {
        "move": move.title,
        "knob": knob,
        "value": value,
        "kept": kept,
        "rows": rows,
        "distance": float(f"{torch.cat(distances).mean():.6g}"),
    }


def choose_next_value(axis: ReachAxis, trials: Mapping[float, Trial], keep: float) -> float | None:
    """Return the value to try next: the grid first, then the middle of each bracket that is still wide."""
    grid = axis.choose_grid()
    for value in grid:
        if value not in trials:
            return value
    if not trials[grid[0]]["kept"]:
        return None
    narrow = abs(axis.end - axis.still) / GRID_POINTS / 2**BISECTIONS * 1.01
    for end in ("value", "low", "high"):
        before, after = find_bracket(axis, trials, keep, end)
        if before is not None and after is not None and abs(after - before) > narrow:
            return (before + after) / 2
    return None


def find_bracket(
    axis: ReachAxis, trials: Mapping[float, Trial], keep: float, end: str
) -> tuple[float | None, float | None]:
    """Return the last value that keeps enough before the first that does not; None where there is no such value."""
    before = None
    for value in sorted(trials, key=lambda value: abs(value - axis.still)):
        if getattr(estimate_kept(trials[value]), end) < keep:
            return before, value
        before = value
    return before, None


def estimate_kept(trial: Trial) -> Estimate:
    return _estimate_count(sum(trial["kept"]), len(trial["kept"]))


@cache
def _estimate_count(kept: int, count: int) -> Estimate:
    return estimate_share(torch.arange(count).lt(kept).double())


def find_limit(axis: ReachAxis, trials: Mapping[float, Trial], keep: float) -> Limit:
    """Return what the trials say; the interval of the limit is where those of the shares meet what is asked."""
    value, lower, upper = (find_bracket(axis, trials, keep, end) for end in ("value", "low", "high"))
    return Limit(value[0], lower[0], upper[0], open=value[1] is None)


def find_flip_values(trials: Sequence[Trial]) -> list[tuple[int, float | None]]:
    """Return, for each image that the judge knew, the first value at which its label is lost; the first images first.

    The trials are in the order of their values. None where the label is never lost.
    """
    if not trials:
        return []
    flips: list[tuple[int, float | None]] = []
    places: list[int] = []
    for column, row in enumerate(trials[0]["rows"]):
        lost = next((place for place, trial in enumerate(trials) if not trial["kept"][column]), None)
        flips.append((row, None if lost is None else trials[lost]["value"]))
        places.append(len(trials) if lost is None else lost)
    return [flips[column] for column in sorted(range(len(flips)), key=places.__getitem__)]
