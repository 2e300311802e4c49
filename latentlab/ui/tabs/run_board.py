"""The runs of one verb as a list, and what the chosen one has told so far: what the tabs Compare and Audit share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import gradio as gr

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.runs import Run, Runs
from latentlab.session.runs.progress import EventReader
from latentlab.ui import run_owner
from latentlab.ui.components import read_event_key
from latentlab.ui.events import FREE_LANE, Reads, connect_events
from latentlab.ui.page_parts import Page, Painted, Trigger, Widget
from latentlab.ui.scripts import load_script
from latentlab.ui.tabs.train import run_list as pages
from latentlab.ui.tabs.train.tab import POLL_SECONDS

T = TypeVar("T")


class RunBoard(Generic[T]):
    """The list at the side, the chosen run's header and its buttons; a clock that goes while one of them is active."""

    def __init__(
        self, page: Page, runs: Runs, key: str, verb: str, reader: EventReader[T], first: T, empty_note: str
    ) -> None:
        self.page, self.runs, self.key, self.verb = page, runs, key, verb
        self.reader, self.first, self.empty_note = reader, first, empty_note
        self.chosen = run_owner.make_browser_state(page.workspace, key)
        self.timer, self.seen = gr.Timer(POLL_SECONDS, render=False), gr.State("")
        page.delayed_wiring.append(self._render_outside)

    @contextmanager
    def lay_out(self) -> Iterator[None]:
        """Place list and header; what is placed inside stands below the header."""
        script = load_script("live_list.js")
        with gr.Row(elem_id=f"{self.key}-runs"):
            with gr.Column(elem_id=f"{self.key}-side", min_width=220):
                self.list = gr.HTML(elem_id=f"{self.key}-list", js_on_load=script)
            with gr.Column(elem_id=f"{self.key}-main", min_width=280):
                self.told = gr.HTML(elem_id=f"{self.key}-told")
                self.acts = gr.HTML(elem_id=f"{self.key}-acts", js_on_load=script)
                yield

    def _render_outside(self) -> None:
        self.chosen.render()
        self.timer.render()

    @property
    def looking(self) -> Reads:
        return {"token": self.page.owner, "chosen": self.chosen}

    def wire_events(
        self,
        widgets: Sequence[Widget],
        paint: Callable[[Run | None, T, str], Painted],
        start: Trigger,
        submit: Callable[..., Run],
        asked: Reads,
        note: gr.HTML,
    ) -> None:
        """Let `paint` show the chosen run in these widgets, and `start` submit one."""
        self.paint, shown = paint, [self.list, self.told, self.acts, *widgets, self.seen, self.timer]

        def choose_run(key: str) -> Painted:
            return {**self._keep_choice(key.partition(":")[2]), note: ""}

        def perform_action(key: str, token: Any, chosen: Any) -> Painted:
            run = self.find_chosen_run(token, chosen)
            pages.perform_run_action(self.runs, run.id if run else "", key, token)
            return {note: ""}

        def start_run(**values: Any) -> Painted:
            return {**self._keep_choice(submit(**values).id), note: ""}

        watched: Reads = {**self.looking, "seen": self.seen}
        connect_events([self.timer.tick], self.poll_runs, watched, shown, lane=FREE_LANE, mode="once")
        for trigger, run, reads, event in (
            (self.list.pick, choose_run, {}, read_event_key),
            (self.acts.pick, perform_action, self.looking, read_event_key),
            (start, start_run, asked, None),
        ):
            answers = [self.chosen, note]
            (done,) = connect_events([trigger], run, reads, answers, note, event, lane=FREE_LANE, mode="once")
            connect_events([done.then], self.repaint_runs, self.looking, shown, lane=FREE_LANE, mode="once")

    def submit_run(self, config: Any, title: str, token: Any) -> Run:
        return self.runs.submit_run(self.verb, tool_to_json(config), title[:80], token)

    def list_own_runs(self, token: str) -> list[Run]:
        return [run for run in self.runs.list_runs(token) if run.verb == self.verb]

    def find_chosen_run(self, token: Any, chosen: Any) -> Run | None:
        found, wanted = self.list_own_runs(token), run_owner.read_run_choice(chosen)["run"]
        return next((run for run in found if run.id == wanted), found[0] if found else None)

    def poll_runs(self, token: Any, chosen: Any, seen: str) -> Painted:
        """Paint what is new; when no run is active there is nothing to wait for."""
        if not run_owner.has_token(token):
            return {}
        found, run = self.list_own_runs(token), self.find_chosen_run(token, chosen)
        try:
            cursor, told = self.reader.read_run(run.id, token) if run else ("", self.first)
        except UserError:  # it was deleted meanwhile; the next tick has the list without it
            return {}
        mark, active = repr((found, cursor, run and run.id)), any(one.is_active for one in found)
        clock: Painted = {self.timer: gr.Timer(active=active)}
        if mark == seen:
            return {} if active else clock
        painted = {**self._paint_header(found, run, token), **self.paint(run, told, token)}
        return {**painted, self.seen: mark, **clock}

    def repaint_runs(self, token: Any, chosen: Any) -> Painted:
        return {**self.poll_runs(token, chosen, ""), self.timer: gr.Timer(active=True)}

    def _paint_header(self, found: list[Run], run: Run | None, token: str) -> Painted:
        listed: Painted = {self.list: pages.draw_run_list(found, run.id if run else "", None, self.empty_note)}
        if run is None:
            return {**listed, self.told: "", self.acts: ""}
        log = self.runs.read_log(run.id, token) if run.state in ("failed", "interrupted") else ""
        told, acts = pages.draw_run_header(run, log), pages.draw_run_actions(run, saves=False)
        return {**listed, self.told: told, self.acts: acts}

    def _keep_choice(self, run: str) -> Painted:
        return {self.chosen: {"run": run, "beside": []}}
