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
from latentlab.ui.events import Page, connect_action
from latentlab.ui.form import Form
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
from latentlab.ui.tabs.train.tab import POLL_SECONDS, RUN_EVENT_OPTIONS, TRAINING_OFF_NOTE

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
        page.add_follower(*self._world_follower)
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
    def _world_follower(self) -> tuple[list[Any], Any]:
        return [self.classifiers, self.space, self.judge], self.follow_world

    def _wire_events(self, tab: gr.Tab) -> None:
        page, knobs = self.page, [*self.front.widgets, *self.folded.widgets]
        looking = [page.owner, self.chosen]
        painted = [self.list, self.told, self.acts, self.table, self.sure, self.hard, self.flips]
        shown = [*painted, self.seen, self.timer]
        self.timer.tick(self.poll_run, [*looking, self.seen], shown, **RUN_EVENT_OPTIONS)
        again: dict[str, Any] = {"fn": self.repaint_run, "inputs": looking, "outputs": shown, **RUN_EVENT_OPTIONS}
        tab.select(
            self.open_tab,
            [page.session, page.owner],
            [self.missing, *self._world_follower[0], self.timer],
            **RUN_EVENT_OPTIONS,
        )
        self.list.pick(self.pick_run, None, [self.chosen, self.note], **RUN_EVENT_OPTIONS).then(**again)
        self.acts.pick(self.perform_action, looking, [self.note], **RUN_EVENT_OPTIONS).then(**again)
        asked = [page.session, page.owner, self.classifiers, self.space, self.judge, *knobs]
        self.go.click(self.start_comparison, asked, [self.chosen, self.note], **RUN_EVENT_OPTIONS).then(**again)
        to_bench = [self.chosen, page.owner]
        connect_action(
            page,
            [self.flips.pick],
            self.take_flip,
            to_bench,
            self.flip_note,
            lambda: page.situation_follower,
            read_event_key,
        )

    def follow_world(self, session: Session) -> list[Any]:
        """Return the classifiers and spaces of the world; the one in use is compared first."""
        names = self.workspace.store.list_classifiers(session.world)
        labels = label_classifiers(names, {})
        first = [name for name in (session.classifier, *names) if name]
        chosen = list(dict.fromkeys(first))[:FIRST_CHOSEN_COUNT]
        spaces = self.workspace.store.list_models(session.world)
        shown = [(shorten_model_name(self.workspace, name, session.world), name) for name in spaces]
        return [
            gr.update(choices=labels, value=chosen),
            gr.update(choices=[(AUTOMATIC_LABEL, ""), *shown], value=""),
            gr.update(choices=[(AUTOMATIC_LABEL, ""), *labels], value=""),
        ]

    # what the events do; every value comes from a visitor

    def open_tab(self, session: Session | None, token: Any) -> list[Any]:
        """Offer new runs to choose from; what was chosen stays."""
        if session is None or not run_owner.has_token(token):
            return [gr.skip()] * 5
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        names = gr.update(choices=label_classifiers(self.workspace.store.list_classifiers(session.world), called))
        said = ""
        try:
            self.workspace.load_dataset(session.world)
        except UserError as error:
            said = draw_note(str(error))
        return [said, names, gr.skip(), gr.skip(), gr.Timer(active=True)]

    def list_comparisons(self, token: str) -> list[Run]:
        return [run for run in self.runs.list_runs(token) if run.verb == "compare"]

    def find_chosen_run(self, token: Any, chosen: Any) -> Run | None:
        found, wanted = self.list_comparisons(token), run_owner.read_run_choice(chosen)["run"]
        return next((run for run in found if run.id == wanted), found[0] if found else None)

    def poll_run(self, token: Any, chosen: Any, seen: str) -> list[Any]:
        if not run_owner.has_token(token):
            return [gr.skip()] * 9
        found, run = self.list_comparisons(token), self.find_chosen_run(token, chosen)
        try:
            cursor, board = self.reader.read_run(run.id, token) if run else ("", ComparisonTable())
        except UserError:  # it was deleted meanwhile; the next tick has the list without it
            return [gr.skip()] * 9
        mark, active = repr((found, cursor, run and run.id)), any(one.is_active for one in found)
        if mark == seen:
            return [*([gr.skip()] * 8), gr.skip() if active else gr.Timer(active=False)]
        return [*self.paint_run(found, run, board, token), mark, gr.Timer(active=active)]

    def paint_run(self, found: list[Run], run: Run | None, board: ComparisonTable, token: str) -> list[Any]:
        if run is None:
            return [pages.draw_run_list(found, "", None, NO_COMPARISON_NOTE), *[""] * 3, None, None, ""]
        called = pages.name_run_classifiers(self.runs.list_runs(token))
        log = self.runs.read_log(run.id, token) if run.state in ("failed", "interrupted") else ""
        return [
            pages.draw_run_list(found, run.id, None, NO_COMPARISON_NOTE),
            pages.draw_run_header(run, log),
            pages.draw_run_actions(run, saves=False),
            draw_board_table(board, called),
            draw_board_reliability(board, called),
            draw_board_corruptions(board, called),
            draw_flips(self.workspace, board, called),
        ]

    def repaint_run(self, token: Any, chosen: Any) -> list[Any]:
        *values, _ = self.poll_run(token, chosen, "")
        return [*values, gr.Timer(active=True)]

    def pick_run(self, event: gr.EventData) -> list[Any]:
        try:
            return [{"run": read_event_key(event).partition(":")[2], "beside": []}, ""]
        except UserError as error:
            return [gr.skip(), draw_note(str(error))]

    def perform_action(self, event: gr.EventData, token: Any, chosen: Any) -> str:
        try:
            run = self.find_chosen_run(token, chosen)
            pages.perform_run_action(self.runs, run.id if run else "", read_event_key(event), token)
        except UserError as error:
            return draw_note(str(error))
        return ""

    def start_comparison(
        self, session: Session | None, token: Any, classifiers: Any, space: Any, judge: Any, *values: Any
    ) -> list[Any]:
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            wanted = self.read_comparison(session, classifiers, space, judge, values)
            called = pages.name_run_classifiers(self.runs.list_runs(token))
            name = " against ".join(name_classifier(name, called) for name in wanted.classifiers[:2])
            more = len(wanted.classifiers) - 2
            run = self.runs.submit_run(
                "compare", tool_to_json(wanted), (name + (f" +{more}" if more > 0 else ""))[:80], token
            )
        except UserError as error:
            return [gr.skip(), draw_note(str(error))]
        return [{"run": run.id, "beside": []}, ""]

    def read_comparison(self, session: Session, classifiers: Any, space: Any, judge: Any, values: Any) -> Comparison:
        front, folded = values[: len(self.front.widgets)], values[len(self.front.widgets) :]
        names = [setting.name for setting in self.folded.settings]
        return self.front.read_tool(
            front,
            **dict(zip(names, folded, strict=True)),
            classifiers=classifiers or (),
            world=session.world,
            space=space or "",
            judge=judge or "",
        )

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
