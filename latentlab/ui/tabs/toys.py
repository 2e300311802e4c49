"""Toy room: sets in the plane, where one sees whether a mix stays on them."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from latentlab.chance import seeded
from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.toys import RULES, SETS, Cloud, Mixed, Toy, crossed, mix, off_support
from latentlab.ui import show
from latentlab.ui.form import modes, number, touched, widget
from latentlab.ui.markup import text
from latentlab.ui.plot import PlotlyView, array
from latentlab.ui.wiring import Page

TITLE, KEY = "Toy room", "toys"
TOOLS = ()
POINTS = 600
REACH = 1.7  # of the axes: all sets lie within
K = Setting("k", int, 30, Knob("points in a batch of transport; 1 is mixup", 1, POINTS // 2))
SEED = Setting("seed", int, 0, Knob("of the points and of every draw", 0, 10**6))
SHARES = {"beta": "λ drawn evenly", "half": "λ = ½"}
TITLES = {
    "mixup": "mixup: partners at random",
    "k-mixup": "k-mixup: the nearest match of two batches",
    "random": "batches of k, matched at random",
}
HINT = (
    "Two halves of the points are mixed with each other, point by point. With a larger k the match is between near "
    "points, and the mixes stay on the set; with batches alone, matched at random, they do not."
)


def build(page: Page, tab: gr.Tab) -> None:
    """Widgets first, events last."""
    with gr.Row(elem_classes="ll-map-modes"):
        which = modes({key: toy.title for key, toy in SETS.items()}, "toys")
        share = modes(SHARES, "toys-share")
        lines = gr.Checkbox(False, label="show the pairs", elem_id="toys-pairs", container=False)
    with gr.Row(elem_classes="ll-bank"):
        k, seed = widget(K, "toys"), number(SEED, "toys")
    note = gr.HTML(elem_id="toys-note")
    panels: list[tuple[PlotlyView, gr.HTML]] = []
    with gr.Row(elem_classes="ll-toys"):
        for rule in RULES:
            with gr.Column(min_width=220):
                gr.HTML(f'<h3 class="ll-heading">{text(TITLES[rule])}</h3>')
                panels.append((PlotlyView(height=300, label=TITLES[rule], elem_id=f"toys-{rule}"), gr.HTML()))
    gr.HTML(f'<p class="ll-quiet">{text(HINT)}</p>')

    controls = [which, share, lines, k, seed]
    outputs = [*(part for panel in panels for part in panel), note]
    gr.on(
        [tab.select, *touched(controls)],
        mixed,
        controls,
        outputs,
        trigger_mode="always_last",
        concurrency_limit=None,
        show_progress="hidden",
        api_visibility="private",
    )


def mixed(which: Any, share: Any, lines: Any, k: Any, seed: Any) -> list[Any]:
    """The three panels and what went wrong."""
    try:
        toy, count, draw = SETS.get(which, SETS["ring"]), K.check(k), SEED.check(seed)
    except UserError as error:
        return [*[gr.skip()] * (2 * len(RULES)), show.note(str(error))]
    cloud = toy.sample(POINTS, seeded(draw))
    shown: list[Any] = []
    for rule in RULES:
        found = mix(cloud.points, rule, count, seeded(draw + 1), 0.5 if share == "half" else None)
        shown += [figure(toy, cloud, found, bool(lines)), words(toy, cloud, found)]
    return [*shown, ""]


def figure(toy: Toy, cloud: Cloud, found: Mixed, pairs: bool) -> dict[str, Any]:
    """The set in grey, the mixes that lie on it and those that do not; the pairs as faint lines."""
    off = toy.beyond(found.points) > 1e-5
    data = [
        dots("the set", cloud.points, "var(--ll-before)", 3, 0.45),
        dots("on it", found.points[~off], "var(--ll-good)", 5, 0.9),
        dots("off it", found.points[off], "var(--ll-bad)", 5, 0.9),
    ]
    if pairs:
        data.insert(0, segments(cloud.points[found.pairs]))
    axis = {"visible": False, "range": [-REACH, REACH], "fixedrange": True}
    layout = {
        "xaxis": axis,
        "yaxis": {**axis, "scaleanchor": "x"},
        "showlegend": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "dragmode": False,
    }
    return {"data": data, "layout": layout, "config": {"displayModeBar": False}}


def dots(label: str, points: torch.Tensor, colour: str, size: int, opacity: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": array(points[:, 0]),
        "y": array(points[:, 1]),
        "marker": {"size": size, "color": colour, "opacity": opacity},
        "hoverinfo": "skip",
    }


def segments(ends: torch.Tensor) -> dict[str, Any]:
    """A line a pair, as one curve with gaps."""
    gaps = torch.full_like(ends[:, :1], torch.nan)
    whole = torch.cat([ends, gaps], 1).flatten(0, 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "pairs",
        "x": array(whole[:, 0]),
        "y": array(whole[:, 1]),
        "line": {"color": "var(--ll-before)", "width": 0.6},
        "opacity": 0.6,
        "hoverinfo": "skip",
    }


def words(toy: Toy, cloud: Cloud, found: Mixed) -> str:
    """How many mixes left the set, and how many pairs joined two of its clusters."""
    count, off = len(found.points), off_support(toy, found.points)
    left = f"<b>{off} of {count}</b> mixes fall off the {text(toy.title)}."
    if toy.clusters == 1:
        return f'<p class="ll-toy">{left}</p>'
    return f'<p class="ll-toy">{left} <span>{crossed(cloud.labels, found.pairs)} pairs cross.</span></p>'
