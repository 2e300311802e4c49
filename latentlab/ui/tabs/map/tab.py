"""The tab Map: where a moved image lands among the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.session.map.service import MapMaker
from latentlab.ui import plotly_view
from latentlab.ui.components import read_event_key
from latentlab.ui.events import FREE_LANE, NO_LANE, Reads, connect_action, connect_events, list_widgets
from latentlab.ui.form import list_input_events
from latentlab.ui.page_parts import Page
from latentlab.ui.tabs.map.controller import MapController
from latentlab.ui.tabs.map.pictures import preview_point
from latentlab.ui.tabs.map.widgets import place_map_widgets

TITLE, KEY = "Map", "map"
PURPOSE = "See where the moved picture lands among others, in the plane and in the full space."
LOOK_SECONDS = 0.7  # between two looks
MAP_SEEN_SCRIPT = "(seen, ...rest) => [Boolean(document.querySelector('#map-plot .ll-figure')?.offsetParent), ...rest]"


def build_map_tab(page: Page, tab: gr.Tab) -> None:
    """Build the tab: widgets come first, events last."""
    workspace = page.workspace
    atlas = MapMaker(workspace, locate_projection_cache())
    parts = place_map_widgets(lambda asked: preview_point(page, atlas, asked))
    timer, seen = gr.Timer(LOOK_SECONDS), gr.Checkbox(False, visible=False)

    controller, view = MapController(page, atlas, parts), {"view": parts.view}
    looked: Reads = {"session": page.session, **view, "extra": parts.extra, **parts.controls}
    watched: Reads = {"seen": seen, **looked}  # the script fills the first of them
    look: dict[str, Any] = {"outputs": parts.outputs, "note": parts.note, "lane": FREE_LANE}
    connect_events([timer.tick], controller.refresh_map, watched, mode="once", js=MAP_SEEN_SCRIPT, **look)
    hands = [tab.select, *list_input_events(list_widgets(parts.controls))]
    connect_events(hands, controller.retry_map, looked, **look)
    computed: Reads = {"session": page.session, **view, "extra": parts.extra, "wanted": parts.due}
    connect_events([parts.due.change], controller.measure_overlay, computed, [parts.extra])
    connect_events([parts.cancel.click], controller.cancel_work, view, [], lane=NO_LANE, mode="once")
    read_points = plotly_view.read_event_points
    connect_action(
        page, [parts.figure.click], controller.take_point, view, parts.note, page.picture_follower, read_points
    )
    connect_action(
        page, [parts.nearest.pick], controller.take_nearest, view, parts.note, page.picture_follower, read_event_key
    )
    lasso = {**view, "target": parts.target}
    connect_action(page, [parts.figure.select], controller.lasso_points, lasso, parts.note, event=read_points)
    connect_action(page, [parts.figure.clear, parts.clear.click], controller.clear_selection, {}, parts.note)


def locate_projection_cache() -> Path:
    """Return the folder where what was laid out once is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "latentlab" / "projections"
