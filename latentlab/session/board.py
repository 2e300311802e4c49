"""The figures of a comparison as they come: a table, who is best, what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from latentlab.session.progress import Event


@dataclass(frozen=True)
class Measured:
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
class Board:
    """A comparison so far; figures by metric and classifier, differences by metric and (first, second)."""

    begin: Event = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    differences: Mapping[str, Mapping[tuple[str, str], Measured]] = field(default_factory=dict)
    seeds: tuple[Event, ...] = ()
    flips: tuple[Flips, ...] = ()
    notes: tuple[str, ...] = ()
    end: Event = field(default_factory=dict)


def read(board: Board, events: Iterable[Event]) -> Board:
    """The board with these events."""
    for event in events:
        board = _with(board, event)
    return board


def _with(board: Board, event: Event) -> Board:
    match event.get("event"):
        case "begin":
            return replace(board, begin=event, end={})
        case "figures":
            return replace(board, figures=_added(board.figures, event["metric"], event["classifier"], event))
        case "difference":
            pair = (event["first"], event["second"])
            return replace(board, differences=_added(board.differences, event["metric"], pair, event))
        case "seeds":
            return replace(board, seeds=(*board.seeds, event))
        case "flips":
            found = Flips(event["first"], event["second"], tuple(event["gained"]), tuple(event["lost"]))
            return replace(board, flips=(*board.flips, found))
        case "note":
            return replace(board, notes=(*board.notes, event["text"]))
        case "end":
            return replace(board, end=event)
    return board


def _added(all_: Mapping[str, Mapping[Any, Measured]], metric: str, key: Any, event: Event) -> dict[str, Any]:
    figure = Measured(event["value"], event["low"], event["high"], event.get("detail", {}))
    return {**all_, metric: {**all_.get(metric, {}), key: figure}}


def best(figures: Mapping[str, Measured], higher: bool) -> str | None:
    """The classifier whose interval lies beyond that of every other; None where they overlap."""
    if len(figures) < 2:
        return None
    sign = 1 if higher else -1
    first = max(figures, key=lambda name: sign * figures[name].value)
    rest = [figure for name, figure in figures.items() if name != first]
    if higher:
        return first if figures[first].low > max(figure.high for figure in rest) else None
    return first if figures[first].high < min(figure.low for figure in rest) else None
