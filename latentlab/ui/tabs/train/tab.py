"""The tab Train: a short run with exactly the move on the page, watched while it goes; it outlives the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.runs import Runs, files, queue
from latentlab.session import Session
from latentlab.session.runs import training as verbs
from latentlab.session.runs.designs import DESIGNS, find_design, plan_design
from latentlab.session.runs.training import PREVIEW_STEP
from latentlab.training.augmented import Config, require_trainable
from latentlab.ui import run_owner
from latentlab.ui.components import read_event_key
from latentlab.ui.events import BUSY_LANE, FREE_LANE, TORCH_LANE, Reads, connect_events
from latentlab.ui.form import Knobs, make_number_box
from latentlab.ui.html import escape_text
from latentlab.ui.page_parts import Page, Painted, Widget
from latentlab.ui.plotly_view import PlotlyView
from latentlab.ui.scripts import load_script
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.train import run_list as pages
from latentlab.ui.tabs.train.form import RunFormWidgets
from latentlab.ui.tabs.train.monitor import CurveView, RunMonitor, RunsView, draw_batch_preview

TITLE, KEY = "Train", "train"
PURPOSE = "Train a classifier for a minute with exactly this move, beside one without it."
TRAINING_OFF_NOTE = "Training is switched off on this page. On a machine of your own, `latentlab app` has it."
POLL_SECONDS = 1.0  # seconds
FIRST_SMOOTHING = 0.6
DESIGN_HELP = " ".join(f"{design.title[0].upper()}{design.title[1:]}: {design.about}" for design in DESIGNS.values())


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
        page.add_follower(self.form.world_follower)
        self._wire_events(tab)

    def _build_start_row(self) -> None:
        with gr.Row(elem_classes="ll-actions ll-go"):
            self.start = gr.Button("Start", variant="primary", elem_id="train-go", size="sm")
            self.twin = gr.Checkbox(False, label="start a baseline beside it", elem_id="train-twin")
            self.ask = gr.Button("How far will it get?", elem_id="train-speed", size="sm")
            self.show = gr.Button("Show the batch", elem_id="train-show", size="sm")
            self.step = make_number_box(PREVIEW_STEP, "train")
            self.note = gr.HTML(elem_id="train-note")
        with gr.Row(elem_classes="ll-actions", elem_id="train-designs"):
            choices = [(design.title, name) for name, design in DESIGNS.items()]
            self.design = gr.Dropdown(
                choices,
                value=choices[0][1],
                label="or a design of docs/findings.md",
                info=DESIGN_HELP,
                elem_id="train-design",
                min_width=220,
            )
            self.go = gr.Button("Start the design", elem_id="train-design-go", size="sm")

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
    def painted_widgets(self) -> list[Widget]:
        """Return what a look at the runs paints."""
        shown = [self.list, self.told, self.acts, self.loss, self.right, self.now]
        return [*shown, self.seen, self.timer, self.news]

    def _wire_events(self, tab: gr.Tab) -> None:
        page, form, shown = self.page, self.form, self.painted_widgets
        chosen: Reads = {"token": page.owner, "chosen": self.chosen}
        looking: Reads = {**chosen, "across": self.across, "weight": self.weight}
        watched: Reads = {**looking, "seen": self.seen}
        connect_events([self.timer.tick], self.poll_runs, watched, shown, lane=FREE_LANE, mode="once")
        connect_events([self.across.change, self.weight.input], self.repaint_runs, looking, shown, lane=FREE_LANE)
        opened = [self.missing, *form.world_follower.widgets, self.timer]
        session = {"session": page.session}
        connect_events([tab.select], self.open_tab, session, opened, lane=FREE_LANE, mode="once")
        starting: Reads = {**session, **chosen, "name": form.name, "twin": self.twin, "seeds": form.seeds, **form.reads}
        answers = [self.chosen, self.note]
        for triggers, run, reads, event, lane in (
            ([self.list.pick], self.pick_run, {"chosen": self.chosen}, read_event_key, FREE_LANE),
            ([self.acts.pick], self.perform_action, chosen, read_event_key, FREE_LANE),
            ([self.start.click], self.start_runs, starting, None, TORCH_LANE),
            ([self.go.click], self.start_design, {"token": page.owner, "name": self.design}, None, TORCH_LANE),
        ):
            (done,) = connect_events(triggers, run, reads, answers, self.note, event, lane=lane, mode="once")
            connect_events([done.then], self.repaint_runs, looking, shown, lane=FREE_LANE, mode="once")
        asked: Reads = {**session, **form.reads}
        connect_events(
            [self.ask.click], self.estimate_speed, asked, [self.note], self.note, lane=BUSY_LANE, mode="once"
        )
        batch: Reads = {**session, "step": self.step, **form.reads}
        connect_events(
            [self.show.click, self.step.submit], self.preview_batch, batch, [self.batch, self.note], self.note,
            lane=BUSY_LANE, mode="once",
        )  # fmt: skip
        page.delayed_wiring.append(self._offer_new_classifiers)

    def _offer_new_classifiers(self) -> None:
        """Offer a classifier as soon as its run is finished: it is one like any other, at once."""
        names = self.page.name_choices

        def paint_names(session: Session | None) -> Painted:
            return names.paint(session) if session else {}

        connect_events([self.news.change], paint_names, {"session": self.page.session}, names.widgets, lane=FREE_LANE)

    # what the events do; every value comes from a visitor

    def open_tab(self, session: Session | None) -> Painted:
        if session is None:
            return {}
        painted: Painted = {self.missing: "", **self.form.follow_view(session), self.timer: gr.Timer(active=True)}
        try:
            self.workspace.load_dataset(session.world)
        except UserError as error:
            painted[self.missing] = draw_note(str(error))
        return painted

    def poll_runs(self, token: Any, chosen: Any, across: Any, weight: Any, seen: str) -> Painted:
        """Paint what is new: nothing new changes nothing; when no run is active there is nothing to wait for."""
        if not run_owner.has_token(token):
            return {}
        try:
            view = self.watch.paint_runs(token, run_owner.read_run_choice(chosen), read_curve_view(across, weight))
        except UserError:  # a run was deleted meanwhile; the next tick has the list without it
            return {}
        active = any(run.is_active for run in self.runs.list_runs(token))
        painted: Painted = {self.news: " ".join(self.workspace.store.cards)}
        if not active or view.mark != seen:
            painted[self.timer] = gr.Timer(active=active)
        return painted if view.mark == seen else {**painted, **self.show_runs(view)}

    def show_runs(self, view: RunsView) -> Painted:
        """Return what each widget shows of the runs."""
        return {
            self.list: view.runs,
            self.told: view.report,
            self.acts: view.actions,
            self.loss: view.loss,
            self.right: view.accuracy,
            self.now: view.batch,
            self.seen: view.mark,
        }

    def repaint_runs(self, **looking: Any) -> Painted:
        """Paint everything again, and let the clock run."""
        return {**self.poll_runs(**looking, seen=""), self.timer: gr.Timer(active=True)}

    def pick_run(self, key: str, chosen: Any) -> Painted:
        kind, _, run = key.partition(":")
        now = run_owner.read_run_choice(chosen)
        if kind == "run":
            return {self.chosen: {"run": run, "beside": now["beside"]}, self.note: ""}
        others = [name for name in now["beside"] if name != run]
        beside = others if run in now["beside"] else [*others, run]
        return {self.chosen: {"run": now["run"], "beside": beside}, self.note: ""}

    def perform_action(self, key: str, token: Any, chosen: Any) -> Painted:
        """Stop, save, resume or delete the chosen run."""
        run = run_owner.read_run_choice(chosen)["run"]
        run = run or next((found.id for found in self.watch.list_train_runs(token)), "")
        pages.perform_run_action(self.runs, run, key, token)
        return {self.note: ""}

    def start_runs(
        self,
        session: Session | None,
        token: Any,
        chosen: Any,
        name: Any,
        twin: Any,
        seeds: Any,
        wish: Knobs,
        knobs: Knobs,
    ) -> Painted:
        """Put the run, its seeds and its baselines into the queue.

        The first is chosen, the baseline drawn beside it.
        """
        ready = require_session(session)
        base = self.form.read_config(ready, wish, knobs)
        require_trainable(base, self.workspace.store)
        called = str(name).strip() or self.form.suggest_name(ready, wish)
        family = verbs.plan_runs(base, verbs.parse_seeds(seeds), bool(twin), called)
        return self._submit_family(family, token)

    def start_design(self, token: Any, name: Any) -> Painted:
        """Put a design's run and its baseline into the queue, whatever the form says."""
        family = plan_design(find_design(name))
        require_trainable(family[0][1], self.workspace.store)
        return self._submit_family(family, token)

    def _submit_family(self, family: Sequence[tuple[str, Config]], token: Any) -> Painted:
        first, *others = [self.runs.submit_run("train", tool_to_json(one), title, token).id for title, one in family]
        return {self.chosen: {"run": first, "beside": others[:4]}, self.note: ""}

    def estimate_speed(self, session: Session | None, wish: Knobs, knobs: Knobs) -> Painted:
        """Say before the start what the budget buys."""
        config = self.form.read_config(require_session(session), wish, knobs)
        line = verbs.describe_training_speed(self.workspace, config)
        return {self.note: f'<p class="ll-quiet" role="status">{escape_text(line)}</p>'}

    def preview_batch(self, session: Session | None, step: Any, wish: Knobs, knobs: Knobs) -> Painted:
        config = self.form.read_config(require_session(session), wish, knobs)
        return {self.batch: draw_batch_preview(self.workspace, config, step), self.note: ""}


def require_session(session: Session | None) -> Session:
    """Return the session; there is none before the first view."""
    if session is None:
        raise UserError("The page is not ready yet; wait for the pictures.")
    return session


def read_curve_view(across: Any, weight: Any) -> CurveView:
    known = isinstance(weight, int | float) and 0 <= weight < 1
    return CurveView("time" if across == "time" else "step", float(weight) if known else FIRST_SMOOTHING)
