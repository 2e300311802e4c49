"""The tab Train: a short run with exactly the move on the page, watched while it goes; it outlives the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.runs import Runs, files, queue
from latentlab.session import Session
from latentlab.session.runs import training as verbs
from latentlab.session.runs.training import PREVIEW_STEP
from latentlab.training.augmented import require_trainable
from latentlab.ui import run_owner
from latentlab.ui.components import read_event_key
from latentlab.ui.events import TORCH_QUEUE, Page, keep_outputs
from latentlab.ui.form import make_number_box
from latentlab.ui.html import escape_text
from latentlab.ui.plotly_view import PlotlyView
from latentlab.ui.scripts import load_script
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.train import run_list as pages
from latentlab.ui.tabs.train.form import RunFormWidgets
from latentlab.ui.tabs.train.monitor import CurveView, RunMonitor, draw_batch_preview

TITLE, KEY = "Train", "train"
TRAINING_OFF_NOTE = "Training is switched off on this page. On a machine of your own, `latentlab app` has it."
POLL_SECONDS = 1.0  # seconds
FIRST_SMOOTHING = 0.6
RUN_EVENT_OPTIONS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


def build_train_tab(page: Page, tab: gr.Tab) -> None:
    if page.workspace.runs is None:
        note = TRAINING_OFF_NOTE if files.can_lock_folders() else queue.NO_RUNS_HERE
        gr.HTML(f'<p class="ll-quiet">{escape_text(note)}</p>')
        return
    TrainTab(page, tab, page.workspace.runs)


class TrainTab:
    """The tab: widgets come first, events last."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.workspace, self.runs = page, page.workspace, runs
        self.watch = RunMonitor(page.workspace, runs)
        self.missing = gr.HTML(elem_id="train-missing")
        self.form = RunFormWidgets(page.workspace)
        self._build_start_row()
        self.batch = gr.HTML(elem_id="train-batch")
        self._build_runs_row()
        self.chosen = run_owner.make_browser_state(page.workspace, "train")
        self.timer = gr.Timer(POLL_SECONDS, render=False)
        self.seen, self.news = gr.State(""), gr.State("")
        page.delayed_wiring.append(self._render_outside)
        page.add_follower(self.form.following_widgets, self.form.follow_world)
        self._wire_events(tab)

    def _build_start_row(self) -> None:
        with gr.Row(elem_classes="ll-actions ll-go"):
            self.start = gr.Button("Start", variant="primary", elem_id="train-go", size="sm")
            self.twin = gr.Checkbox(False, label="start a baseline beside it", elem_id="train-twin")
            self.ask = gr.Button("How far will it get?", elem_id="train-speed", size="sm")
            self.show = gr.Button("Show the batch", elem_id="train-show", size="sm")
            self.step = make_number_box(PREVIEW_STEP, "train")
            self.note = gr.HTML(elem_id="train-note")

    def _build_runs_row(self) -> None:
        script = load_script("live_list.js")
        with gr.Row(elem_id="train-runs"):
            with gr.Column(elem_id="train-side", min_width=220):
                self.list = gr.HTML(elem_id="train-list", js_on_load=script)
            with gr.Column(elem_id="train-main", min_width=280):
                self.told = gr.HTML(elem_id="train-told")
                self.acts = gr.HTML(elem_id="train-acts", js_on_load=script)
                with gr.Row(elem_classes="ll-curves"):
                    self.loss = PlotlyView(height=260, label="loss", elem_id="train-loss")
                    self.right = PlotlyView(height=260, label="accuracy", elem_id="train-right")
                with gr.Row(elem_classes="ll-bank", elem_id="train-view"):
                    self.across = gr.Radio(["step", "time"], value="step", label="over", elem_id="train-across")
                    self.weight = gr.Slider(
                        0, 0.99, FIRST_SMOOTHING, step=0.01, label="smoothing", elem_id="train-smooth"
                    )
                self.now = gr.HTML(elem_id="train-now")

    def _render_outside(self) -> None:
        """Render what must live while the tab is not open."""
        self.chosen.render()
        self.timer.render()

    @property
    def painted_widgets(self) -> list[Any]:
        return [self.list, self.told, self.acts, self.loss, self.right, self.now]

    def _wire_events(self, tab: gr.Tab) -> None:
        page, form = self.page, self.form
        looking = [page.owner, self.chosen, self.across, self.weight]
        shown = [*self.painted_widgets, self.seen, self.timer, self.news]
        self.timer.tick(self.poll_runs, [*looking, self.seen], shown, **RUN_EVENT_OPTIONS)
        gr.on(
            [self.across.change, self.weight.input],
            self.repaint_runs,
            looking,
            shown,
            trigger_mode="always_last",
            **RUN_EVENT_OPTIONS,
        )
        tab.select(
            self.open_tab, page.session, [self.missing, *form.following_widgets, self.timer], **RUN_EVENT_OPTIONS
        )
        self.list.pick(self.pick_run, [self.chosen], [self.chosen, self.note], **RUN_EVENT_OPTIONS).then(
            self.repaint_runs, looking, shown, **RUN_EVENT_OPTIONS
        )
        self.acts.pick(self.perform_action, [page.owner, self.chosen], [self.note], **RUN_EVENT_OPTIONS).then(
            self.repaint_runs, looking, shown, **RUN_EVENT_OPTIONS
        )
        starting = [page.session, page.owner, self.chosen, form.name, self.twin, form.seeds, *form.all_widgets]
        self.start.click(self.start_runs, starting, [self.chosen, self.note], **(RUN_EVENT_OPTIONS | TORCH_QUEUE)).then(
            self.repaint_runs, looking, shown, **RUN_EVENT_OPTIONS
        )
        self.ask.click(
            self.estimate_speed,
            [page.session, *form.all_widgets],
            [self.note],
            api_visibility="private",
            show_progress="minimal",
            **TORCH_QUEUE,
        )
        gr.on(
            [self.show.click, self.step.submit],
            self.preview_batch,
            [page.session, self.step, *form.all_widgets],
            [self.batch, self.note],
            api_visibility="private",
            show_progress="minimal",
            **TORCH_QUEUE,
        )
        page.delayed_wiring.append(self._offer_new_classifiers)

    def _offer_new_classifiers(self) -> None:
        """Offer a classifier as soon as its run is finished: it is one like any other, at once."""
        outputs, values = self.page.name_choices
        self.news.change(
            lambda s: values(s) if s else keep_outputs(outputs), self.page.session, outputs, **RUN_EVENT_OPTIONS
        )

    # what the events do; every value comes from a visitor

    def open_tab(self, session: Session | None) -> list[Any]:
        if session is None:
            return [gr.skip()] * (2 + len(self.form.following_widgets))
        try:
            self.workspace.load_dataset(session.world)
        except UserError as error:
            return [draw_note(str(error)), *self.form.follow_view(session), gr.Timer(active=True)]
        return ["", *self.form.follow_view(session), gr.Timer(active=True)]

    def poll_runs(self, token: Any, chosen: Any, across: Any, weight: Any, seen: str) -> list[Any]:
        """Paint what is new: nothing new changes nothing; when no run is active there is nothing to wait for."""
        nothing = [gr.skip()] * (len(self.painted_widgets) + 3)
        if not run_owner.has_token(token):
            return nothing
        try:
            mark, values = self.watch.paint_runs(
                token, run_owner.read_run_choice(chosen), read_curve_view(across, weight)
            )
        except UserError:  # a run was deleted meanwhile; the next tick has the list without it
            return nothing
        active = any(run.is_active for run in self.runs.list_runs(token))
        news = " ".join(self.workspace.store.cards)
        if mark == seen:
            return [*([gr.skip()] * len(values)), gr.skip(), gr.skip() if active else gr.Timer(active=False), news]
        return [*values, mark, gr.Timer(active=active), news]

    def repaint_runs(self, token: Any, chosen: Any, across: Any, weight: Any) -> list[Any]:
        """Paint everything again, and let the clock run."""
        *values, _, news = self.poll_runs(token, chosen, across, weight, "")
        return [*values, gr.Timer(active=True), news]

    def pick_run(self, event: gr.EventData, chosen: Any) -> list[Any]:
        try:
            kind, _, run = read_event_key(event).partition(":")
        except UserError as error:
            return [gr.skip(), draw_note(str(error))]
        now = run_owner.read_run_choice(chosen)
        if kind == "run":
            return [{"run": run, "beside": now["beside"]}, ""]
        others = [name for name in now["beside"] if name != run]
        return [{"run": now["run"], "beside": others if run in now["beside"] else [*others, run]}, ""]

    def perform_action(self, event: gr.EventData, token: Any, chosen: Any) -> str:
        """Stop, save, resume or delete the chosen run."""
        run = run_owner.read_run_choice(chosen)["run"]
        try:
            run = run or next((found.id for found in self.watch.list_train_runs(token)), "")
            pages.perform_run_action(self.runs, run, read_event_key(event), token)
        except UserError as error:
            return draw_note(str(error))
        return ""

    def start_runs(
        self, session: Session | None, token: Any, chosen: Any, name: Any, twin: Any, seeds: Any, *values: Any
    ) -> list[Any]:
        """Put the run, its seeds and its baselines into the queue.

        The first is chosen, the baseline drawn beside it.
        """
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            base = self.form.read_config(session, values)
            require_trainable(base, self.workspace.store)
            called = str(name).strip() or self.form.suggest_name(session, values)
            family = verbs.plan_runs(base, verbs.parse_seeds(seeds), bool(twin), called)
            ids = [self.runs.submit_run("train", tool_to_json(one), title, token).id for title, one in family]
        except UserError as error:
            return [gr.skip(), draw_note(str(error))]
        return [{"run": ids[0], "beside": ids[1:5]}, ""]

    def estimate_speed(self, session: Session | None, *values: Any) -> str:
        """Say before the start what the budget buys."""
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            line = verbs.describe_training_speed(self.workspace, self.form.read_config(session, values))
            return f'<p class="ll-quiet" role="status">{escape_text(line)}</p>'
        except UserError as error:
            return draw_note(str(error))

    def preview_batch(self, session: Session | None, step: Any, *values: Any) -> list[Any]:
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            return [draw_batch_preview(self.workspace, self.form.read_config(session, values), step), ""]
        except UserError as error:
            return [gr.skip(), draw_note(str(error))]


def read_curve_view(across: Any, weight: Any) -> CurveView:
    known = isinstance(weight, int | float) and 0 <= weight < 1
    return CurveView("time" if across == "time" else "step", float(weight) if known else FIRST_SMOOTHING)
