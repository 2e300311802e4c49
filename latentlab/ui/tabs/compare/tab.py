"""The tab Compare: did it help?

Any classifiers and runs meet on the same test images, with intervals; a comparison is a run like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from latentlab.comparison import Comparison
from latentlab.errors import UserError
from latentlab.knobs import list_settings
from latentlab.runs import Run, Runs
from latentlab.session import Session, change_world, place_picture
from latentlab.session.runs.comparison import ComparisonTable, apply_events
from latentlab.session.runs.progress import EventReader
from latentlab.ui import run_owner
from latentlab.ui.components import make_choices, read_event_key
from latentlab.ui.events import FREE_LANE, Reads, connect_action, connect_events
from latentlab.ui.form import Form, Knobs
from latentlab.ui.page_parts import Follower, Page, Painted
from latentlab.ui.plotly_view import PlotlyView
from latentlab.ui.stage.view import draw_note, shorten_model_name
from latentlab.ui.tabs.compare.view import (
    draw_board_corruptions,
    draw_board_reliability,
    draw_board_table,
    draw_flips,
    name_classifier,
)
from latentlab.ui.tabs.run_board import RunBoard
from latentlab.ui.tabs.train import run_list as pages
from latentlab.ui.tabs.train.tab import TRAINING_OFF_NOTE, require_session

TITLE, KEY = "Compare", "compare"
PURPOSE = "Compare classifiers on the same pictures, with intervals."
COMPARE_FRONT_KNOBS = ("images", "metrics")
COMPARE_OWN_KNOBS = ("classifiers", "world", "space", "judge")
FIRST_CHOSEN_COUNT = 2  # classifiers that are chosen at first
AUTOMATIC_LABEL = "automatic"


def build_compare_tab(page: Page, tab: gr.Tab) -> None:
    if page.workspace.runs is None:
        gr.HTML(f'<p class="ll-quiet">{TRAINING_OFF_NOTE}</p>')
        return
    CompareTab(page, tab, page.workspace.runs)


class CompareTab:
    """The tab: widgets come first, events last."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.workspace, self.runs = page, page.workspace, runs
        first = ComparisonTable()
        reader = EventReader(runs, first, apply_events)
        self.board = RunBoard(page, runs, KEY, "compare", reader, first, NO_COMPARISON_NOTE)
        self.missing = gr.HTML(elem_id="compare-missing")
        self._build_form()
        with self.board.lay_out():
            self.table = gr.HTML(elem_id="compare-table")
            with gr.Row(elem_classes="ll-curves"):
                self.sure = PlotlyView(height=260, label="reliability", elem_id="compare-sure")
                self.hard = PlotlyView(height=260, label="accuracy under corruptions", elem_id="compare-hard")
            self.flips = make_choices(elem_id="compare-flips")
        self.flip_note = gr.HTML(elem_id="compare-flip-note")
        page.add_follower(self.world_follower)
        self._wire_events(tab)

    def _build_form(self) -> None:
        with gr.Row(elem_classes="ll-bank", elem_id="compare-form"):
            self.classifiers = gr.Dropdown(
                [], multiselect=True, label="classifiers", info="all against the first", elem_id="compare-who"
            )
            rest = tuple(
                setting.name for setting in list_settings(Comparison) if setting.name not in COMPARE_FRONT_KNOBS
            )
            self.front = Form(Comparison, skip=rest, prefix="compare")
        with gr.Accordion("How it is measured", open=False, elem_id="compare-more"), gr.Row(elem_classes="ll-bank"):
            self.space = gr.Dropdown([], label="space", info="of the latent attack", elem_id="compare-space")
            self.judge = gr.Dropdown([], label="judge", info="of label preservation", elem_id="compare-judge")
            self.folded = Form(Comparison, skip=(*COMPARE_FRONT_KNOBS, *COMPARE_OWN_KNOBS), prefix="compare")
        with gr.Row(elem_classes="ll-actions"):
            self.go = gr.Button("Compare", variant="primary", elem_id="compare-go", size="sm")
            self.note = gr.HTML(elem_id="compare-note")

    @property
    def world_follower(self) -> Follower:
        """Return what the form shows in another world."""
        return Follower([self.classifiers, self.space, self.judge], self.follow_world)

    def _wire_events(self, tab: gr.Tab) -> None:
        page, fields = self.page, {"classifiers": self.classifiers, "space": self.space, "judge": self.judge}
        here: Reads = {"session": page.session, "token": page.owner}
        opened = [self.missing, self.classifiers, self.board.timer]
        connect_events([tab.select], self.open_tab, here, opened, lane=FREE_LANE, mode="once")
        asked: Reads = {**here, **fields, "knobs": {**self.front.widgets, **self.folded.widgets}}
        shown = [self.table, self.sure, self.hard, self.flips]
        self.board.wire_events(shown, self.paint_run, self.go.click, self.submit_comparison, asked, self.note)
        connect_action(
            page,
            [self.flips.pick],
            self.take_flip,
            self.board.looking,
            self.flip_note,
            lambda: page.situation_follower,
            read_event_key,
        )

    def follow_world(self, session: Session) -> Painted:
        """Return the classifiers and spaces of the world; the one in use is compared first."""
        names = self.workspace.store.list_classifiers(session.world)
        labels = label_classifiers(names, {})
        first = [name for name in (session.classifier, *names) if name]
        chosen = list(dict.fromkeys(first))[:FIRST_CHOSEN_COUNT]
        spaces = self.workspace.store.list_models(session.world)
        shown = [(shorten_model_name(self.workspace, name, session.world), name) for name in spaces]
        return {
            self.classifiers: gr.update(choices=labels, value=chosen),
            self.space: gr.update(choices=[(AUTOMATIC_LABEL, ""), *shown], value=""),
            self.judge: gr.update(choices=[(AUTOMATIC_LABEL, ""), *labels], value=""),
        }

    # what the events do; every value comes from a visitor

    def open_tab(self, session: Session | None, token: Any) -> Painted:
        """Offer new runs to choose from; what was chosen stays."""
        if session is None or not run_owner.has_token(token):
            return {}
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        names = gr.update(choices=label_classifiers(self.workspace.store.list_classifiers(session.world), called))
        painted: Painted = {self.missing: "", self.classifiers: names, self.board.timer: gr.Timer(active=True)}
        try:
            self.workspace.load_dataset(session.world)
        except UserError as error:
            painted[self.missing] = draw_note(str(error))
        return painted

    def paint_run(self, run: Run | None, board: ComparisonTable, token: str) -> Painted:
        if run is None:
            return {self.table: "", self.flips: "", self.sure: None, self.hard: None}
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        return {
            self.table: draw_board_table(board, called),
            self.sure: draw_board_reliability(board, called),
            self.hard: draw_board_corruptions(board, called),
            self.flips: draw_flips(self.workspace, board, called),
        }

    def submit_comparison(self, session: Session | None, token: Any, knobs: Knobs, **fields: Any) -> Run:
        wanted = self.read_comparison(require_session(session), knobs, **fields)
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        name = " against ".join(name_classifier(name, called) for name in wanted.classifiers[:2])
        more = len(wanted.classifiers) - 2
        return self.board.submit_run(wanted, name + (f" +{more}" if more > 0 else ""), token)

    def read_comparison(self, session: Session, knobs: Knobs, classifiers: Any, space: Any, judge: Any) -> Comparison:
        own = {"classifiers": classifiers or (), "space": space or "", "judge": judge or ""}
        return self.front.read_tool(knobs, world=session.world, **own)

    def take_flip(self, session: Session, key: str, chosen: Any, token: Any) -> Session:
        """Take a flipped image into the workbench."""
        run = self.board.find_chosen_run(token, chosen)
        if run is None or not key[:9].isdecimal():
            raise UserError("There is no such image here; click one of those shown.")
        world = str(run.config["world"])
        there = session if session.world == world else change_world(self.workspace, session, world)
        return place_picture(self.workspace, there, self.workspace.load_row(world, int(key[:9])))


NO_COMPARISON_NOTE = "No comparison yet. Choose classifiers and compare them."


def label_classifiers(names: Sequence[str], called: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name_classifier(name, called), name) for name in names]
