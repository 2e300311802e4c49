"""Train: a short run with exactly the move on the page, watched while it goes; it outlives the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.knobs import to_json
from latentlab.runs import Runs
from latentlab.session import Session
from latentlab.session import training as verbs
from latentlab.session.training import STEP
from latentlab.training import check
from latentlab.ui import owner, show
from latentlab.ui import runs as pages
from latentlab.ui.form import number
from latentlab.ui.plot import PlotlyView
from latentlab.ui.watch import View, Watch, before
from latentlab.ui.widgets import ASSETS, picked
from latentlab.ui.wiring import QUEUE, Page, kept
from latentlab.ui.wish import WishForm

TITLE, KEY = "Train", "train"
TOOLS = ()
OFF = "Training is switched off on this page. On a machine of your own, `latentlab app` has it."
PULSE = 1.0  # seconds
SMOOTH = 0.6
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


def build(page: Page, tab: gr.Tab) -> None:
    if page.desk.runs is None:
        gr.HTML(f'<p class="ll-quiet">{OFF}</p>')
        return
    Train(page, tab, page.desk.runs)


class Train:
    """The tab: widgets first, events last."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.desk, self.runs = page, page.desk, runs
        self.watch = Watch(page.desk, runs)
        self.missing = gr.HTML(elem_id="train-missing")
        self.form = WishForm(page.desk)
        self._start_row()
        self.batch = gr.HTML(elem_id="train-batch")
        self._runs_row()
        self.chosen = owner.kept(page.desk, "train")
        self.timer = gr.Timer(PULSE, render=False)
        self.seen, self.news = gr.State(""), gr.State("")
        page.later.append(self._render_outside)
        page.follow(self.form.following, self.form.situated)
        self._events(tab)

    def _start_row(self) -> None:
        with gr.Row(elem_classes="ll-actions ll-go"):
            self.start = gr.Button("Start", variant="primary", elem_id="train-go", size="sm")
            self.twin = gr.Checkbox(False, label="start a baseline beside it", elem_id="train-twin")
            self.show = gr.Button("Show the batch", elem_id="train-show", size="sm")
            self.step = number(STEP, "train")
            self.note = gr.HTML(elem_id="train-note")

    def _runs_row(self) -> None:
        script = (ASSETS / "runs.js").read_text()
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
                    self.weight = gr.Slider(0, 0.99, SMOOTH, step=0.01, label="smoothing", elem_id="train-smooth")
                self.now = gr.HTML(elem_id="train-now")

    def _render_outside(self) -> None:
        """What must live while the tab is not open."""
        self.chosen.render()
        self.timer.render()

    @property
    def painted(self) -> list[Any]:
        return [self.list, self.told, self.acts, self.loss, self.right, self.now]

    def _events(self, tab: gr.Tab) -> None:
        page, form = self.page, self.form
        looking = [page.owner, self.chosen, self.across, self.weight]
        shown = [*self.painted, self.seen, self.timer, self.news]
        self.timer.tick(self.poll, [*looking, self.seen], shown, **QUIET)
        gr.on([self.across.change, self.weight.input], self.look, looking, shown, trigger_mode="always_last", **QUIET)
        tab.select(self.opened, page.session, [self.missing, *form.following, self.timer], **QUIET)
        self.list.pick(self.pick, [self.chosen], [self.chosen, self.note], **QUIET).then(
            self.look, looking, shown, **QUIET
        )
        self.acts.pick(self.act, [page.owner, self.chosen], [self.note], **QUIET).then(
            self.look, looking, shown, **QUIET
        )
        starting = [page.session, page.owner, self.chosen, form.name, self.twin, form.seeds, *form.widgets]
        self.start.click(self.begin, starting, [self.chosen, self.note], **(QUIET | QUEUE)).then(
            self.look, looking, shown, **QUIET
        )
        gr.on(
            [self.show.click, self.step.submit],
            self.preview,
            [page.session, self.step, *form.widgets],
            [self.batch, self.note],
            api_visibility="private",
            show_progress="minimal",
            **QUEUE,
        )
        page.later.append(self._renew)

    def _renew(self) -> None:
        """A run that is finished is a classifier like any other, at once."""
        outputs, values = self.page.names
        self.news.change(lambda s: values(s) if s else kept(outputs), self.page.session, outputs, **QUIET)

    # what the events do; every value comes from a visitor

    def opened(self, session: Session | None) -> list[Any]:
        if session is None:
            return [gr.skip()] * (2 + len(self.form.following))
        try:
            self.desk.dataset(session.world)
        except UserError as error:
            return [show.note(str(error)), *self.form.looked(session), gr.Timer(active=True)]
        return ["", *self.form.looked(session), gr.Timer(active=True)]

    def poll(self, token: Any, chosen: Any, across: Any, weight: Any, seen: str) -> list[Any]:
        """Nothing new changes nothing; when no run is active there is nothing to wait for."""
        nothing = [gr.skip()] * (len(self.painted) + 3)
        if not owner.known(token):
            return nothing
        try:
            mark, values = self.watch.paint(token, owner.chosen_of(chosen), view(across, weight))
        except UserError:  # a run was deleted meanwhile; the next tick has the list without it
            return nothing
        active = any(run.active for run in self.runs.list(token))
        news = " ".join(self.desk.store.cards)
        if mark == seen:
            return [*([gr.skip()] * len(values)), gr.skip(), gr.skip() if active else gr.Timer(active=False), news]
        return [*values, mark, gr.Timer(active=active), news]

    def look(self, token: Any, chosen: Any, across: Any, weight: Any) -> list[Any]:
        """Everything painted again, and the clock runs."""
        *values, _, news = self.poll(token, chosen, across, weight, "")
        return [*values, gr.Timer(active=True), news]

    def pick(self, event: gr.EventData, chosen: Any) -> list[Any]:
        try:
            kind, _, run = picked(event).partition(":")
        except UserError as error:
            return [gr.skip(), show.note(str(error))]
        now = owner.chosen_of(chosen)
        if kind == "run":
            return [{"run": run, "beside": now["beside"]}, ""]
        others = [name for name in now["beside"] if name != run]
        return [{"run": now["run"], "beside": others if run in now["beside"] else [*others, run]}, ""]

    def act(self, event: gr.EventData, token: Any, chosen: Any) -> str:
        """Stop, save, resume or delete the chosen run."""
        run = owner.chosen_of(chosen)["run"]
        try:
            run = run or next((found.id for found in self.watch.seen(token)), "")
            pages.act(self.runs, run, picked(event), token)
        except UserError as error:
            return show.note(str(error))
        return ""

    def begin(
        self, session: Session | None, token: Any, chosen: Any, name: Any, twin: Any, seeds: Any, *values: Any
    ) -> list[Any]:
        """The run, its seeds and its baselines into the queue; the first is chosen, the baseline drawn beside it."""
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            base = self.form.read(session, values)
            check(base, self.desk.store)
            called = str(name).strip() or self.form.caption(session, values)
            family = verbs.family(base, verbs.seeds(seeds), bool(twin), called)
            ids = [self.runs.start("train", to_json(one), title, token).id for title, one in family]
        except UserError as error:
            return [gr.skip(), show.note(str(error))]
        return [{"run": ids[0], "beside": ids[1:5]}, ""]

    def preview(self, session: Session | None, step: Any, *values: Any) -> list[Any]:
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            return [before(self.desk, self.form.read(session, values), step), ""]
        except UserError as error:
            return [gr.skip(), show.note(str(error))]


def view(across: Any, weight: Any) -> View:
    known = isinstance(weight, int | float) and 0 <= weight < 1
    return View("time" if across == "time" else "step", float(weight) if known else SMOOTH)
