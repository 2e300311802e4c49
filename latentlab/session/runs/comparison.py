"""The figures of a comparison as they come: a table, who is best, what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from latentlab.session.runs.progress import EventRecord


@dataclass(frozen=True)
class TableFigure:
    """A figure with its 95 % interval, and what it was made from."""

    value: float
    low: float
    high: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Flips:
    """Test rows on which the second classifier is right where the first is wrong, and the reverse."""

    first: str
    second: str
    gained: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True)
class ComparisonTable:
    """A comparison so far; figures by metric and classifier, differences by metric and (first, second)."""

    begin: EventRecord = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, TableFigure]] = field(default_factory=dict)
    differences: Mapping[str, Mapping[tuple[str, str], TableFigure]] = field(default_factory=dict)
    seeds: tuple[EventRecord, ...] = ()
    flips: tuple[Flips, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[tuple[str, str], str] = field(default_factory=dict)  # by metric and classifier why
    end: EventRecord = field(default_factory=dict)


def apply_events(board: ComparisonTable, events: Iterable[EventRecord]) -> ComparisonTable:
    """Return the table with these events."""
    for event in events:
        board = _apply_event(board, event)
    return board


def _apply_event(board: ComparisonTable, event: EventRecord) -> ComparisonTable:
    match event.get("event"):
        case "begin":
            return replace(board, begin=event, end={})
        case "figures":
            return replace(board, figures=_add_figure(board.figures, event["metric"], event["classifier"], event))
        case "difference":
            pair = (event["first"], event["second"])
            return replace(board, differences=_add_figure(board.differences, event["metric"], pair, event))
        case "seeds":
            return replace(board, seeds=(*board.seeds, event))
        case "flips":
            found = Flips(event["first"], event["second"], tuple(event["gained"]), tuple(event["lost"]))
            return replace(board, flips=(*board.flips, found))
        case "note":
            missing = {(event["metric"], event["classifier"]): event["text"]} if "metric" in event else {}
            return replace(board, notes=(*board.notes, event["text"]), missing={**board.missing, **missing})
        case "end":
            return replace(board, end=event)
    return board


def _add_figure(
    all_: Mapping[str, Mapping[Any, TableFigure]], metric: str, key: Any, event: EventRecord
) -> dict[str, Any]:
    figure = TableFigure(event["value"], event["low"], event["high"], event.get("detail", {}))
    return {**all_, metric: {**all_.get(metric, {}), key: figure}}


def find_clear_best(figures: Mapping[str, TableFigure], higher: bool) -> str | None:
    """Return the classifier whose interval lies beyond that of every other; None where they overlap."""
    if len(figures) < 2:
        return None
    sign = 1 if higher else -1
    first = max(figures, key=lambda name: sign * figures[name].value)
    rest = [figure for name, figure in figures.items() if name != first]
    if higher:
        return first if figures[first].low > max(figure.high for figure in rest) else None
    return first if figures[first].high < min(figure.low for figure in rest) else None
