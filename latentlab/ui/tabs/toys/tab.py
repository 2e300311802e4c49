"""The tab Toy room: sets in the plane, where one sees whether a mix stays on them."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from latentlab.chance import make_generator
from latentlab.knobs import Knob, Setting
from latentlab.toys import (
    MIXING_RULES,
    TOY_SETS,
    MixedPoints,
    PointCloud,
    ToySet,
    count_crossing_pairs,
    count_off_support,
    mix_points,
)
from latentlab.ui.events import FREE_LANE, Reads, connect_events, list_widgets
from latentlab.ui.form import list_touch_events, make_knob_widget, make_mode_choice, make_number_box
from latentlab.ui.html import escape_text
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.plotly_view import PlotlyView, encode_array

TITLE, KEY = "Toy room", "toys"
PURPOSE = "Mix points of the plane, where one sees at once which mixes leave the set."
TOY_POINT_COUNT = 600
AXIS_REACH = 1.7  # of the axes: all sets lie within
MATCH_BATCH = Setting("k", int, 30, Knob("points in a batch of transport; 1 is mixup", 1, TOY_POINT_COUNT // 2))
TOYS_SEED = Setting("seed", int, 0, Knob("of the points and of every draw", 0, 10**6))
SHARE_LABELS = {"beta": "λ drawn evenly", "half": "λ = ½"}
RULE_TITLES = {
    "mixup": "mixup: partners at random",
    "k-mixup": "k-mixup: batches of k, matched nearest",
    "random": "batches of k, matched at random",
}
TOYS_HINT = (
    "Two halves of the points are mixed with each other, point by point. With a larger k the match is between near "
    "points, and the mixes stay on the set; with batches alone, matched at random, they do not."
)


def build_toys_tab(page: Page, tab: gr.Tab) -> None:
    """Build the tab: widgets come first, events last."""
    with gr.Row(elem_classes="ll-map-modes"):
        which = make_mode_choice({key: toy.title for key, toy in TOY_SETS.items()}, "toys")
        share = make_mode_choice(SHARE_LABELS, "toys-share")
        lines = gr.Checkbox(False, label="show the pairs", elem_id="toys-pairs", container=False)
    with gr.Row(elem_classes="ll-bank"):
        k, seed = make_knob_widget(MATCH_BATCH, "toys"), make_number_box(TOYS_SEED, "toys")
    note = gr.HTML(elem_id="toys-note")
    figures: dict[str, PlotlyView] = {}
    words: dict[str, gr.HTML] = {}
    with gr.Row(elem_classes="ll-toys"):
        for rule in MIXING_RULES:
            with gr.Column(min_width=220):
                gr.HTML(f'<h3 class="ll-heading">{escape_text(RULE_TITLES[rule])}</h3>')
                figures[rule] = PlotlyView(height=300, label=RULE_TITLES[rule], elem_id=f"toys-{rule}")
                words[rule] = gr.HTML()
    gr.HTML(f'<p class="ll-quiet">{escape_text(TOYS_HINT)}</p>')

    def show_toys(**wish: Any) -> Painted:
        drawn = draw_toy_panels(**wish)
        painted: Painted = {figures[rule]: figure for rule, (figure, _) in drawn.items()}
        return {**painted, **{words[rule]: said for rule, (_, said) in drawn.items()}, note: ""}

    reads: Reads = {"which": which, "share": share, "lines": lines, "k": k, "seed": seed}
    triggers = [tab.select, *list_touch_events(list_widgets(reads))]
    connect_events(triggers, show_toys, reads, [*figures.values(), *words.values(), note], note, lane=FREE_LANE)


def draw_toy_panels(which: Any, share: Any, lines: Any, k: Any, seed: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """Return figure and words of each rule's panel."""
    toy, count, draw = TOY_SETS.get(which, TOY_SETS["ring"]), MATCH_BATCH.check_value(k), TOYS_SEED.check_value(seed)
    cloud, fixed = toy.sample(TOY_POINT_COUNT, make_generator(draw)), 0.5 if share == "half" else None
    mixes = {rule: mix_points(cloud.points, rule, count, make_generator(draw + 1), fixed) for rule in MIXING_RULES}
    return {
        rule: (draw_toy_figure(toy, cloud, found, bool(lines)), describe_toy_mixes(toy, cloud, found))
        for rule, found in mixes.items()
    }


def draw_toy_figure(toy: ToySet, cloud: PointCloud, found: MixedPoints, pairs: bool) -> dict[str, Any]:
    """Draw the set in grey, the mixes that lie on it and those that do not; the pairs are faint lines."""
    off = toy.measure_distance(found.points) > 1e-5
    data = [
        draw_dots("the set", cloud.points, "var(--ll-before)", 3, 0.45),
        draw_dots("on it", found.points[~off], "var(--ll-good)", 5, 0.9),
        draw_dots("off it", found.points[off], "var(--ll-bad)", 5, 0.9),
    ]
    if pairs:
        data.insert(0, draw_pair_segments(cloud.points[found.pairs]))
    axis = {"visible": False, "range": [-AXIS_REACH, AXIS_REACH], "fixedrange": True}
    layout = {
        "xaxis": axis,
        "yaxis": {**axis, "scaleanchor": "x"},
        "showlegend": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "dragmode": False,
    }
    return {"data": data, "layout": layout, "config": {"displayModeBar": False}}


def draw_dots(label: str, points: torch.Tensor, colour: str, size: int, opacity: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": encode_array(points[:, 0]),
        "y": encode_array(points[:, 1]),
        "marker": {"size": size, "color": colour, "opacity": opacity},
        "hoverinfo": "skip",
    }


def draw_pair_segments(ends: torch.Tensor) -> dict[str, Any]:
    """Draw a line a pair, as one curve with gaps."""
    gaps = torch.full_like(ends[:, :1], torch.nan)
    whole = torch.cat([ends, gaps], 1).flatten(0, 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "pairs",
        "x": encode_array(whole[:, 0]),
        "y": encode_array(whole[:, 1]),
        "line": {"color": "var(--ll-before)", "width": 0.6},
        "opacity": 0.6,
        "hoverinfo": "skip",
    }


def describe_toy_mixes(toy: ToySet, cloud: PointCloud, found: MixedPoints) -> str:
    """Say how many mixes left the set, and how many pairs joined two of its clusters."""
    count, off = len(found.points), count_off_support(toy, found.points)
    left = f"<b>{off} of {count}</b> mixes fall off the {escape_text(toy.title)}."
    if toy.clusters == 1:
        return f'<p class="ll-toy">{left}</p>'
    return f'<p class="ll-toy">{left} <span>{count_crossing_pairs(cloud.labels, found.pairs)} pairs cross.</span></p>'
