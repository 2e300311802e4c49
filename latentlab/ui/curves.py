"""Curves, bars and a reliability diagram as figures: plain dictionaries that a PlotlyView draws."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.session.progress import Story, Told

Figure = dict[str, Any]
Points = Sequence[tuple[float, float]]

COLOURS = 8  # of runs and classifiers, as the style sheet has them for both themes
DASHES = ("solid", "dash", "dot", "dashdot")
DASH = {"clean": 0, "moved": 1, "corrupted": 2}
MOST = 400  # points of a curve that are drawn
FAINT = 0.25
MARGIN = {"l": 48, "r": 12, "t": 8, "b": 40}


@dataclass(frozen=True)
class Curve:
    """One line; `place` chooses the colour (a run or a classifier), `kind` the dash (what was measured)."""

    name: str
    points: Points
    place: int = 0
    kind: int = 0


def of_runs(shown: Sequence[tuple[str, Story]], across: str) -> tuple[list[Curve], list[Curve]]:
    """Losses and accuracies of these runs; of the first only the images' kind is named, as the legend shows it."""
    loss = [
        Curve(name, [(_at(told, across), told.values["loss"]) for told in story.losses], place)
        for place, (name, story) in enumerate(shown)
    ]
    right = [
        Curve(f"{name}, {kind}" if place else kind, points, place, DASH[kind])
        for place, (name, story) in enumerate(shown)
        for kind in DASH
        if (points := [(_at(told, across), told.values[kind]) for told in story.marks if kind in told.values])
    ]
    return loss, right


def _at(told: Told, across: str) -> float:
    return told.step if across == "step" else told.seconds


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Moving average m ← w m + (1 − w) v without the pull of its start: divided by 1 − wᵗ; w 0 changes nothing."""
    mean, left, result = 0.0, 1.0, []
    for value in values:
        mean, left = weight * mean + (1 - weight) * value, left * weight
        result.append(mean / (1 - left))
    return result


def thinned(points: Points, most: int = MOST) -> list[tuple[float, float]]:
    """An even choice of the points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def losses(curves: Sequence[Curve], weight: float, across: str) -> Figure:
    """Each curve as it is, faint, and smoothed."""
    traces: list[Figure] = []
    for curve in curves:
        steps, values = [x for x, _ in curve.points], [y for _, y in curve.points]
        soft = list(zip(steps, smoothed(values, weight), strict=True))
        if weight:
            traces.append(_line(curve, curve.points) | {"opacity": FAINT, "hoverinfo": "skip", "showlegend": False})
        traces.append(_line(curve, soft))
    layout = _axes(across, "loss [nats]", "loss", zero=True)
    return {"data": traces, "layout": layout | {"showlegend": False}}  # the list of runs has the colours


def accuracies(curves: Sequence[Curve], across: str) -> Figure:
    """Shares in percent; the points are few and are marked."""
    traces = [
        _line(curve, [(x, 100 * y) for x, y in curve.points], "lines+markers")
        | {"marker": {"size": 5}, "showlegend": curve.place == 0}
        for curve in curves
    ]
    return {"data": traces, "layout": _axes(across, "accuracy [%]", "accuracy")}


def _line(curve: Curve, points: Points, mode: str = "lines") -> Figure:
    kept = thinned(points)
    return {
        "type": "scatter",
        "mode": mode,
        "name": html.escape(curve.name),  # Plotly knows some tags
        "x": [x for x, _ in kept],
        "y": [round(y, 5) for _, y in kept],
        "line": {"color": colour(curve.place), "dash": DASHES[curve.kind % len(DASHES)], "width": 2},
    }


def colour(place: int) -> str:
    return f"var(--ll-k{place % COLOURS})"


def _axes(across: str, up: str, key: str, zero: bool = False) -> Figure:
    """`uirevision` keeps the zoom of a hand while new points come."""
    return {
        "margin": MARGIN,
        "uirevision": f"{key} {across}",
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"title": {"text": across}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"title": {"text": up}, "zeroline": False} | ({"rangemode": "tozero"} if zero else {}),
    }


def bars(groups: Sequence[str], rows: Mapping[str, Sequence[float]]) -> Figure:
    """Accuracies: a group of bars a corruption, one of each classifier beside the others."""
    traces = [
        {
            "type": "bar",
            "name": html.escape(name),
            "x": list(groups),
            "y": [round(100 * value, 2) for value in values],
            "marker": {"color": colour(place)},
        }
        for place, (name, values) in enumerate(rows.items())
    ]
    layout = _axes("", "accuracy [%]", "bars") | {"barmode": "group", "bargap": 0.25}
    layout["xaxis"] = {"tickangle": -40, "automargin": True}
    return {"data": traces, "layout": layout}


def reliability(rows: Mapping[str, Points]) -> Figure:
    """Accuracy against confidence, a point a bin; on the diagonal a classifier is as right as it is sure."""
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 100],
        "y": [0, 100],
        "line": {"color": "var(--ll-before)", "dash": "dot", "width": 1},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    lines = [
        _line(Curve(name, (), place), [(100 * sure, 100 * right) for sure, right in points], "lines+markers")
        for place, (name, points) in enumerate(rows.items())
    ]
    layout = _axes("confidence [%]", "accuracy [%]", "reliability")
    layout["xaxis"] |= {"range": [0, 100]}
    layout["yaxis"] |= {"range": [0, 100]}
    return {"data": [diagonal, *lines], "layout": layout}
