"""Curves, bars and a reliability diagram as figures: plain dictionaries that a PlotlyView draws."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.session.runs.progress import RunMeasurement, RunProgress

CurveFigure = dict[str, Any]
CurvePoints = Sequence[tuple[float, float]]

SERIES_COLOUR_COUNT = 8  # of runs and classifiers, as the style sheet has them for both themes
LINE_DASHES = ("solid", "dash", "dot", "dashdot")
DASH_PLACES = {"clean": 0, "moved": 1, "corrupted": 2}
MOST_CURVE_POINTS = 400  # points of a curve that are drawn
FAINT_OPACITY = 0.25
PLOT_MARGIN = {"l": 48, "r": 12, "t": 8, "b": 40}


@dataclass(frozen=True)
class Curve:
    """One line; `place` chooses the colour (a run or a classifier), `kind` the dash (what was measured)."""

    name: str
    points: CurvePoints
    place: int = 0
    kind: int = 0


def collect_curves(shown: Sequence[tuple[str, RunProgress]], across: str) -> tuple[list[Curve], list[Curve]]:
    """Return losses and accuracies of these runs.

    The accuracies of the first name only the images' kind, as the legend shows it.
    """
    loss = [
        Curve(name, [(_find_abscissa(told, across), told.values["loss"]) for told in story.losses], place)
        for place, (name, story) in enumerate(shown)
    ]
    right = [
        Curve(f"{name}, {kind}" if place else kind, points, place, DASH_PLACES[kind])
        for place, (name, story) in enumerate(shown)
        for kind in DASH_PLACES
        if (
            points := [(_find_abscissa(told, across), told.values[kind]) for told in story.marks if kind in told.values]
        )
    ]
    return loss, right


def _find_abscissa(told: RunMeasurement, across: str) -> float:
    return told.step if across == "step" else told.seconds


def smooth_values(values: Sequence[float], weight: float) -> list[float]:
    """Return the moving average m ← w m + (1 − w) v without the pull of its start, divided by 1 − wᵗ.

    A weight of 0 changes nothing.
    """
    mean, left, result = 0.0, 1.0, []
    for value in values:
        mean, left = weight * mean + (1 - weight) * value, left * weight
        result.append(mean / (1 - left))
    return result


def thin_points(points: CurvePoints, most: int = MOST_CURVE_POINTS) -> list[tuple[float, float]]:
    """Choose the points evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def draw_losses(curves: Sequence[Curve], weight: float, across: str) -> CurveFigure:
    """Draw each curve as it is, faint, and smoothed."""
    traces: list[CurveFigure] = []
    for curve in curves:
        steps, values = [x for x, _ in curve.points], [y for _, y in curve.points]
        soft = list(zip(steps, smooth_values(values, weight), strict=True))
        if weight:
            traces.append(
                _draw_line(curve, curve.points) | {"opacity": FAINT_OPACITY, "hoverinfo": "skip", "showlegend": False}
            )
        traces.append(_draw_line(curve, soft))
    layout = _lay_out_axes(across, "loss [nats]", "loss", zero=True)
    return {"data": traces, "layout": layout | {"showlegend": False}}  # the list of runs has the colours


def draw_accuracies(curves: Sequence[Curve], across: str) -> CurveFigure:
    """Draw shares in percent; the points are few and are marked."""
    traces = [
        _draw_line(curve, [(x, 100 * y) for x, y in curve.points], "lines+markers")
        | {"marker": {"size": 5}, "showlegend": curve.place == 0}
        for curve in curves
    ]
    return {"data": traces, "layout": _lay_out_axes(across, "accuracy [%]", "accuracy")}


def _draw_line(curve: Curve, points: CurvePoints, mode: str = "lines") -> CurveFigure:
    kept = thin_points(points)
    return {
        "type": "scatter",
        "mode": mode,
        "name": html.escape(curve.name),  # Plotly knows some tags
        "x": [x for x, _ in kept],
        "y": [round(y, 5) for _, y in kept],
        "line": {
            "color": choose_series_colour(curve.place),
            "dash": LINE_DASHES[curve.kind % len(LINE_DASHES)],
            "width": 2,
        },
    }


def choose_series_colour(place: int) -> str:
    return f"var(--ll-k{place % SERIES_COLOUR_COUNT})"


def _lay_out_axes(across: str, up: str, key: str, zero: bool = False) -> CurveFigure:
    """Return a layout whose `uirevision` keeps the zoom of a hand while new points come."""
    return {
        "margin": PLOT_MARGIN,
        "uirevision": f"{key} {across}",
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "xaxis": {"title": {"text": across}, "rangemode": "tozero", "zeroline": False},
        "yaxis": {"title": {"text": up}, "zeroline": False} | ({"rangemode": "tozero"} if zero else {}),
    }


def draw_accuracy_bars(groups: Sequence[str], rows: Mapping[str, Sequence[float]]) -> CurveFigure:
    """Draw accuracies: a group of bars a corruption, one of each classifier beside the others."""
    traces = [
        {
            "type": "bar",
            "name": html.escape(name),
            "x": list(groups),
            "y": [round(100 * value, 2) for value in values],
            "marker": {"color": choose_series_colour(place)},
        }
        for place, (name, values) in enumerate(rows.items())
    ]
    layout = _lay_out_axes("", "accuracy [%]", "bars") | {"barmode": "group", "bargap": 0.25}
    layout["xaxis"] = {"tickangle": -40, "automargin": True}
    return {"data": traces, "layout": layout}


def draw_reliability(rows: Mapping[str, CurvePoints]) -> CurveFigure:
    """Draw accuracy against confidence, a point a bin; on the diagonal a classifier is as right as it is sure."""
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
        _draw_line(Curve(name, (), place), [(100 * sure, 100 * right) for sure, right in points], "lines+markers")
        for place, (name, points) in enumerate(rows.items())
    ]
    layout = _lay_out_axes("confidence [%]", "accuracy [%]", "reliability")
    layout["xaxis"] |= {"range": [0, 100]}
    layout["yaxis"] |= {"range": [0, 100]}
    return {"data": [diagonal, *lines], "layout": layout}
