"""Learn: four lessons that ask for a prediction, compute the answer, and lead to the tab where one can try it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.session import Session
from latentlab.session.lessons import Lessons, Progress, remembered, turn
from latentlab.session.subject import WORLD
from latentlab.ui import lesson
from latentlab.ui.widgets import lesson_board, picked
from latentlab.ui.wiring import Page, on, wired

TITLE, KEY = "Learn", "learn"
TOOLS = ()


def build(page: Page, tab: gr.Tab) -> None:
    worlds, taught = page.desk.store.worlds, Lessons(page.desk)
    start = Progress(world=WORLD if WORLD in worlds else page.desk.first_world)
    note = gr.HTML(elem_id="learn-note")
    board = lesson_board(value=lesson.board(start, (), None, worlds), elem_id="learn-board")
    progress = gr.State(start)

    def painted(now: Progress, refused: str = "") -> list[Any]:
        answers = taught.answers(now)
        found = taught.session(now) if answers else None
        return [lesson.board(now, answers, found, worlds, refused), now]

    def answered(event: gr.EventData, now: Progress) -> list[Any]:
        try:
            return painted(turn(now, picked(event), worlds))
        except UserError as error:
            return painted(now, str(error))

    def back(event: gr.EventData) -> list[Any]:
        """The lesson that this browser remembers, its answers computed again."""
        try:
            return painted(remembered(picked(event), worlds))
        except UserError as error:
            return painted(start, str(error))

    def go(session: Session, now: Progress) -> Session:
        return taught.attempt(session, now)

    wired([board.pick], answered, [progress], [board, progress])
    wired([board.back], back, [], [board, progress])
    on(page, [board.go], go, [progress], note, lambda: page.situation, turn=True)
