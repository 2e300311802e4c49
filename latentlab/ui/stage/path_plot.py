"""What the networks say along a path, as a figure; and what moved, as maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from latentlab.images import ImageTensor
from latentlab.operators import MovePath
from latentlab.session import PartChange, PathPredictions, Session, SpaceResult, Workspace
from latentlab.ui.html import draw_image, draw_term, escape_text, join_html, spell_name
from latentlab.ui.stage.view import describe_result, format_bits, shorten_model_name

PathFigure = dict[str, Any]
MIN_PROBABILITY_DRAWN = 0.1  # probability that a class must reach somewhere to be drawn
MAX_CLASS_CURVES = 5  # classes
CURVE_COLOUR_COUNT = 10
HEAT_MAP_SIDE = 96  # px of a map
USUAL_HELP = "Bits per dimension that pictures of this kind have under the flow; outside, the move has left the data."


def draw_path_plot(session: Session, path: MovePath, course: PathPredictions) -> PathFigure:
    """Draw class probabilities above, bits per dimension below, the session's place as a line through both."""
    bits = [reading.bits for reading in course.predictions]
    dense = all(value is not None for value in bits)
    data = _draw_class_curves(session, course) + ([_draw_bits_curve(course, bits)] if dense else [])
    span = [path.marks[0], path.marks[-1]]
    axis = {"range": span, "fixedrange": True, "showgrid": False, "zeroline": False, "tickvals": _choose_ticks(path)}
    layout = {
        "margin": {"l": 34, "r": 6, "t": 4, "b": 20},
        "hovermode": "x",
        "showlegend": bool(session.classes),
        "legend": {"orientation": "h", "x": 0, "y": 0.9, "yanchor": "bottom", "font": {"size": 11}},
        "font": {"size": 11},
        "xaxis": {**axis, "anchor": "y2" if dense else "y", "ticksuffix": path.suffix},
        "yaxis": _make_y_axis(
            [0.42 if dense else 0, 0.88], [-0.03, 1.03], "", tickvals=[0, 0.5, 1], ticktext=["0", "½", "1"]
        ),
        "shapes": [_draw_place_line(path.here)],
        "uirevision": f"{session.result.tool!r}",
    }
    if dense:
        layout |= {"yaxis2": _make_y_axis([0, 0.32], _find_bits_range(course, bits), ".2f", nticks=2)}
        layout["shapes"] += _draw_usual_band(course, span)
    return {"data": data, "layout": layout, "config": {"displayModeBar": False, "scrollZoom": False}}


def _draw_class_curves(session: Session, course: PathPredictions) -> list[PathFigure]:
    """Draw the likeliest classes, each in the colour of its number."""
    rows = torch.tensor([reading.probabilities for reading in course.predictions])
    if not session.classes:
        return []
    order = sorted(range(rows.shape[1]), key=lambda k: -float(rows[:, k].max()))
    shown = sorted(k for k in order[:MAX_CLASS_CURVES] if float(rows[:, k].max()) >= MIN_PROBABILITY_DRAWN)
    return _draw_second_curves(session, course) + [
        {
            "x": list(course.places),
            "y": [round(float(value), 4) for value in rows[:, k]],
            "name": escape_text(spell_name(session.classes[k])),
            "mode": "lines+markers",
            "marker": {"size": 4},
            "line": {"color": f"var(--ll-k{k % CURVE_COLOUR_COUNT})", "width": 2},
            "hovertemplate": "%{y:.0%} %{fullData.name}<extra></extra>",
        }
        for k in shown
    ]


def _draw_second_curves(session: Session, course: PathPredictions) -> list[PathFigure]:
    """Draw the second classifier's likeliest class at each place, dotted and in that class's colour."""
    known = [one for one in course.beside if one is not None]
    if not known:
        return []
    rows = torch.tensor([one.probabilities for one in known])
    own = known[0].classes == session.classes
    shown = [k for k in range(rows.shape[1]) if float(rows[:, k].max()) >= 0.5][:MAX_CLASS_CURVES]
    return [
        {
            "x": list(course.places),
            "y": [round(float(value), 4) for value in rows[:, k]],
            "name": escape_text(f"{spell_name(known[0].classes[k])}, {known[0].reader}"),
            "mode": "lines",
            "showlegend": False,
            "line": {"color": f"var(--ll-k{k % CURVE_COLOUR_COUNT})" if own else "var(--ll-ink)", "dash": "dot"},
            "hovertemplate": "%{y:.0%} %{fullData.name}<extra></extra>",
        }
        for k in shown
    ]


def _draw_bits_curve(course: PathPredictions, bits: Sequence[float | None]) -> PathFigure:
    return {
        "x": list(course.places),
        "y": bits,
        "yaxis": "y2",
        "mode": "lines+markers",
        "showlegend": False,
        "marker": {"size": 3},
        "line": {"color": "var(--ll-ink)", "width": 1.5},
        "hovertemplate": "%{y:.2f} bits/dim<extra></extra>",
    }


def _choose_ticks(path: MovePath) -> list[float]:
    marks = path.marks
    return list(marks) if path.marks_are_ticks else [marks[0], marks[len(marks) // 2], marks[-1]]


def _make_y_axis(domain: list[float], span: list[float], form: str, **more: Any) -> PathFigure:
    return {"domain": domain, "range": span, "fixedrange": True, "zeroline": False, "tickformat": form, **more}


def _find_bits_range(course: PathPredictions, bits: Sequence[float | None]) -> list[float]:
    """Return the range of bits per dimension that holds the curve and the usual range, with a margin of 8 %."""
    values = [value for value in bits if value is not None]
    if course.usual:
        values += [course.usual.low, course.usual.high]
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.1
    return [low - pad, high + pad]


def _draw_place_line(place: float) -> PathFigure:
    style = {"color": "var(--ll-accent)", "width": 1.5}
    return {"type": "line", "x0": place, "x1": place, "yref": "paper", "y0": 0, "y1": 0.9, "line": style}


def _draw_usual_band(course: PathPredictions, span: list[float]) -> list[PathFigure]:
    """Draw the usual range, behind the curve."""
    if course.usual is None:
        return []
    box = {"x0": min(span), "x1": max(span), "yref": "y2", "y0": course.usual.low, "y1": course.usual.high}
    return [{"type": "rect", **box, "fillcolor": "var(--ll-soft)", "line": {"width": 0}, "layer": "below"}]


def draw_manifold_note(path: MovePath, course: PathPredictions) -> str:
    """Say in a line where the path is outside of what is usual."""
    usual = course.usual
    if usual is None:
        return ""
    outside = [
        p for p, reading in zip(course.places, course.predictions, strict=True) if not _is_usual(reading.bits, usual)
    ]
    span = f"{format_bits(usual.low)}–{format_bits(usual.high)} bits/dim"
    known = f"{draw_term('usual', f'{USUAL_HELP} Here: {usual.words}.')} {span}"
    if not outside:
        return f'<p class="ll-quiet">Stays within the {known}.</p>'
    if len(outside) == len(course.places):
        return f'<p class="ll-quiet ll-off">All of it is outside the {known}.</p>'
    where = ", ".join(path.write_place(place) for place in _find_edges(course.places, outside))
    return f'<p class="ll-quiet ll-off">Leaves the manifold at {escape_text(where)}: outside the {known}.</p>'


def _is_usual(bits: float | None, usual: Any) -> bool:
    return bits is not None and usual.low <= bits <= usual.high


def _find_edges(places: Sequence[float], outside: Sequence[float]) -> list[float]:
    """Return the first place outside on either side of those within, the nearest to them."""
    inside = [place for place in places if place not in outside]
    below, above = [p for p in outside if p < min(inside)], [p for p in outside if p > max(inside)]
    found = ([max(below)] if below else []) + ([min(above)] if above else [])
    return found or [outside[0]]


def draw_spaces(workspace: Workspace, session: Session, there: Sequence[SpaceResult]) -> str:
    """Draw the reference, then the same move in each space; a click goes to that space."""
    pinned = session.pinned
    tiles = []
    if pinned is not None:
        far = float((pinned.picture.image - session.result.image).norm())
        note = f"{escape_text(pinned.picture.origin)}<br>l2 {far:.2f} from the result"
        picture = draw_image(pinned.picture.image[0], "pinned")
        tiles.append(f'<div class="ll-there">{picture}<span><b>pinned</b>{note}</span></div>')
    tiles += [_draw_space_tile(workspace, session, one) for one in there]
    return f'<div class="ll-spaces">{join_html(tiles)}</div>'


def _draw_space_tile(workspace: Workspace, session: Session, one: SpaceResult) -> str:
    own, here = escape_text(shorten_model_name(workspace, one.model, session.world)), one.model == session.model
    head = f'<button class="ll-there" data-key="{escape_text(one.model)}" aria-pressed="{str(here).lower()}"'
    if one.result is None:
        why = escape_text(one.why.partition(";")[0])
        return f'{head} title="Go to {own}."><i></i><span><b>{own}</b>{why}</span></button>'
    done = one.result
    move, seen = escape_text(done.tool.write_caption()), escape_text(describe_result(session, done))
    note = f"{move}<br>{seen}<br>moved l2 {one.far:.2f}"
    return f'{head} title="Go to {own}.">{draw_image(done.image[0], own)}<span><b>{own}</b>{note}</span></button>'


def draw_heat_maps(parts: Sequence[PartChange]) -> str:
    """Draw every part's |Δz| on one scale, and its share of the whole move."""
    top = max(float(part.grid.max()) for part in parts)
    if top == 0:
        return '<p class="ll-quiet">Nothing moved: every coordinate is where the encoder put it.</p>'
    figures = join_html(_draw_heat_map(part, top) for part in parts)
    scale = f"|Δz| of each coordinate in σ of the prior; the darkest is {top:.2g}. The bar: the part's share of |Δz|²."
    return f'<div class="ll-maps">{figures}</div><p class="ll-quiet">{scale}</p>'


def _draw_heat_map(part: PartChange, top: float) -> str:
    share = 100 * part.share
    picture = draw_image(_make_grey_picture(part.grid / top), f"|Δz| in {part.part}")
    size = f"rms {part.rms:.2g} σ · {share:.0f} %"
    return (
        f'<figure class="ll-map">{picture}<i><s style="width:{share:.1f}%"></s></i>'
        f"<figcaption><b>{escape_text(part.part)}</b><span>{size}</span></figcaption></figure>"
    )


def _make_grey_picture(values: torch.Tensor) -> ImageTensor:
    """Return the values as a picture: 0 is white, 1 is black; a dark page inverts it."""
    return (1 - values.clamp(0, 1)).expand(3, *values.shape)
