"""A map as a figure: the points with their colours, the selection, and on top what was moved, followed or paired."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlab.session import Selection
from latentlab.session.atlas import Layout, Plan, Sight
from latentlab.session.drift import Drift, Line, Pairs
from latentlab.session.shades import Values
from latentlab.ui.markup import uri
from latentlab.ui.plot import array
from latentlab.ui.show import name

Figure = dict[str, Any]
Trace = dict[str, Any]
Overlay = Drift | Pairs | tuple[Line, ...] | None
COLOURS = 10
SCALE = [[0, "var(--ll-low)"], [0.5, "var(--ll-mid)"], [1, "var(--ll-high)"]]
CUT = (0.02, 0.98)  # quantiles between which the scale runs, so that a few do not bleach the rest
SIZES = ((2_000, 6), (10_000, 4), (50_000, 3))  # px of a point where there are up to so many
PATHS = ("var(--ll-accent)", "var(--ll-before)")


@dataclass(frozen=True, eq=False)
class Group:
    """The rows of one curve of the figure."""

    name: str
    rows: Tensor
    colour: str


def groups(values: Values | None, count: int) -> list[Group]:
    """A curve a name that occurs; all in one where there are no names."""
    rows = torch.arange(count)
    if values is None or not values.names:
        return [Group("images", rows, "var(--ll-before)")]
    numbers = values.numbers[:count]
    two = len(values.names) == 2
    colours = ("var(--ll-good)", "var(--ll-bad)") if two else [f"var(--ll-k{k % COLOURS})" for k in range(99)]
    found = [(k, rows[numbers == k]) for k in range(len(values.names))]
    return [Group(name(values.names[k]), own, colours[k % 99]) for k, own in found if len(own)]


def rows_of(shown: Sequence[Tensor], points: Sequence[tuple[int, int]]) -> list[int]:
    """The rows of the map that these points of the figure are; those of what lies on top are none."""
    return [int(shown[c][p]) for c, p in points if c < len(shown) and p < len(shown[c])]


def figure(
    sight: Sight, plan: Plan, selection: Selection, here: Line | None, overlay: Overlay
) -> tuple[Figure, list[Tensor]]:
    """The figure, and the rows of its first curves."""
    assert sight.layout is not None
    layout, places = sight.layout, sight.layout.places
    curves = groups(sight.values, len(places))
    data = [points(curve, places, sight.values) for curve in curves]
    data += selected(places, plan, selection) + overlaid(layout, places, overlay) + bench(layout, here)
    shown = {
        "data": [finished(trace, places.shape[1]) for trace in data],
        "layout": frame(plan, layout, named=sum(bool(trace.get("showlegend", True)) for trace in data) > 1),
        "config": {"scrollZoom": True},
        "pictures": {"world": plan.world, "source": plan.source},
    }
    return shown, [curve.rows for curve in curves]


def frame(plan: Plan, layout: Layout, named: bool) -> Figure:
    flat = layout.places.shape[1] == 2
    hidden = {"visible": False}
    axes: Figure = (
        {"xaxis": hidden, "yaxis": {**hidden, "scaleanchor": "x"}}
        if flat
        else {"scene": {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data"}}
    )
    return {
        **axes,
        "margin": {"l": 0, "r": 0, "t": 28, "b": 0},
        "showlegend": named,
        "dragmode": "lasso" if flat else "orbit",
        "uirevision": f"{plan} {layout.places.shape[1]}",
        "legend": {"x": 1, "xanchor": "right", "y": 1, "bgcolor": "var(--ll-ground)"},
    }


def points(curve: Group, places: Tensor, values: Values | None) -> Trace:
    size = next(px for most, px in SIZES if len(places) <= most)
    marker: Figure = {"size": size, "color": curve.colour, "opacity": 0.8}
    if values is not None and not values.names:
        numbers = values.numbers[: len(places)].float()
        low, high = numbers.quantile(torch.tensor(CUT)).tolist()
        marker |= {"color": array(numbers), "colorscale": SCALE, "cmin": low, "cmax": high, "showscale": True}
        marker["colorbar"] = {
            "title": {"text": values.unit, "side": "right"},
            "thickness": 8,
            "len": 0.5,
            "outlinewidth": 0,
        }
    return {
        "type": "scattergl",
        "mode": "markers",
        "name": safe(curve.name),
        **axes_of(places[curve.rows]),
        "customdata": array(curve.rows),
        "marker": marker,
        "hoverinfo": "none",
        "unselected": {"marker": {"opacity": 0.8}},
    }


def selected(places: Tensor, plan: Plan, selection: Selection) -> list[Trace]:
    """Both sets in hand as outlines; they take no hover away from the points beneath."""
    if selection.source != plan.source:
        return []
    marks = (
        ("selection", selection.rows, "circle-open", "ink"),
        ("second set", selection.others, "square-open", "warn"),
    )
    found = [(word, [row for row in rows if row < len(places)], mark, ink) for word, rows, mark, ink in marks]
    return [
        {
            "type": "scattergl",
            "mode": "markers",
            "name": f"{word} ({len(rows):,})",
            **axes_of(places[rows]),
            "marker": {"size": 10, "symbol": mark, "color": f"var(--ll-{ink})", "line": {"width": 1.5}},
            "hoverinfo": "skip",
        }
        for word, rows, mark, ink in found
        if rows
    ]


def overlaid(layout: Layout, places: Tensor, overlay: Overlay) -> list[Trace]:
    match overlay:
        case Drift() if max(overlay.rows) < len(places):
            ends = layout.place(overlay.ends)
            words = [f"from {near(b)} to {near(a)}" for b, a in zip(overlay.before, overlay.near, strict=True)]
            return arrows("moved", places[list(overlay.rows)], ends, overlay.images, words)
        case Pairs() if max(*overlay.rows, *overlay.others) < len(places):
            first, second = places[list(overlay.rows)], places[list(overlay.others)]
            return [
                joined("random pairs", first, second[overlay.random], "var(--ll-before)", 1),
                joined("transport", first, second[overlay.transport], "var(--ll-accent)", 1),
            ]
        case tuple():
            return [trail(layout, way, colour) for way, colour in zip(overlay, PATHS, strict=False)]
    return []


def near(distance: Tensor) -> str:
    return f"{float(distance):.3g}"


def arrows(label: str, starts: Tensor, ends: Tensor, images: Tensor, words: Sequence[str]) -> list[Trace]:
    """From each start to its end; the head stands on the end, and shows its picture."""
    shafts = joined(label, starts, ends, "var(--ll-ink)", 1)
    shafts |= {"opacity": 0.55, "legendgroup": label, "showlegend": False}
    heads = {
        "type": "scattergl",
        "mode": "markers",
        "name": label,
        "legendgroup": label,
        **axes_of(ends),
        "customdata": [uri(picture) for picture in images],
        "text": [f"{label}, nearest real one {word}" for word in words],
        "marker": {"size": 7, "color": "var(--ll-ground)", "line": {"width": 1.5, "color": "var(--ll-ink)"}},
        "hoverinfo": "none",
    }
    return [shafts, heads]


def joined(label: str, starts: Tensor, ends: Tensor, colour: str, width: float) -> Trace:
    """A straight line each, as one curve with gaps."""
    gap = torch.full_like(starts, torch.nan)
    whole = torch.stack([starts, ends, gap], 1).flatten(0, 1)
    return {
        "type": "scattergl",
        "mode": "lines",
        "name": label,
        **axes_of(whole),
        "line": {"color": colour, "width": width},
        "hoverinfo": "skip",
    }


def trail(layout: Layout, way: Line, colour: str) -> Trace:
    """A path with a picture at each of its marks; the last one is larger."""
    sizes = [6] * (len(way.words) - 1) + [10]
    words = [f"{way.name}, {word}: nearest real one {near(far)}" for word, far in zip(way.words, way.near, strict=True)]
    return {
        "type": "scattergl",
        "mode": "lines+markers",
        "name": way.name,
        **axes_of(layout.place(way.points)),
        "customdata": [uri(picture) for picture in way.images],
        "text": words,
        "line": {"color": colour, "width": 2},
        "marker": {
            "size": sizes,
            "color": colour,
            "line": {"width": 1, "color": "var(--ll-ground)"},
        },
        "hoverinfo": "none",
    }


def bench(layout: Layout, here: Line | None) -> list[Trace]:
    """The workbench's input and result, by name; what the model gives back without a move lies between them."""
    if here is None:
        return []
    way = trail(layout, here, "var(--ll-accent)")
    way["line"] |= {"dash": "dot", "width": 1.5}
    way["marker"] = {**way["marker"], "size": [11, 5, 11], "symbol": ["circle", "circle", "diamond"]}
    labels = {**way, "mode": "text", "text": ["input", "", "result"], "hoverinfo": "skip"}
    labels |= {"textposition": ["bottom center", "top center", "top center"]}
    labels |= {"showlegend": False, "textfont": {"size": 12, "color": "var(--ll-ink)"}, "name": "names"}
    del labels["customdata"], labels["line"], labels["marker"]
    return [way, labels]


def axes_of(places: Tensor) -> Trace:
    return {axis: array(column) for axis, column in zip("xyz", places.T, strict=False)}


def finished(trace: Trace, dims: int) -> Trace:
    """The same curve in a room of three axes, where lines and points are of one kind, and points look larger."""
    if dims == 2:
        return trace
    marker = dict(trace.get("marker", {}))
    if "size" in marker:
        size = marker["size"]
        marker["size"] = [px / 2 for px in size] if isinstance(size, list) else size / 2
    return {**trace, "type": "scatter3d", "marker": marker}


def safe(word: str) -> str:
    """Plotly reads some tags in what it is given as text."""
    return html.escape(word)
