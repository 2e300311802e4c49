"""A map as a figure: the points with their colours, the selection, and on top what was moved, followed or paired."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlab.session import Selection
from latentlab.session.map.coloring import PointValues
from latentlab.session.map.layout import Layout
from latentlab.session.map.overlays import MovedPoints, PointPairs, PointPath
from latentlab.session.map.plan import MapPlan
from latentlab.session.map.service import MapState
from latentlab.session.map.sprite import MAX_SPRITES
from latentlab.ui.html import encode_png_uri, spell_name
from latentlab.ui.plotly_view import encode_array

MapFigure = dict[str, Any]
Trace = dict[str, Any]
Overlay = MovedPoints | PointPairs | tuple[PointPath, ...] | None
CLASS_COLOUR_COUNT = 10
COLOUR_SCALE = [[0, "var(--ll-low)"], [0.5, "var(--ll-mid)"], [1, "var(--ll-high)"]]
SCALE_QUANTILES = (0.02, 0.98)  # quantiles between which the scale runs, so that a few do not bleach the rest
POINT_SIZES = ((2_000, 6), (10_000, 4), (50_000, 3))  # px of a point where there are up to so many
PATH_COLOURS = ("var(--ll-accent)", "var(--ll-before)")


@dataclass(frozen=True, eq=False)
class PointGroup:
    """The rows of one curve of the figure."""

    name: str
    rows: Tensor
    colour: str


def group_points(values: PointValues | None, count: int) -> list[PointGroup]:
    """Make a curve of each name that occurs; where there are no names, one curve holds all rows."""
    rows = torch.arange(count)
    if values is None or not values.names:
        return [PointGroup("images", rows, "var(--ll-before)")]
    numbers = values.numbers[:count]
    two = len(values.names) == 2
    colours = (
        ("var(--ll-good)", "var(--ll-bad)") if two else [f"var(--ll-k{k % CLASS_COLOUR_COUNT})" for k in range(99)]
    )
    found = [(k, rows[numbers == k]) for k in range(len(values.names))]
    return [PointGroup(spell_name(values.names[k]), own, colours[k % 99]) for k, own in found if len(own)]


def find_point_rows(shown: Sequence[Tensor], points: Sequence[tuple[int, int]]) -> list[int]:
    """Return the rows of the map that these points of the figure are; what lies on top has no rows."""
    return [int(shown[c][p]) for c, p in points if c < len(shown) and p < len(shown[c])]


def draw_map_figure(
    sight: MapState,
    plan: MapPlan,
    selection: Selection,
    here: PointPath | None,
    overlay: Overlay,
    pictures: bool = True,
) -> tuple[MapFigure, list[Tensor]]:
    """Return the figure, and the rows of its first curves; `pictures` shows thumbnails in the place of points."""
    assert sight.layout is not None
    layout, places = sight.layout, sight.layout.plane_points
    curves = group_points(sight.values, len(places))
    data = [draw_point_group(curve, places, sight.values) for curve in curves]
    data += (
        outline_selection(places, plan, selection)
        + draw_overlay(layout, places, overlay)
        + draw_workbench_trail(layout, here)
    )
    names = {"annotations": write_group_names(curves, places)}
    shown = {
        "data": [adapt_trace(trace, places.shape[1]) for trace in data],
        "layout": names | lay_out_map(plan, layout, sum(bool(trace.get("showlegend", True)) for trace in data) > 1),
        "config": {"scrollZoom": True},
        "pictures": {"world": plan.world, "source": plan.source},
        "sprites": describe_sprites(plan) if pictures and places.shape[1] == 2 else None,
    }
    return shown, [curve.rows for curve in curves]


def describe_sprites(plan: MapPlan) -> dict[str, Any] | None:
    """Say which sheet of thumbnails belongs to the plan; none where there are too many points."""
    if plan.count > MAX_SPRITES:
        return None
    return {"world": plan.world, "source": plan.source, "space": plan.space, "count": plan.count}


def write_group_names(curves: Sequence[PointGroup], places: Tensor) -> list[MapFigure]:
    """Write each group's name at the median of its points, where the groups are many and a plane shows them."""
    if len(curves) < 3 or places.shape[1] != 2:
        return []
    look = {"showarrow": False, "bgcolor": "var(--ll-ground)", "opacity": 0.85, "borderpad": 2, "font": {"size": 14}}
    middles = [places[curve.rows].median(0).values.tolist() for curve in curves]
    names = [f"<b>{escape_label(curve.name)}</b>" for curve in curves]
    return [{**look, "x": x, "y": y, "text": name} for (x, y), name in zip(middles, names, strict=True)]


def lay_out_map(plan: MapPlan, layout: Layout, named: bool) -> MapFigure:
    flat = layout.plane_points.shape[1] == 2
    hidden = {"visible": False}
    axes: MapFigure = (
        {"xaxis": hidden, "yaxis": {**hidden, "scaleanchor": "x"}}
        if flat
        else {"scene": {"xaxis": hidden, "yaxis": hidden, "zaxis": hidden, "aspectmode": "data"}}
    )
    return {
        **axes,
        "margin": {"l": 0, "r": 0, "t": 28, "b": 0},
        "showlegend": named,
        "dragmode": "lasso" if flat else "orbit",
        "uirevision": f"{plan} {layout.plane_points.shape[1]}",
        "legend": {"x": 1, "xanchor": "right", "y": 1, "bgcolor": "var(--ll-ground)"},
    }


def draw_point_group(curve: PointGroup, places: Tensor, values: PointValues | None) -> Trace:
    size = next(px for most, px in POINT_SIZES if len(places) <= most)
    marker: MapFigure = {"size": size, "color": curve.colour, "opacity": 0.8}
    if values is not None and not values.names:
        numbers = values.numbers[: len(places)].float()
        low, high = numbers.quantile(torch.tensor(SCALE_QUANTILES)).tolist()
        marker |= {
            "color": encode_array(numbers),
            "colorscale": COLOUR_SCALE,
            "cmin": low,
            "cmax": high,
            "showscale": True,
        }
        marker["colorbar"] = {
            "title": {"text": values.unit, "side": "right"},
            "thickness": 8,
            "len": 0.5,
            "outlinewidth": 0,
        }
    return {
        "type": "scattergl",
        "mode": "markers",
        "name": escape_label(curve.name),
        **split_axes(places[curve.rows]),
        "customdata": encode_array(curve.rows),
        "marker": marker,
        "hoverinfo": "none",
        "unselected": {"marker": {"opacity": 0.8}},
    }


def outline_selection(places: Tensor, plan: MapPlan, selection: Selection) -> list[Trace]:
    """Draw both sets in hand as outlines; they take no hover away from the points beneath."""
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
            **split_axes(places[rows]),
            "marker": {"size": 10, "symbol": mark, "color": f"var(--ll-{ink})", "line": {"width": 1.5}},
            "hoverinfo": "skip",
        }
        for word, rows, mark, ink in found
        if rows
    ]


def draw_overlay(layout: Layout, places: Tensor, overlay: Overlay) -> list[Trace]:
    match overlay:
        case MovedPoints() if max(overlay.rows) < len(places):
            ends = layout.place_points(overlay.ends)
            words = [
                f"from {format_map_distance(b)} to {format_map_distance(a)}"
                for b, a in zip(overlay.before, overlay.near, strict=True)
            ]
            return draw_arrows("moved", places[list(overlay.rows)], ends, overlay.images, words)
        case PointPairs() if max(*overlay.rows, *overlay.others) < len(places):
            first, second = places[list(overlay.rows)], places[list(overlay.others)]
            return [
                draw_line_segments("random pairs", first, second[overlay.random], "var(--ll-before)", 1),
                draw_line_segments("transport", first, second[overlay.transport], "var(--ll-accent)", 1),
            ]
        case tuple():
            return [draw_trail(layout, way, colour) for way, colour in zip(overlay, PATH_COLOURS, strict=False)]
    return []


def format_map_distance(distance: Tensor) -> str:
    return f"{float(distance):.3g}"


def draw_arrows(label: str, starts: Tensor, ends: Tensor, images: Tensor, words: Sequence[str]) -> list[Trace]:
    """Draw an arrow from each start to its end; the head stands on the end, and shows its picture."""
    shafts = draw_line_segments(label, starts, ends, "var(--ll-ink)", 1)
    shafts |= {"opacity": 0.55, "legendgroup": label, "showlegend": False}
    heads = {
        "type": "scattergl",
        "mode": "markers",
        "name": label,
        "legendgroup": label,
        **split_axes(ends),
        "customdata": [encode_png_uri(picture) for picture in images],
        "text": [f"{label}, nearest real one {word}" for word in words],
        "marker": {"size": 7, "color": "var(--ll-ground)", "line": {"width": 1.5, "color": "var(--ll-ink)"}},
        "hoverinfo": "none",
    }
    return [shafts, heads]


def draw_line_segments(label: str, starts: Tensor, ends: Tensor, colour: str, width: float) -> Trace:
    """Draw a straight line from each start to its end, all as one curve with gaps."""
    gap = torch.full_like(starts, torch.nan)
    whole = torch.stack([starts, ends, gap], 1).flatten(0, 1)
    return {
        "type": "scattergl",
        "mode": "lines",
        "name": label,
        **split_axes(whole),
        "line": {"color": colour, "width": width},
        "hoverinfo": "skip",
    }


def draw_trail(layout: Layout, way: PointPath, colour: str) -> Trace:
    """Draw a path with a picture at each of its marks; the last one is larger."""
    sizes = [6] * (len(way.words) - 1) + [10]
    words = [
        f"{way.name}, {word}: nearest real one {format_map_distance(far)}"
        for word, far in zip(way.words, way.near, strict=True)
    ]
    return {
        "type": "scattergl",
        "mode": "lines+markers",
        "name": way.name,
        **split_axes(layout.place_points(way.points)),
        "customdata": [encode_png_uri(picture) for picture in way.images],
        "text": words,
        "line": {"color": colour, "width": 2},
        "marker": {
            "size": sizes,
            "color": colour,
            "line": {"width": 1, "color": "var(--ll-ground)"},
        },
        "hoverinfo": "none",
    }


def draw_workbench_trail(layout: Layout, here: PointPath | None) -> list[Trace]:
    """Draw the workbench's input and result, by name; what the model gives back without a move lies between them."""
    if here is None:
        return []
    way = draw_trail(layout, here, "var(--ll-accent)")
    way["line"] |= {"dash": "dot", "width": 1.5}
    way["marker"] = {**way["marker"], "size": [11, 5, 11], "symbol": ["circle", "circle", "diamond"]}
    labels = {**way, "mode": "text", "text": ["input", "", "result"], "hoverinfo": "skip"}
    labels |= {"textposition": ["bottom center", "top center", "top center"]}
    labels |= {"showlegend": False, "textfont": {"size": 12, "color": "var(--ll-ink)"}, "name": "names"}
    del labels["customdata"], labels["line"], labels["marker"]
    return [way, labels]


def split_axes(places: Tensor) -> Trace:
    return {axis: encode_array(column) for axis, column in zip("xyz", places.T, strict=False)}


def adapt_trace(trace: Trace, dims: int) -> Trace:
    """Return the same curve for a room of three axes, where lines and points are of one kind and points look larger."""
    if dims == 2:
        return trace
    marker = dict(trace.get("marker", {}))
    if "size" in marker:
        size = marker["size"]
        marker["size"] = [px / 2 for px in size] if isinstance(size, list) else size / 2
    return {**trace, "type": "scatter3d", "marker": marker}


def escape_label(word: str) -> str:
    """Escape a word: Plotly reads some tags in what it is given as text."""
    return html.escape(word)
