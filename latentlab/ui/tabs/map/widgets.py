"""The map's components: the controls above and below the figure, the figure, and what it remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from latentlab.projections import UMAP, PaCMAP
from latentlab.session.map.coloring import COLOURING_KINDS
from latentlab.session.map.plan import MAP_SIZES
from latentlab.ui.components import make_choices
from latentlab.ui.events import Reads, connect_script
from latentlab.ui.form import Form, make_mode_choice
from latentlab.ui.html import escape_text
from latentlab.ui.page_parts import Widget
from latentlab.ui.plotly_view import PlotlyView

PICTURE_SOURCES = [("test images", "test"), ("training images", "train"), ("samples drawn", "drawn")]
OVERLAY_LABELS = {"nothing": "nothing", "moves": "the move on many", "path": "the path", "pairs": "pairs of two sets"}
PROJECTION_LABELS = {"pca": "PCA", "pacmap": "PaCMAP", "umap": "UMAP"}
LASSO_TARGETS = {"first": "selection", "second": "second set"}
SPACE_HINT = "latents of a model, or the features of a classifier"
WHOLE_SCRIPT = (
    "() => document.querySelector('#map-plot .ll-figure').dispatchEvent(new KeyboardEvent('keydown', { key: '0' }))"
)
MAP_HINT = (
    "Click a point to take its picture. Draw around points to select them: every tab can use the selection. "
    "Two clicks in the open put it away. Legend entries switch classes off."
)


@dataclass(frozen=True, eq=False)
class MapWidgets:
    """The components that the map's events read and write."""

    space: gr.Dropdown
    source: gr.Dropdown
    count: gr.Dropdown
    shade: gr.Dropdown
    detail: gr.Dropdown
    method: gr.Radio
    dims: gr.Radio
    overlay: gr.Radio
    bits: gr.Checkbox
    pictures: gr.Checkbox
    pacmap: Form
    umap: Form
    target: gr.Radio
    clear: gr.Button
    progress: gr.HTML
    cancel: gr.Button
    note: gr.HTML
    figure: PlotlyView
    numbers: gr.HTML
    nearest: gr.HTML
    view: gr.State  # what the figure shows
    extra: gr.State  # what lies on top of it
    due: gr.State  # what must lie on top; its change starts the computing

    @property
    def controls(self) -> Reads:
        """Return what a hand may change, by name."""
        return {
            "space": self.space,
            "source": self.source,
            "count": self.count,
            "method": self.method,
            "dims": self.dims,
            "shade": self.shade,
            "detail": self.detail,
            "overlay": self.overlay,
            "bits": self.bits,
            "pictures": self.pictures,
            "pacmap": self.pacmap.widgets,
            "umap": self.umap.widgets,
        }

    @property
    def following_controls(self) -> list[Widget]:
        """Return the controls that follow a new world."""
        return [self.space, self.source, self.count, self.shade, self.detail, self.overlay]

    @property
    def outputs(self) -> list[Widget]:
        """Return all that a look at the map may paint."""
        drawn = [self.view, self.figure, self.progress, self.cancel, self.note, self.numbers, self.nearest, self.due]
        return [*drawn, *self.following_controls]


def place_map_widgets(preview: Callable[[Any], dict[str, str] | None]) -> MapWidgets:
    """Place the components; `preview` gives the picture of a point under the hand."""
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
        pictures = gr.Checkbox(True, label="pictures", elem_id="map-pictures", container=False)
        whole = gr.Button("Show all", elem_id="map-all", size="sm")
        progress = gr.HTML(elem_id="map-progress")
        cancel = gr.Button("Cancel", elem_id="map-cancel", size="sm", interactive=False)
    note = gr.HTML(elem_id="map-note")
    figure = PlotlyView(height=520, label="map", picture=preview, elem_id="map-plot")
    with gr.Row(elem_classes="ll-map-modes"):
        target = make_mode_choice(LASSO_TARGETS, "map-target")
        clear = gr.Button("Clear both", elem_id="map-clear", size="sm")
        overlay = make_mode_choice(OVERLAY_LABELS, "map-overlay")
        bits = gr.Checkbox(False, label="with bits/dim", elem_id="map-bits", container=False)
    numbers = gr.HTML(elem_id="map-numbers")
    nearest = make_choices(elem_id="map-nearest")
    gr.HTML(f'<p class="ll-quiet">{escape_text(MAP_HINT)}</p>')
    with gr.Accordion("Knobs of the projection", open=False, elem_id="map-knobs"):
        with gr.Row(elem_classes="ll-bank"):
            pacmap = Form(PaCMAP, skip={"dims"})
        with gr.Row(elem_classes="ll-bank"):
            umap = Form(UMAP, skip={"dims"})
    connect_script(whole.click, WHOLE_SCRIPT)
    return MapWidgets(
        space=space,
        source=source,
        count=count,
        shade=shade,
        detail=detail,
        method=method,
        dims=dims,
        overlay=overlay,
        bits=bits,
        pictures=pictures,
        pacmap=pacmap,
        umap=umap,
        target=target,
        clear=clear,
        progress=progress,
        cancel=cancel,
        note=note,
        figure=figure,
        numbers=numbers,
        nearest=nearest,
        view=gr.State(None),
        extra=gr.State(None),
        due=gr.State(""),
    )
