"""The tab Compare: did it help?

Any classifiers and runs meet on the same test images, with intervals; a comparison is a run like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from latentlab.comparison import Comparison
from latentlab.errors import UserError
from latentlab.knobs import list_settings, tool_to_json
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
from latentlab.ui.scripts import load_script
from latentlab.ui.stage.view import draw_note, shorten_model_name
from latentlab.ui.tabs.compare.view import (
    draw_board_corruptions,
    draw_board_reliability,
    draw_board_table,
    draw_flips,
    name_classifier,
)
from latentlab.ui.tabs.train import run_list as pages
from latentlab.ui.tabs.train.tab import POLL_SECONDS, TRAINING_OFF_NOTE, require_session

TITLE, KEY = "Compare", "compare"
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
        self.reader = EventReader(runs, ComparisonTable(), apply_events)
        self.missing = gr.HTML(elem_id="compare-missing")
        self._build_form()
        script = load_script("live_list.js")
        with gr.Row(elem_id="compare-runs"):
            with gr.Column(elem_id="compare-side", min_width=220):
                self.list = gr.HTML(elem_id="compare-list", js_on_load=script)
            with gr.Column(elem_id="compare-main", min_width=280):
                self.told = gr.HTML(elem_id="compare-told")
                self.acts = gr.HTML(elem_id="compare-acts", js_on_load=script)
                self.table = gr.HTML(elem_id="compare-table")
                with gr.Row(elem_classes="ll-curves"):
                    self.sure = PlotlyView(height=260, label="reliability", elem_id="compare-sure")
                    self.hard = PlotlyView(height=260, label="accuracy under corruptions", elem_id="compare-hard")
                self.flips = make_choices(elem_id="compare-flips")
        self.flip_note = gr.HTML(elem_id="compare-flip-note")
        self.chosen = run_owner.make_browser_state(page.workspace, "compare")
        self.timer, self.seen = gr.Timer(POLL_SECONDS, render=False), gr.State("")
        page.delayed_wiring.append(self._render_outside)
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

    def _render_outside(self) -> None:
        self.chosen.render()
        self.timer.render()

    @property
    def world_follower(self) -> Follower:
        """Return what the form shows in another world."""
        return Follower([self.classifiers, self.space, self.judge], self.follow_world)

    def _wire_events(self, tab: gr.Tab) -> None:
        page, fields = self.page, {"classifiers": self.classifiers, "space": self.space, "judge": self.judge}
        looking: Reads = {"token": page.owner, "chosen": self.chosen}
        painted = [self.list, self.told, self.acts, self.table, self.sure, self.hard, self.flips]
        shown = [*painted, self.seen, self.timer]
        watched: Reads = {**looking, "seen": self.seen}
        connect_events([self.timer.tick], self.poll_run, watched, shown, lane=FREE_LANE, mode="once")
        here: Reads = {"session": page.session, "token": page.owner}
        opened = [self.missing, self.classifiers, self.timer]
        connect_events([tab.select], self.open_tab, here, opened, lane=FREE_LANE, mode="once")
        asked: Reads = {**here, **fields, "knobs": {**self.front.widgets, **self.folded.widgets}}
        answers = [self.chosen, self.note]
        for trigger, run, reads, event in (
            (self.list.pick, self.pick_run, {}, read_event_key),
            (self.acts.pick, self.perform_action, looking, read_event_key),
            (self.go.click, self.start_comparison, asked, None),
        ):
            (done,) = connect_events([trigger], run, reads, answers, self.note, event, lane=FREE_LANE, mode="once")
            connect_events([done.then], self.repaint_run, looking, shown, lane=FREE_LANE, mode="once")
        connect_action(
            page,
            [self.flips.pick],
            self.take_flip,
            looking,
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
        painted: Painted = {self.missing: "", self.classifiers: names, self.timer: gr.Timer(active=True)}
        try:
            self.workspace.load_dataset(session.world)
        except UserError as error:
            painted[self.missing] = draw_note(str(error))
        return painted

    def list_comparisons(self, token: str) -> list[Run]:
        return [run for run in self.runs.list_runs(token) if run.verb == "compare"]

    def find_chosen_run(self, token: Any, chosen: Any) -> Run | None:
        found, wanted = self.list_comparisons(token), run_owner.read_run_choice(chosen)["run"]
        return next((run for run in found if run.id == wanted), found[0] if found else None)

    def poll_run(self, token: Any, chosen: Any, seen: str) -> Painted:
        if not run_owner.has_token(token):
            return {}
        found, run = self.list_comparisons(token), self.find_chosen_run(token, chosen)
        try:
            cursor, board = self.reader.read_run(run.id, token) if run else ("", ComparisonTable())
        except UserError:  # it was deleted meanwhile; the next tick has the list without it
            return {}
        mark, active = repr((found, cursor, run and run.id)), any(one.is_active for one in found)
        clock: Painted = {self.timer: gr.Timer(active=active)}
        if mark == seen:
            return {} if active else clock
        return {**self.paint_run(found, run, board, token), self.seen: mark, **clock}

    def paint_run(self, found: list[Run], run: Run | None, board: ComparisonTable, token: str) -> Painted:
        listed: Painted = {self.list: pages.draw_run_list(found, run.id if run else "", None, NO_COMPARISON_NOTE)}
        if run is None:
            empty: Painted = dict.fromkeys([self.told, self.acts, self.table, self.flips], "")
            return {**listed, **empty, self.sure: None, self.hard: None}
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        log = self.runs.read_log(run.id, token) if run.state in ("failed", "interrupted") else ""
        return {
            **listed,
            self.told: pages.draw_run_header(run, log),
            self.acts: pages.draw_run_actions(run, saves=False),
            self.table: draw_board_table(board, called),
            self.sure: draw_board_reliability(board, called),
            self.hard: draw_board_corruptions(board, called),
            self.flips: draw_flips(self.workspace, board, called),
        }

    def repaint_run(self, token: Any, chosen: Any) -> Painted:
        return {**self.poll_run(token, chosen, ""), self.timer: gr.Timer(active=True)}

    def pick_run(self, key: str) -> Painted:
        _, _, run = key.partition(":")
        return {self.chosen: {"run": run, "beside": []}, self.note: ""}

    def perform_action(self, key: str, token: Any, chosen: Any) -> Painted:
        run = self.find_chosen_run(token, chosen)
        pages.perform_run_action(self.runs, run.id if run else "", key, token)
        return {self.note: ""}

    def start_comparison(self, session: Session | None, token: Any, knobs: Knobs, **fields: Any) -> Painted:
        wanted = self.read_comparison(require_session(session), knobs, **fields)
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        name = " against ".join(name_classifier(name, called) for name in wanted.classifiers[:2])
        more = len(wanted.classifiers) - 2
        title = (name + (f" +{more}" if more > 0 else ""))[:80]
        run = self.runs.submit_run("compare", tool_to_json(wanted), title, token)
        return {self.chosen: {"run": run.id, "beside": []}, self.note: ""}

    def read_comparison(self, session: Session, knobs: Knobs, classifiers: Any, space: Any, judge: Any) -> Comparison:
        own = {"classifiers": classifiers or (), "space": space or "", "judge": judge or ""}
        return self.front.read_tool(knobs, world=session.world, **own)

    def take_flip(self, session: Session, key: str, chosen: Any, token: Any) -> Session:
        """Take a flipped image into the workbench."""
        run = self.find_chosen_run(token, chosen)
        if run is None or not key[:9].isdecimal():
            raise UserError("There is no such image here; click one of those shown.")
        world = str(run.config["world"])
        there = session if session.world == world else change_world(self.workspace, session, world)
        return place_picture(self.workspace, there, self.workspace.load_row(world, int(key[:9])))


NO_COMPARISON_NOTE = "No comparison yet. Choose classifiers and compare them."


def label_classifiers(names: Sequence[str], called: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name_classifier(name, called), name) for name in names]
