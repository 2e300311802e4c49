"""What the networks say along a path, as a figure; and what moved, as maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from latentlab.images import Picture
from latentlab.operators import Shift
from latentlab.session import Course, Desk, Elsewhere, Heat, Path, Session
from latentlab.ui.markup import image, joined, term, text
from latentlab.ui.show import caption, density, name, seen, short

Figure = dict[str, Any]
LEAST = 0.1  # probability that a class must reach somewhere to be drawn
MOST = 5  # classes
COLOURS = 10
SIDE = 96  # px of a map
USUAL = "Bits per dimension that pictures of this kind have under the flow; outside, the move has left the data."


def words(path: Path, place: float) -> str:
    """A place on a path as people write it."""
    match path.kind:
        case "σ":
            return f"{place:+g} σ" if place else "0 σ"
        case "ε":
            return f"ε {place:.3g}"
        case "λ":
            return f"λ {place:.2f}"
    return f"× {place:g}"


def title(tool: Any, path: Path) -> str:
    if path.kind == "σ" and isinstance(tool, Shift):
        return f"along {name(tool.direction)}"
    return {
        "×": "the whole move, times",
        "ε": "the same noise, growing",
        "λ": "from the input to the partner",
    }[path.kind]


def figure(session: Session, path: Path, course: Course) -> Figure:
    """Class probabilities above, bits per dimension below, the session's place as a line through both."""
    bits = [reading.bits for reading in course.readings]
    dense = all(value is not None for value in bits)
    data = _classes(session, course) + ([_bits(course, bits)] if dense else [])
    span = [path.marks[0], path.marks[-1]]
    axis = {"range": span, "fixedrange": True, "showgrid": False, "zeroline": False, "tickvals": _ticks(path)}
    layout = {
        "margin": {"l": 34, "r": 6, "t": 4, "b": 20},
        "hovermode": "x",
        "showlegend": bool(session.classes),
        "legend": {"orientation": "h", "x": 0, "y": 0.9, "yanchor": "bottom", "font": {"size": 11}},
        "font": {"size": 11},
        "xaxis": {**axis, "anchor": "y2" if dense else "y", "ticksuffix": " σ" if path.kind == "σ" else ""},
        "yaxis": _y([0.42 if dense else 0, 0.88], [-0.03, 1.03], "", tickvals=[0, 0.5, 1], ticktext=["0", "½", "1"]),
        "shapes": [_line(path.here)],
        "uirevision": f"{session.result.tool!r}",
    }
    if dense:
        layout |= {"yaxis2": _y([0, 0.32], _reach(course, bits), ".2f", nticks=2)}
        layout["shapes"] += _band(course, span)
    return {"data": data, "layout": layout, "config": {"displayModeBar": False, "scrollZoom": False}}


def _classes(session: Session, course: Course) -> list[Figure]:
    """The likeliest classes, each in the colour of its number."""
    rows = torch.tensor([reading.probabilities for reading in course.readings])
    if not session.classes:
        return []
    order = sorted(range(rows.shape[1]), key=lambda k: -float(rows[:, k].max()))
    shown = sorted(k for k in order[:MOST] if float(rows[:, k].max()) >= LEAST)
    return [
        {
            "x": list(course.places),
            "y": [round(float(value), 4) for value in rows[:, k]],
            "name": text(name(session.classes[k])),
            "mode": "lines+markers",
            "marker": {"size": 4},
            "line": {"color": f"var(--ll-k{k % COLOURS})", "width": 2},
            "hovertemplate": "%{y:.0%} %{fullData.name}<extra></extra>",
        }
        for k in shown
    ]


def _bits(course: Course, bits: Sequence[float | None]) -> Figure:
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


def _ticks(path: Path) -> list[float]:
    marks = path.marks
    return [marks[0], marks[len(marks) // 2], marks[-1]] if path.kind in "ελ" else list(marks)


def _y(domain: list[float], span: list[float], form: str, **more: Any) -> Figure:
    return {"domain": domain, "range": span, "fixedrange": True, "zeroline": False, "tickformat": form, **more}


def _reach(course: Course, bits: Sequence[float | None]) -> list[float]:
    values = [value for value in bits if value is not None]
    if course.usual:
        values += [course.usual.low, course.usual.high]
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.1
    return [low - pad, high + pad]


def _line(place: float) -> Figure:
    style = {"color": "var(--ll-accent)", "width": 1.5}
    return {"type": "line", "x0": place, "x1": place, "yref": "paper", "y0": 0, "y1": 0.9, "line": style}


def _band(course: Course, span: list[float]) -> list[Figure]:
    """The usual range, behind the curve."""
    if course.usual is None:
        return []
    box = {"x0": min(span), "x1": max(span), "yref": "y2", "y0": course.usual.low, "y1": course.usual.high}
    return [{"type": "rect", **box, "fillcolor": "var(--ll-soft)", "line": {"width": 0}, "layer": "below"}]


def leaves(path: Path, course: Course) -> str:
    """Where the path is outside of what is usual, in a line."""
    usual = course.usual
    if usual is None:
        return ""
    outside = [p for p, reading in zip(course.places, course.readings, strict=True) if not _inside(reading.bits, usual)]
    span = f"{density(usual.low)}–{density(usual.high)} bits/dim"
    known = f"{term('usual', f'{USUAL} Here: {usual.words}.')} {span}"
    if not outside:
        return f'<p class="ll-quiet">Stays within the {known}.</p>'
    if len(outside) == len(course.places):
        return f'<p class="ll-quiet ll-off">All of it is outside the {known}.</p>'
    where = ", ".join(words(path, place) for place in _edges(course.places, outside))
    return f'<p class="ll-quiet ll-off">Leaves the manifold at {text(where)}: outside the {known}.</p>'


def _inside(bits: float | None, usual: Any) -> bool:
    return bits is not None and usual.low <= bits <= usual.high


def _edges(places: Sequence[float], outside: Sequence[float]) -> list[float]:
    """The first place outside on either side of those within, the nearest to them."""
    inside = [place for place in places if place not in outside]
    below, above = [p for p in outside if p < min(inside)], [p for p in outside if p > max(inside)]
    found = ([max(below)] if below else []) + ([min(above)] if above else [])
    return found or [outside[0]]


def beside(desk: Desk, session: Session, there: Sequence[Elsewhere]) -> str:
    """The reference, then the same move in each space; a click goes to that space."""
    pinned = session.pinned
    tiles = []
    if pinned is not None:
        far = float((pinned.found.image - session.result.image).norm())
        note = f"{text(pinned.found.origin)}<br>l2 {far:.2f} from the result"
        tiles.append(
            f'<div class="ll-there">{image(pinned.found.image[0], "pinned")}<span><b>pinned</b>{note}</span></div>'
        )
    tiles += [_tile(desk, session, one) for one in there]
    return f'<div class="ll-spaces">{joined(tiles)}</div>'


def _tile(desk: Desk, session: Session, one: Elsewhere) -> str:
    own, here = text(short(desk, one.model, session.world)), one.model == session.model
    head = f'<button class="ll-there" data-key="{text(one.model)}" aria-pressed="{str(here).lower()}"'
    if one.result is None:
        return f'{head} title="Go to {own}."><i></i><span><b>{own}</b>{text(one.why.partition(";")[0])}</span></button>'
    done = one.result
    note = f"{text(caption(done.tool))}<br>{text(seen(session, done))}<br>moved l2 {one.far:.2f}"
    return f'{head} title="Go to {own}.">{image(done.image[0], own)}<span><b>{own}</b>{note}</span></button>'


def maps(parts: Sequence[Heat]) -> str:
    """Every part's |Δz| on one scale, and its share of the whole move."""
    top = max(float(part.grid.max()) for part in parts)
    if top == 0:
        return '<p class="ll-quiet">Nothing moved: every coordinate is where the encoder put it.</p>'
    figures = joined(_map(part, top) for part in parts)
    scale = f"|Δz| of each coordinate in σ of the prior; the darkest is {top:.2g}. The bar: the part's share of |Δz|²."
    return f'<div class="ll-maps">{figures}</div><p class="ll-quiet">{scale}</p>'


def _map(part: Heat, top: float) -> str:
    share = 100 * part.share
    picture = image(_grey(part.grid / top), f"|Δz| in {part.part}")
    return (
        f'<figure class="ll-map">{picture}<i><s style="width:{share:.1f}%"></s></i>'
        f"<figcaption><b>{text(part.part)}</b><span>rms {part.rms:.2g} σ · {share:.0f} %</span></figcaption></figure>"
    )


def _grey(values: torch.Tensor) -> Picture:
    """0 is white, 1 is black; a dark page inverts it."""
    return (1 - values.clamp(0, 1)).expand(3, *values.shape)
