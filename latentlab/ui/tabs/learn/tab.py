"""The tab Learn: lessons that ask for a prediction, compute the answer, and lead to where one can try it."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from latentlab.errors import UserError
from latentlab.session import Session
from latentlab.session.lessons.lesson import (
    LessonAnswers,
    LessonProgress,
    apply_click,
    forget_predictions,
    parse_progress,
)
from latentlab.session.lessons.subjects import LESSON_WORLD
from latentlab.ui.components import make_lesson_board, read_event_key
from latentlab.ui.events import Reads, connect_action, connect_events, connect_steps
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.tabs.learn.view import draw_lessons

TITLE, KEY = "Learn", "learn"
PURPOSE = "Short lessons that ask what you expect before they compute the answer."


def build_learn_tab(page: Page, tab: gr.Tab) -> None:
    worlds, taught = page.workspace.store.worlds, LessonAnswers(page.workspace)
    start = LessonProgress(world=LESSON_WORLD if LESSON_WORLD in worlds else page.workspace.first_world)
    note = gr.HTML(elem_id="learn-note")
    board = make_lesson_board(value=draw_lessons(start, (), None, worlds), elem_id="learn-board")
    progress, wanted = gr.State(start), gr.State(None)

    def paint_board(now: LessonProgress, refused: str = "") -> Painted:
        answers = taught.find_open_answers(now)
        found = taught.open_session(now) if answers else None
        return {board: draw_lessons(now, answers, found, worlds, refused), progress: now}

    def answer_click(told: gr.EventData, now: LessonProgress) -> Painted:
        """Answer at once, or leave what takes long to `run_wanted_trial`: it is computed for a prediction alone."""
        try:
            key = read_event_key(told)
            then = apply_click(now, key, worlds)
        except UserError as error:
            return paint_board(now, str(error))
        if taught.needs_trial(then):
            return {wanted: then} if key.startswith("say") else paint_board(forget_predictions(then))
        try:
            return paint_board(then)
        except UserError as error:
            return paint_board(now, str(error))

    def run_wanted_trial(now: LessonProgress, then: LessonProgress | None) -> Iterator[Painted]:
        if then is None:
            return
        try:
            for _ in taught.run_trial(then):
                yield {}
            yield {**paint_board(then), wanted: None}
        except UserError as error:
            yield {**paint_board(now, str(error)), wanted: None}

    def reopen_lesson(told: gr.EventData) -> Painted:
        """Open the lesson that this browser remembers; its answers are computed again where that is quick."""
        try:
            now = parse_progress(read_event_key(told), worlds)
            return paint_board(forget_predictions(now) if taught.needs_trial(now) else now)
        except UserError as error:
            return paint_board(start, str(error))

    def attempt_move(session: Session, now: LessonProgress) -> Session:
        return taught.start_attempt(session, now)

    now, outputs = {"now": progress}, [board, progress, wanted]
    (answered,) = connect_events([board.pick], answer_click, now, outputs, event=lambda told: told)
    trial: Reads = {"now": progress, "then": wanted}
    connect_steps([answered.then], run_wanted_trial, trial, outputs, note, mode="multiple")
    connect_events([board.back], reopen_lesson, {}, outputs, event=lambda told: told)
    connect_action(page, [board.go], attempt_move, now, note, lambda: page.situation_follower, turn=True)
