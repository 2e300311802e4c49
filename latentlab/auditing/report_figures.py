"""The figures of a report and of the page, as Plotly reads them; a colour `var(--ll-k0)` follows the theme."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import torch

from latentlab.auditing.choices import ChoiceResult, write_choice
from latentlab.auditing.reach import ReachAxis, estimate_kept, find_flip_values
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.knobs import KNOB_LETTERS

PlotFigure = dict[str, Any]
FAINT = 0.16
PERCENT_AXIS = {"title": {"text": "labels kept [%]"}, "range": [-3, 103]}


def choose_move_colour(place: int) -> str:
    return f"var(--ll-k{place % 6})"


def write_knob(axis: ReachAxis) -> str:
    return KNOB_LETTERS.get(axis.knob) or axis.knob.replace("_", " ")


def draw_kept_by_distance(result: AuditResult) -> PlotFigure:
    """Draw the share that the judge keeps over the mean image distance: all moves at equal distance."""
    traces: list[PlotFigure] = []
    for place, move in enumerate(result.moves):
        found = [(trial["distance"], estimate_kept(trial)) for trial in move.trials if trial["kept"]]
        found.sort(key=lambda pair: pair[0])
        kept = move.summary.figures.get("kept")
        if not found and kept is not None:
            found = [(move.summary.figures["distance"].value, kept)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": html.escape(move.title),
                "x": [round(far, 4) for far, _ in found],
                "y": [round(100 * share.value, 2) for _, share in found],
                "text": [f"{100 * share.low:.1f} to {100 * share.high:.1f} %" for _, share in found],
                "hovertemplate": "l2 %{x:.2f}: %{y:.1f} % (%{text})",
                "line": {"color": choose_move_colour(place), "width": 2},
                "marker": {"size": 5},
            }
        )
    layout = {
        "xaxis": {"title": {"text": "mean l2 distance of the images"}, "rangemode": "tozero"},
        "yaxis": PERCENT_AXIS,
    }
    return {"data": traces, "layout": layout}


def draw_reach(result: AuditResult, move: MoveResult, colour: str) -> PlotFigure:
    """Draw the share over the knob with its interval, what is asked, and the limit."""
    assert move.axis is not None
    tried = sorted((trial for trial in move.trials if trial["kept"]), key=lambda trial: trial["value"])
    values = [round(trial["value"], 5) for trial in tried]
    shares = [estimate_kept(trial) for trial in tried]
    band = {
        "type": "scatter",
        "x": [*values, *values[::-1]],
        "y": [100 * share.high for share in shares] + [100 * share.low for share in shares[::-1]],
        "fill": "toself",
        "fillcolor": colour,
        "opacity": FAINT,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": values,
        "y": [round(100 * share.value, 2) for share in shares],
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": f"{write_knob(move.axis)} %{{x:.3g}}: %{{y:.1f}} %<extra></extra>",
        "showlegend": False,
    }
    shapes = [_draw_rule("y", 100 * result.config.keep)]
    if move.limit is not None and move.limit.value is not None:
        shapes.append(_draw_rule("x", move.limit.value))
    layout = {
        "xaxis": {"title": {"text": write_knob(move.axis)}} | _turn_axis(move.axis),
        "yaxis": PERCENT_AXIS,
        "shapes": shapes,
    }
    return {"data": [band, line], "layout": layout}


def draw_choices(result: AuditResult, found: ChoiceResult, colour: str) -> PlotFigure:
    """Draw the share at each value of a knob that takes few, with its interval, and what is asked."""
    shares = [trial.kept for trial in found.trials]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [write_choice(trial.value) for trial in found.trials],
        "y": [round(100 * share.value, 2) for share in shares],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(100 * (share.high - share.value), 2) for share in shares],
            "arrayminus": [round(100 * (share.value - share.low), 2) for share in shares],
            "color": colour,
            "thickness": 1.5,
        },
        "marker": {"color": colour, "size": 8},
        "hovertemplate": f"{found.knob} %{{x}}: %{{y:.1f}} %<extra></extra>",
        "showlegend": False,
    }
    layout = {
        "xaxis": {"type": "category", "title": {"text": f"{found.knob}, the gentlest first"}},
        "yaxis": PERCENT_AXIS,
        "shapes": [_draw_rule("y", 100 * result.config.keep)],
    }
    return {"data": [trace], "layout": layout}


def draw_flip_values(move: MoveResult, colour: str) -> PlotFigure:
    """Draw at which value each image loses its label, as a distribution."""
    assert move.axis is not None
    values = [value for _, value in find_flip_values(move.trials) if value is not None]
    size = abs(move.axis.end - move.axis.still) / 12
    start = min(move.axis.still, move.axis.end)
    trace = {
        "type": "histogram",
        "x": values,
        "xbins": {"start": start, "end": start + 12.0001 * size, "size": size},
        "marker": {"color": colour},
        "hovertemplate": "%{y} images<extra></extra>",
    }
    layout = {
        "xaxis": {"title": {"text": f"{write_knob(move.axis)} at which the label is lost"}} | _turn_axis(move.axis),
        "yaxis": {"title": {"text": "images"}, "rangemode": "tozero"},
        "bargap": 0.08,
    }
    return {"data": [trace], "layout": layout}


def draw_confusion(classes: Sequence[str], move: MoveResult, colour: str) -> PlotFigure:
    """Draw what the judge sees of each label, in percent of the label's images; what is kept is left out."""
    counts = move.summary.confusion.float()
    shares = 100 * counts / counts.sum(1, keepdim=True).clamp_min(1)
    shares = shares.masked_fill(torch.eye(len(shares)) > 0, float("nan"))
    values = [[None if share != share else round(share, 2) for share in row] for row in shares.tolist()]
    return draw_share_map(classes, classes, values, "%{y} seen as %{x}: %{z:.1f} %<extra></extra>", colour)


def draw_share_map(
    columns: Sequence[str], rows: Sequence[str], values: list[list[float | None]], told: str, colour: str
) -> PlotFigure:
    """Draw percentages by name of row and column, the larger the nearer to the colour; None is a gap."""
    trace = {
        "type": "heatmap",
        "x": [html.escape(name) for name in columns],
        "y": [html.escape(name) for name in rows],
        "z": values,
        "zmin": 0,
        "colorscale": [[0, "var(--ll-sunk)"], [1, colour]],
        "hovertemplate": told,
        "hoverongaps": False,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "ticksuffix": " %"},
    }
    layout = {
        "xaxis": {"type": "category", "tickangle": -45, "showgrid": False},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False},
    }
    return {"data": [trace], "layout": layout}


def _draw_rule(axis: str, value: float) -> PlotFigure:
    other = "y" if axis == "x" else "x"
    ends = {f"{axis}0": value, f"{axis}1": value, f"{other}ref": "paper", f"{other}0": 0, f"{other}1": 1}
    return {"type": "line", **ends, "line": {"color": "var(--ll-quiet)", "width": 1, "dash": "dot"}}


def _turn_axis(axis: ReachAxis) -> PlotFigure:
    """Return an axis on which still stands is at the left."""
    return {"range": [axis.still, axis.end]}
