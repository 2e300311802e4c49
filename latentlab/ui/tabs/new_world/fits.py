"""The networks of the world on the page: fits as runs, each watched while it learns and usable at any moment."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab.runs import Run, Runs
from latentlab.runs.layout import FIT_VERB
from latentlab.session import Session
from latentlab.session.runs import fitting as verbs
from latentlab.session.runs.fitting import FitProgress, FitProposal
from latentlab.session.runs.progress import EventReader
from latentlab.ui import run_owner
from latentlab.ui.events import BUSY_LANE, FREE_LANE, Reads, connect_events
from latentlab.ui.html import escape_text, join_html
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.tabs.run_board import RunBoard
from latentlab.ui.tabs.train.run_list import format_run_duration
from latentlab.ui.tabs.train.tab import require_session

NO_FIT_NOTE = "No fit yet. Each goes on when you close the page, and its network can be used from the first look on."
FITS_NOTE = (
    "Networks of the world that is open, one after the other. A classifier first: it judges what the others keep."
)


class FitsPart:
    """Below the form of the new world: kinds, minutes, and the board of the fits."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.workspace, self.runs = page, page.workspace, runs
        reader = EventReader(runs, FitProgress(), verbs.add_fit_events)
        self.board = RunBoard(page, runs, "fits", FIT_VERB, reader, FitProgress(), NO_FIT_NOTE)
        gr.HTML(f'<h3 class="ll-heading">Its networks</h3><p class="ll-quiet">{FITS_NOTE}</p>')
        with gr.Row(elem_classes="ll-bank", elem_id="fits-form"):
            self.kinds = gr.CheckboxGroup(
                list(verbs.OFFERED_KINDS), value=["classifier", "vae"], label="kinds", elem_id="fits-kinds"
            )
            self.minutes = gr.Number(0, label="minutes each", info="0: as proposed", minimum=0, elem_id="fits-minutes")
        with gr.Row(elem_classes="ll-actions ll-go"):
            self.go = gr.Button("Fit", variant="primary", elem_id="fits-go", size="sm")
            self.ask = gr.Button("How long?", elem_id="fits-ask", size="sm")
            self.note = gr.HTML(elem_id="fits-note")
        with self.board.lay_out():
            self.looks = gr.HTML(elem_id="fits-looks")
            self.sheet = gr.HTML(elem_id="fits-sheet")
        self._wire_events(tab)

    def _wire_events(self, tab: gr.Tab) -> None:
        page, board = self.page, self.board
        token: Reads = {"token": page.owner}
        connect_events([tab.select], self.open_tab, token, [board.timer], lane=FREE_LANE, mode="once")
        here: Reads = {"session": page.session, "kinds": self.kinds}
        connect_events([self.ask.click], self.tell_minutes, here, [self.note], self.note, lane=BUSY_LANE, mode="once")
        asked: Reads = {**here, **token, "minutes": self.minutes}
        board.wire_events([self.looks, self.sheet], self.paint_fit, self.go.click, self.submit_fits, asked, self.note)
        news = gr.State("")
        connect_events([board.timer.tick], self.list_networks, {}, [news], lane=FREE_LANE, mode="once")
        names = page.name_choices

        def paint_names(session: Session | None) -> Painted:
            return names.paint(session) if session else {}

        def wire_names() -> None:
            connect_events([news.change], paint_names, {"session": page.session}, names.widgets, lane=FREE_LANE)

        self.news = news
        page.delayed_wiring.append(wire_names)

    # what the events do; every value comes from a visitor

    def open_tab(self, token: Any) -> Painted:
        return {self.board.timer: gr.Timer(active=True)} if run_owner.has_token(token) else {}

    def list_networks(self) -> Painted:
        return {self.news: " ".join(self.workspace.store.cards)}

    def propose(self, session: Session | None, kinds: Any) -> list[FitProposal]:
        return verbs.propose_fits(self.workspace, require_session(session).world, list(kinds or ()))

    def tell_minutes(self, session: Session | None, kinds: Any) -> Painted:
        line = "; ".join(one.describe() for one in self.propose(session, kinds))
        return {self.note: f'<p class="ll-quiet" role="status">Here: {escape_text(line)}.</p>'}

    def submit_fits(self, session: Session | None, token: Any, kinds: Any, minutes: Any) -> Run:
        """Put a fit of each kind into the queue; the first one is shown."""
        world = require_session(session).world
        wanted = verbs.plan_fits(world, self.propose(session, kinds), minutes if minutes is not None else 0)
        title = self.workspace.store.find_title(world)
        made = [self.board.submit_run(one, f"{one.kind} of {title}, {verbs.format_minutes(one.minutes)}", token)
                for one in wanted]  # fmt: skip
        return made[0]

    def paint_fit(self, run: Run | None, story: FitProgress, token: str) -> Painted:
        if run is None:
            return {self.looks: "", self.sheet: ""}
        data = verbs.read_sheet(self.runs.find_folder(run.id, token))
        return {self.looks: draw_looks(run, story), self.sheet: draw_sheet_picture(data)}


def draw_looks(run: Run, story: FitProgress) -> str:
    """Draw how far the fit is, and a row for each look: when, and what the network could do then."""
    if not story.begin:
        return ""
    step, facts = story.step, [story.begin["device"], f"{story.begin['images']:,} pictures"]
    if run.state == "running" and step:
        facts += [f"{step['images_per_second']:,.0f} images/s", f"{format_run_duration(step['eta'])} left"]
    told = f'<p class="ll-quiet">{escape_text(", ".join(facts))}</p>'
    names = list(dict.fromkeys(name for look in story.looks for name in look.values))
    if not names:
        return told
    head = join_html(f"<th>{escape_text(name)}</th>" for name in ("after", "update", *names))
    rows = join_html(
        f"<tr>{join_html(f'<td>{escape_text(word)}</td>' for word in _list_look_words(look, names))}</tr>"
        for look in choose_looks(story)
    )
    return f'{told}<div class="ll-board"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def choose_looks(story: FitProgress, most: int = 8) -> Sequence[Any]:
    """Choose the first looks and the last ones, if there are many."""
    looks = story.looks
    return looks if len(looks) <= most else (*looks[: most // 2], *looks[-most // 2 :])


def _list_look_words(look: Any, names: Sequence[str]) -> list[str]:
    values = [format_score(name, look.values[name]) if name in look.values else "–" for name in names]
    return [format_run_duration(look.seconds), f"{look.step:,}", *values]


def format_score(name: str, value: float) -> str:
    if name in ("accuracy", "kept", "balanced accuracy"):
        return f"{100 * value:.1f} %"
    return f"{value:.1f} dB" if name.startswith("PSNR") else f"{value:.3g}"


def draw_sheet_picture(data: bytes | None) -> str:
    if data is None:
        return ""
    words = "what the network draws and rebuilds now"
    return f'<img class="ll-sheet" src="data:image/png;base64,{base64.b64encode(data).decode()}" alt="{words}">'
