"""Map: where a moved image lands among the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.projections import UMAP, PaCMAP
from latentlab.session.atlas import COUNTS, Atlas
from latentlab.session.shades import SHADES
from latentlab.ui import plot
from latentlab.ui.form import Form, modes
from latentlab.ui.markup import text
from latentlab.ui.paper import OVERLAYS, SOURCES, Paper, picture
from latentlab.ui.plot import PlotlyView
from latentlab.ui.wiring import QUEUE, Page, on

TITLE, KEY = "Map", "map"
TOOLS = ()
SECONDS = 0.7  # between two looks
METHODS = {"pca": "PCA", "pacmap": "PaCMAP", "umap": "UMAP"}
TARGETS = {"first": "selection", "second": "second set"}
HINT = (
    "Click a point to take its picture. Draw around points to select them: every tab can use the selection. "
    "Two clicks in the open put it away. Legend entries switch classes off."
)
ABOUT = "latents of a model, or the features of a classifier"
SEEN = "(seen, ...rest) => [Boolean(document.querySelector('#map-plot .ll-figure')?.offsetParent), ...rest]"


def build(page: Page, tab: gr.Tab) -> None:
    """Widgets first, events last."""
    desk = page.desk
    atlas = Atlas(desk, projections())
    with gr.Row(elem_classes="ll-bank"):
        space = gr.Dropdown([], label="points of", info=ABOUT, elem_id="map-space")
        source = gr.Dropdown(SOURCES, value=None, label="pictures", elem_id="map-source")
        count = gr.Dropdown([(f"{n:,}", n) for n in COUNTS], value=None, label="how many", elem_id="map-count")
        shade = gr.Dropdown(list(SHADES), value="label", label="colour", elem_id="map-shade")
        detail = gr.Dropdown([], label="attribute", elem_id="map-detail", visible=False)
    with gr.Row(elem_classes="ll-map-modes"):
        method, dims = modes(METHODS, "map"), modes({"2": "2-D", "3": "3-D"}, "map-dims")
        progress = gr.HTML(elem_id="map-progress")
        cancel = gr.Button("Cancel", elem_id="map-cancel", size="sm", interactive=False)
    note = gr.HTML(elem_id="map-note")
    figure = PlotlyView(height=520, label="map", picture=lambda asked: picture(page, asked), elem_id="map-plot")
    with gr.Row(elem_classes="ll-map-modes"):
        target = modes(TARGETS, "map-target")
        clear = gr.Button("Clear both", elem_id="map-clear", size="sm")
        overlay = modes(OVERLAYS, "map-overlay")
        bits = gr.Checkbox(False, label="with bits/dim", elem_id="map-bits", container=False)
    numbers = gr.HTML(elem_id="map-numbers")
    gr.HTML(f'<p class="ll-quiet">{text(HINT)}</p>')
    with gr.Accordion("Knobs of the projection", open=False, elem_id="map-knobs"):
        with gr.Row(elem_classes="ll-bank"):
            pacmap = Form(PaCMAP, skip={"dims"})
        with gr.Row(elem_classes="ll-bank"):
            umap = Form(UMAP, skip={"dims"})
    view, extra, timer = gr.State(None), gr.State(None), gr.Timer(SECONDS)
    seen = gr.Checkbox(False, visible=False)
    due = gr.Textbox("", visible="hidden", elem_id="map-due")

    controls = [space, source, count, method, dims, shade, detail, overlay, bits, *pacmap.widgets, *umap.widgets]
    outputs = [view, figure, progress, cancel, note, numbers, due, space, source, count, shade, detail, overlay]
    paper = Paper(page, atlas, pacmap, umap)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    quick: dict[str, Any] = {**quiet, "concurrency_limit": None}
    reads = [seen, page.session, view, extra, *controls]
    timer.tick(paper.look, reads, outputs, js=SEEN, trigger_mode="once", **quick)
    hands = [tab.select, *(widget.input for widget in controls)]
    gr.on(hands, paper.again, reads, outputs, js=SEEN, trigger_mode="always_last", **quick)
    due.change(
        paper.measure,
        [page.session, view, extra, due],
        extra,
        show_progress="hidden",
        api_visibility="private",
        **QUEUE,
    )
    cancel.click(paper.cancel, view, None, queue=False, api_visibility="private")
    on(page, [figure.click], paper.take, [view], note, page.picture, plot.points)
    on(page, [figure.select], paper.lasso, [view, target], note, event=plot.points)
    on(page, [figure.clear, clear.click], paper.put_away, [], note)


def projections() -> Path:
    """Where what was laid out once is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "latentlab" / "projections"
