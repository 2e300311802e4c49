"""The tab Map: where a moved image lands among the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.projections import UMAP, PaCMAP
from latentlab.session.map.coloring import COLOURING_KINDS
from latentlab.session.map.plan import MAP_SIZES
from latentlab.session.map.service import MapMaker
from latentlab.ui import plotly_view
from latentlab.ui.events import TORCH_QUEUE, Page, connect_action
from latentlab.ui.form import Form, make_mode_choice
from latentlab.ui.html import escape_text
from latentlab.ui.plotly_view import PlotlyView
from latentlab.ui.tabs.map.controller import OVERLAY_LABELS, PICTURE_SOURCES, MapController, preview_point

TITLE, KEY = "Map", "map"
LOOK_SECONDS = 0.7  # between two looks
PROJECTION_LABELS = {"pca": "PCA", "pacmap": "PaCMAP", "umap": "UMAP"}
LASSO_TARGETS = {"first": "selection", "second": "second set"}
MAP_HINT = (
    "Click a point to take its picture. Draw around points to select them: every tab can use the selection. "
    "Two clicks in the open put it away. Legend entries switch classes off."
)
SPACE_HINT = "latents of a model, or the features of a classifier"
MAP_SEEN_SCRIPT = "(seen, ...rest) => [Boolean(document.querySelector('#map-plot .ll-figure')?.offsetParent), ...rest]"


def build_map_tab(page: Page, tab: gr.Tab) -> None:
    """Build the tab: widgets come first, events last."""
    workspace = page.workspace
    atlas = MapMaker(workspace, locate_projection_cache())
    with gr.Row(elem_classes="ll-bank"):
        space = gr.Dropdown([], label="points of", info=SPACE_HINT, elem_id="map-space")
        source = gr.Dropdown(PICTURE_SOURCES, value=None, label="pictures", elem_id="map-source")
        count = gr.Dropdown([(f"{n:,}", n) for n in MAP_SIZES], value=None, label="how many", elem_id="map-count")
        shade = gr.Dropdown(list(COLOURING_KINDS), value="label", label="colour", elem_id="map-shade")
        detail = gr.Dropdown([], label="attribute", elem_id="map-detail", visible=False)
    with gr.Row(elem_classes="ll-map-modes"):
        method, dims = (
            make_mode_choice(PROJECTION_LABELS, "map"),
            make_mode_choice({"2": "2-D", "3": "3-D"}, "map-dims"),
        )
        progress = gr.HTML(elem_id="map-progress")
        cancel = gr.Button("Cancel", elem_id="map-cancel", size="sm", interactive=False)
    note = gr.HTML(elem_id="map-note")
    figure = PlotlyView(height=520, label="map", picture=lambda asked: preview_point(page, asked), elem_id="map-plot")
    with gr.Row(elem_classes="ll-map-modes"):
        target = make_mode_choice(LASSO_TARGETS, "map-target")
        clear = gr.Button("Clear both", elem_id="map-clear", size="sm")
        overlay = make_mode_choice(OVERLAY_LABELS, "map-overlay")
        bits = gr.Checkbox(False, label="with bits/dim", elem_id="map-bits", container=False)
    numbers = gr.HTML(elem_id="map-numbers")
    gr.HTML(f'<p class="ll-quiet">{escape_text(MAP_HINT)}</p>')
    with gr.Accordion("Knobs of the projection", open=False, elem_id="map-knobs"):
        with gr.Row(elem_classes="ll-bank"):
            pacmap = Form(PaCMAP, skip={"dims"})
        with gr.Row(elem_classes="ll-bank"):
            umap = Form(UMAP, skip={"dims"})
    view, extra, timer = gr.State(None), gr.State(None), gr.Timer(LOOK_SECONDS)
    seen = gr.Checkbox(False, visible=False)
    due = gr.Textbox("", visible="hidden", elem_id="map-due")

    controls = [space, source, count, method, dims, shade, detail, overlay, bits, *pacmap.widgets, *umap.widgets]
    outputs = [view, figure, progress, cancel, note, numbers, due, space, source, count, shade, detail, overlay]
    paper = MapController(page, atlas, pacmap, umap)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    quick: dict[str, Any] = {**quiet, "concurrency_limit": None}
    reads = [seen, page.session, view, extra, *controls]
    timer.tick(paper.refresh_map, reads, outputs, js=MAP_SEEN_SCRIPT, trigger_mode="once", **quick)
    hands = [tab.select, *(widget.input for widget in controls)]
    gr.on(hands, paper.retry_map, reads, outputs, js=MAP_SEEN_SCRIPT, trigger_mode="always_last", **quick)
    due.change(
        paper.measure_overlay,
        [page.session, view, extra, due],
        extra,
        show_progress="hidden",
        api_visibility="private",
        **TORCH_QUEUE,
    )
    cancel.click(paper.cancel_work, view, None, queue=False, api_visibility="private")
    connect_action(
        page, [figure.click], paper.take_point, [view], note, page.picture_follower, plotly_view.read_event_points
    )
    connect_action(page, [figure.select], paper.lasso_points, [view, target], note, event=plotly_view.read_event_points)
    connect_action(page, [figure.clear, clear.click], paper.clear_selection, [], note)


def locate_projection_cache() -> Path:
    """Return the folder where what was laid out once is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "latentlab" / "projections"
