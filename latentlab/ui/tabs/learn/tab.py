"""The tab Learn: four lessons that ask for a prediction, compute the answer, and lead to where one can try it."""

from __future__ import annotations

import gradio as gr

from latentlab.errors import UserError
from latentlab.session import Session
from latentlab.session.lessons.lesson import LessonAnswers, LessonProgress, apply_click, parse_progress
from latentlab.session.lessons.subjects import LESSON_WORLD
from latentlab.ui.components import make_lesson_board, read_event_key
from latentlab.ui.events import connect_action, connect_events
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.tabs.learn.view import draw_lessons

TITLE, KEY = "Learn", "learn"
PURPOSE = "Short lessons that ask what you expect before they compute the answer."


def build_learn_tab(page: Page, tab: gr.Tab) -> None:
    worlds, taught = page.workspace.store.worlds, LessonAnswers(page.workspace)
    start = LessonProgress(world=LESSON_WORLD if LESSON_WORLD in worlds else page.workspace.first_world)
    note = gr.HTML(elem_id="learn-note")
    board = make_lesson_board(value=draw_lessons(start, (), None, worlds), elem_id="learn-board")
    progress = gr.State(start)

    def paint_board(now: LessonProgress, refused: str = "") -> Painted:
        answers = taught.find_open_answers(now)
        found = taught.open_session(now) if answers else None
        return {board: draw_lessons(now, answers, found, worlds, refused), progress: now}

    def answer_click(told: gr.EventData, now: LessonProgress) -> Painted:
        try:
            return paint_board(apply_click(now, read_event_key(told), worlds))
        except UserError as error:
            return paint_board(now, str(error))

    def reopen_lesson(told: gr.EventData) -> Painted:
        """Open the lesson that this browser remembers; its answers are computed again."""
        try:
            return paint_board(parse_progress(read_event_key(told), worlds))
        except UserError as error:
            return paint_board(start, str(error))

    def attempt_move(session: Session, now: LessonProgress) -> Session:
        return taught.start_attempt(session, now)

    now, outputs = {"now": progress}, [board, progress]
    connect_events([board.pick], answer_click, now, outputs, event=lambda told: told)
    connect_events([board.back], reopen_lesson, {}, outputs, event=lambda told: told)
    connect_action(page, [board.go], attempt_move, now, note, lambda: page.situation_follower, turn=True)
