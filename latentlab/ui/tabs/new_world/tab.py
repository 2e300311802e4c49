"""The tab New world: pictures are dropped in, what they would be is said, the world is made; then its networks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.datasets.world_making import MadeWorld
from latentlab.errors import UserError
from latentlab.runs import Runs, files, queue
from latentlab.session import Session, change_world
from latentlab.session.new_world import PictureDrops, WorldPlan, WorldWish, iterate_dropped_world, plan_world
from latentlab.ui.components import make_many_files_drop
from latentlab.ui.events import BUSY_LANE, Reads, connect_action, connect_events, connect_steps
from latentlab.ui.form import Form, Knobs
from latentlab.ui.html import draw_image, escape_text, join_html
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.server.launch import MAX_BODY_BYTES
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.new_world.fits import FitsPart

TITLE, KEY = "New world", "new-world"
PURPOSE = "Make a world of your own pictures, and see first what is in them and how they would be cut."
WORLDS_OFF_NOTE = "Worlds are not made on this page. On a machine of your own, `latentlab app` does it."
NEW_WORLD_NOTE = (
    f"Drop a zip of folders, or pictures: {MAX_BODY_BYTES / 1e6:.0f} MB at a time, as often as you like. A folder is a "
    "class, or a table beside them says which. All who may open this page will see the world. "
    "For more: latentlab world FOLDER, on the command line."
)
STEP_SECONDS = 0.3  # between two words on how many pictures have been read


def build_new_world_tab(page: Page, tab: gr.Tab) -> None:
    if page.workspace.runs is None:
        note = WORLDS_OFF_NOTE if files.can_lock_folders() else queue.NO_RUNS_HERE
        gr.HTML(f'<p class="ll-quiet">{escape_text(note)}</p>')
        return
    NewWorldTab(page, page.workspace.runs)
    FitsPart(page, tab, page.workspace.runs)


class NewWorldTab:
    """The tab: widgets come first, events last."""

    def __init__(self, page: Page, runs: Runs) -> None:
        self.page, self.workspace, self.runs = page, page.workspace, runs
        self.drops = PictureDrops()
        gr.HTML(f'<p class="ll-quiet">{escape_text(NEW_WORLD_NOTE)}</p>')
        self.files = make_many_files_drop(elem_id="world-files")
        self.report = gr.HTML(elem_id="world-report")
        with gr.Row(elem_classes="ll-bank", elem_id="world-form"):
            self.form = Form(WorldWish, prefix="world")
        with gr.Row(elem_classes="ll-actions ll-go"):
            self.make = gr.Button("Make the world", variant="primary", elem_id="world-make", size="sm")
            self.again = gr.Button("Start over", elem_id="world-again", size="sm")
            self.note = gr.HTML(elem_id="world-note")
        self.opened = gr.HTML(elem_id="world-opened")
        self.drop, self.made = gr.State(""), gr.State("")
        self._wire_events()

    def _wire_events(self) -> None:
        held: Reads = {"drop": self.drop, "knobs": self.form.widgets}
        shown = [self.report, self.drop, self.files, self.note]
        dropped: Reads = {"paths": self.files, **held}
        connect_events(
            [self.files.upload], self.receive_files, dropped, shown, self.note, lane=BUSY_LANE, mode="multiple"
        )
        shapes = [self.form.widgets[name] for name in ("size", "channels", "shape_by")]
        changes = [getattr(widget, "submit" if name == "size" else "input") for name, widget in
                   zip(("size", "channels", "shape_by"), shapes, strict=True)]  # fmt: skip
        connect_events(changes, self.survey_again, held, shown, self.note, lane=BUSY_LANE)
        connect_events([self.again.click], self.start_over, {"drop": self.drop}, shown, self.note, lane=BUSY_LANE)
        connect_steps([self.make.click], self.make_world, held, [*shown, self.made], self.note)
        world: Reads = {"world": self.made}
        connect_action(self.page, [self.made.change], self.open_made_world, world, self.opened,
                       lambda: self.page.situation_follower)  # fmt: skip

    # what the events do; every value comes from a visitor

    def receive_files(self, paths: Sequence[str], drop: str, knobs: Knobs) -> Painted:
        """Take the files in and survey all that was dropped so far."""
        if not paths:
            return {}
        key = self.drops.add_files(drop, [Path(path) for path in paths])
        painted: Painted = {self.drop: key, self.files: None, self.note: ""}
        try:
            return {**painted, **self.survey_again(key, knobs)}
        except UserError as error:
            return {**painted, self.note: draw_note(str(error))}

    def survey_again(self, drop: str, knobs: Knobs) -> Painted:
        plan = plan_world(self.drops.require_drop(drop), self.form.read_tool(knobs))
        return {self.report: draw_world_plan(plan), self.note: ""}

    def start_over(self, drop: str) -> Painted:
        self.drops.forget_drop(drop)
        return {self.report: "", self.drop: "", self.files: None, self.note: ""}

    def make_world(self, drop: str, knobs: Knobs) -> Iterator[Painted]:
        """Make the world picture by picture, and say how far it is."""
        wish = self.form.read_tool(knobs)
        making, told = iterate_dropped_world(self.drops.require_drop(drop), wish), 0.0
        while True:
            try:
                count = next(making)
            except StopIteration as end:
                world, made = end.value
                break
            if time.monotonic() - told > STEP_SECONDS:
                told = time.monotonic()
                yield {self.note: f'<p class="ll-quiet" role="status">{count:,} pictures are read</p>'}
        self.drops.forget_drop(drop)
        yield {**self.start_over(drop), self.made: world, self.note: draw_made_world(wish.title, made)}

    def open_made_world(self, session: Session, world: Any) -> Session:
        return change_world(self.workspace, session, str(world)) if world else session


def draw_world_plan(plan: WorldPlan) -> str:
    """Draw the report as lines, and below it some pictures whole and as the world would have them."""
    lines = join_html(f"<li>{escape_text(line)}</li>" for line in plan.report)
    crops = draw_image(plan.crops, "pictures as they are, and below as the world would have them")
    return f'<div class="ll-survey"><ul>{lines}</ul>{crops}</div>'


def draw_made_world(title: str, made: MadeWorld) -> str:
    left = f" Left out: {' '.join(made.skipped[:3])}" if made.skipped else ""
    line = f"{title.strip()} is open: {made.train:,} pictures to train, {made.test:,} to test.{left}"
    return f'<p class="ll-quiet" role="status">{escape_text(line)}</p>'
