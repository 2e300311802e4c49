"""Compare: did it help? Any classifiers and runs on the same test images, with intervals; a run like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from latentlab.comparison import Comparison
from latentlab.errors import UserError
from latentlab.knobs import settings, to_json
from latentlab.runs import Run, Runs
from latentlab.session import Session, change_world, put
from latentlab.session.board import Board, read
from latentlab.session.progress import Reader
from latentlab.ui import boards, owner, show
from latentlab.ui import runs as pages
from latentlab.ui.form import Form
from latentlab.ui.plot import PlotlyView
from latentlab.ui.tabs.train import OFF, PULSE, QUIET
from latentlab.ui.widgets import ASSETS, choices, picked
from latentlab.ui.wiring import Page, on

TITLE, KEY = "Compare", "compare"
TOOLS = ()
FRONT = ("images", "metrics")
OWN = ("classifiers", "world", "space", "judge")
FIRST = 2  # classifiers that are chosen at first
AUTOMATIC = "automatic"


def build(page: Page, tab: gr.Tab) -> None:
    if page.desk.runs is None:
        gr.HTML(f'<p class="ll-quiet">{OFF}</p>')
        return
    Compare(page, tab, page.desk.runs)


class Compare:
    """The tab: widgets first, events last."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.desk, self.runs = page, page.desk, runs
        self.reader = Reader(runs, Board(), read)
        self.missing = gr.HTML(elem_id="compare-missing")
        self._form()
        script = (ASSETS / "runs.js").read_text()
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
                self.flips = choices(elem_id="compare-flips")
        self.flip_note = gr.HTML(elem_id="compare-flip-note")
        self.chosen = owner.kept(page.desk, "compare")
        self.timer, self.seen = gr.Timer(PULSE, render=False), gr.State("")
        page.later.append(self._render_outside)
        page.follow(*self._following)
        self._events(tab)

    def _form(self) -> None:
        with gr.Row(elem_classes="ll-bank", elem_id="compare-form"):
            self.classifiers = gr.Dropdown(
                [], multiselect=True, label="classifiers", info="all against the first", elem_id="compare-who"
            )
            rest = tuple(setting.name for setting in settings(Comparison) if setting.name not in FRONT)
            self.front = Form(Comparison, skip=rest, prefix="compare")
        with gr.Accordion("How it is measured", open=False, elem_id="compare-more"), gr.Row(elem_classes="ll-bank"):
            self.space = gr.Dropdown([], label="space", info="of the latent attack", elem_id="compare-space")
            self.judge = gr.Dropdown([], label="judge", info="of label preservation", elem_id="compare-judge")
            self.folded = Form(Comparison, skip=(*FRONT, *OWN), prefix="compare")
        with gr.Row(elem_classes="ll-actions"):
            self.go = gr.Button("Compare", variant="primary", elem_id="compare-go", size="sm")
            self.note = gr.HTML(elem_id="compare-note")

    def _render_outside(self) -> None:
        self.chosen.render()
        self.timer.render()

    @property
    def _following(self) -> tuple[list[Any], Any]:
        return [self.classifiers, self.space, self.judge], self.situated

    def _events(self, tab: gr.Tab) -> None:
        page, knobs = self.page, [*self.front.widgets, *self.folded.widgets]
        looking = [page.owner, self.chosen]
        painted = [self.list, self.told, self.acts, self.table, self.sure, self.hard, self.flips]
        shown = [*painted, self.seen, self.timer]
        self.timer.tick(self.poll, [*looking, self.seen], shown, **QUIET)
        again: dict[str, Any] = {"fn": self.look, "inputs": looking, "outputs": shown, **QUIET}
        tab.select(self.opened, [page.session, page.owner], [self.missing, *self._following[0], self.timer], **QUIET)
        self.list.pick(self.pick, None, [self.chosen, self.note], **QUIET).then(**again)
        self.acts.pick(self.act, looking, [self.note], **QUIET).then(**again)
        asked = [page.session, page.owner, self.classifiers, self.space, self.judge, *knobs]
        self.go.click(self.begin, asked, [self.chosen, self.note], **QUIET).then(**again)
        to_bench = [self.chosen, page.owner]
        on(page, [self.flips.pick], self.take, to_bench, self.flip_note, lambda: page.situation, picked)

    def situated(self, session: Session) -> list[Any]:
        """The classifiers and spaces of the world; the one in use is compared first."""
        names = self.desk.store.classifiers(session.world)
        labels = labelled(names, {})
        first = [name for name in (session.classifier, *names) if name]
        chosen = list(dict.fromkeys(first))[:FIRST]
        spaces = self.desk.store.models(session.world)
        shown = [(show.short(self.desk, name, session.world), name) for name in spaces]
        return [
            gr.update(choices=labels, value=chosen),
            gr.update(choices=[(AUTOMATIC, ""), *shown], value=""),
            gr.update(choices=[(AUTOMATIC, ""), *labels], value=""),
        ]

    # what the events do; every value comes from a visitor

    def opened(self, session: Session | None, token: Any) -> list[Any]:
        """New runs are there to choose; what was chosen stays."""
        if session is None or not owner.known(token):
            return [gr.skip()] * 5
        called = pages.called(self.runs.list(token))
        names = gr.update(choices=labelled(self.desk.store.classifiers(session.world), called))
        said = ""
        try:
            self.desk.dataset(session.world)
        except UserError as error:
            said = show.note(str(error))
        return [said, names, gr.skip(), gr.skip(), gr.Timer(active=True)]

    def seen_by(self, token: str) -> list[Run]:
        return [run for run in self.runs.list(token) if run.verb == "compare"]

    def chosen_run(self, token: Any, chosen: Any) -> Run | None:
        found, wanted = self.seen_by(token), owner.chosen_of(chosen)["run"]
        return next((run for run in found if run.id == wanted), found[0] if found else None)

    def poll(self, token: Any, chosen: Any, seen: str) -> list[Any]:
        if not owner.known(token):
            return [gr.skip()] * 9
        found, run = self.seen_by(token), self.chosen_run(token, chosen)
        try:
            cursor, board = self.reader.story(run.id, token) if run else ("", Board())
        except UserError:  # it was deleted meanwhile; the next tick has the list without it
            return [gr.skip()] * 9
        mark, active = repr((found, cursor, run and run.id)), any(one.active for one in found)
        if mark == seen:
            return [*([gr.skip()] * 8), gr.skip() if active else gr.Timer(active=False)]
        return [*self.paint(found, run, board, token), mark, gr.Timer(active=active)]

    def paint(self, found: list[Run], run: Run | None, board: Board, token: str) -> list[Any]:
        if run is None:
            return [pages.listed(found, "", None, NONE), *[""] * 3, None, None, ""]
        called = pages.called(self.runs.list(token))
        log = self.runs.log(run.id, token) if run.state in ("failed", "interrupted") else ""
        return [
            pages.listed(found, run.id, None, NONE),
            pages.headed(run, log),
            pages.actions(run, saves=False),
            boards.table(board, called),
            boards.reliability(board, called),
            boards.corruptions(board, called),
            boards.flips(self.desk, board, called),
        ]

    def look(self, token: Any, chosen: Any) -> list[Any]:
        *values, _ = self.poll(token, chosen, "")
        return [*values, gr.Timer(active=True)]

    def pick(self, event: gr.EventData) -> list[Any]:
        try:
            return [{"run": picked(event).partition(":")[2], "beside": []}, ""]
        except UserError as error:
            return [gr.skip(), show.note(str(error))]

    def act(self, event: gr.EventData, token: Any, chosen: Any) -> str:
        try:
            run = self.chosen_run(token, chosen)
            pages.act(self.runs, run.id if run else "", picked(event), token)
        except UserError as error:
            return show.note(str(error))
        return ""

    def begin(
        self, session: Session | None, token: Any, classifiers: Any, space: Any, judge: Any, *values: Any
    ) -> list[Any]:
        try:
            if session is None:
                raise UserError("The page is not ready yet; wait for the pictures.")
            wanted = self.wanted(session, classifiers, space, judge, values)
            called = pages.called(self.runs.list(token))
            name = " against ".join(boards.spoken(name, called) for name in wanted.classifiers[:2])
            more = len(wanted.classifiers) - 2
            run = self.runs.start("compare", to_json(wanted), (name + (f" +{more}" if more > 0 else ""))[:80], token)
        except UserError as error:
            return [gr.skip(), show.note(str(error))]
        return [{"run": run.id, "beside": []}, ""]

    def wanted(self, session: Session, classifiers: Any, space: Any, judge: Any, values: Any) -> Comparison:
        front, folded = values[: len(self.front.widgets)], values[len(self.front.widgets) :]
        names = [setting.name for setting in self.folded.settings]
        return self.front.read(
            front,
            **dict(zip(names, folded, strict=True)),
            classifiers=classifiers or (),
            world=session.world,
            space=space or "",
            judge=judge or "",
        )

    def take(self, session: Session, key: str, chosen: Any, token: Any) -> Session:
        """A flipped image into the workbench."""
        run = self.chosen_run(token, chosen)
        if run is None or not key[:9].isdecimal():
            raise UserError("There is no such image here; click one of those shown.")
        world = str(run.config["world"])
        there = session if session.world == world else change_world(self.desk, session, world)
        return put(self.desk, there, self.desk.row(world, int(key[:9])))


NONE = "No comparison yet. Choose classifiers and compare them."


def labelled(names: Sequence[str], called: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(boards.spoken(name, called), name) for name in names]
