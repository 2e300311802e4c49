"""The lessons as HTML: a question, the answers to choose from, then what the networks say, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from time import time_ns

from latentlab.session import Session
from latentlab.session.lessons.experiments import Answer
from latentlab.session.lessons.lesson import Lesson, LessonProgress, LessonStep, load_lessons
from latentlab.session.lessons.subjects import PictureStrip
from latentlab.ui.html import draw_image, escape_text, join_html, spell_name
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.mix import pairing_view

STRIP_NOTE = "Below each picture: the class that the classifier sees, underlined where it has changed or is wrong."
LESSON_TABS = ("Explore", "Attack", "Mix", "Mix", "Mix", "Explore")  # where each lesson's own move is shown


def draw_lessons(
    progress: LessonProgress,
    answers: Sequence[Answer],
    session: Session | None,
    worlds: Sequence[str],
    refused: str = "",
) -> str:
    """Draw all lessons to choose from, and the open one as far as it has been answered.

    `session` is the one that the answers were found in; there is none before the first answer. `refused` says why a
    click had no effect. Every board is another value, so that the page hears of it.
    """
    lesson, said = load_lessons()[progress.place], progress.said[progress.place]
    steps = join_html(
        draw_answered_question(place, step, choice, answer, session)
        for place, (step, choice, answer) in enumerate(zip(lesson.steps, said, answers, strict=False))
    )
    done = len(said) == len(lesson.steps)
    rest = draw_lesson_end(progress, answers, said) if done else draw_open_question(len(said), lesson.steps[len(said)])
    head = f"<header><h2>{escape_text(lesson.title)}</h2>{draw_world_choice(progress, lesson, worlds)}</header>"
    about = f'<p class="ll-about">{escape_text(lesson.about)}</p>'
    return (
        f'<div class="ll-learn" data-at="{time_ns()}" data-progress="{escape_text(progress.to_json())}">'
        f"{draw_lesson_cards(progress)}"
        f'<article class="ll-lesson">{head}{about}{steps}{draw_note(refused)}{rest}</article></div>'
    )


def draw_lesson_cards(progress: LessonProgress) -> str:
    cards = join_html(draw_lesson_card(progress, k) for k in range(len(load_lessons())))
    return f'<nav class="ll-lessons" aria-label="lessons">{cards}</nav>'


def draw_lesson_card(progress: LessonProgress, place: int) -> str:
    """Draw one lesson to open; it has a dot a question, filled when it is answered."""
    lesson, said = load_lessons()[place], len(progress.said[place])
    dots = join_html(f'<i class="{"ll-done" if k < said else ""}"></i>' for k in range(len(lesson.steps)))
    here = str(place == progress.place).lower()
    score = f'<em aria-label="{said} of {len(lesson.steps)} answered">{dots}</em>'
    return (
        f'<button class="ll-lesson-card" data-key="open {place}" aria-pressed="{here}"><b>{place + 1}</b>'
        f"<span>{escape_text(lesson.title)}</span>{score}</button>"
    )


def draw_world_choice(progress: LessonProgress, lesson: Lesson, worlds: Sequence[str]) -> str:
    """Draw the world that the lesson looks at; another one starts it again."""
    if lesson.world:
        return f'<span class="ll-quiet">on {escape_text(lesson.world)}</span>'
    buttons = join_html(_draw_world_button(world, world == progress.world) for world in worlds)
    return f'<span class="ll-quiet">on {buttons}</span>'


def _draw_world_button(world: str, chosen: bool) -> str:
    key = f'data-key="world {escape_text(world)}"'
    return f'<button class="ll-pill" {key} aria-pressed="{str(chosen).lower()}">{escape_text(world)}</button>'


def draw_question(place: int, step: LessonStep) -> str:
    return f'<p class="ll-text">{escape_text(step.text)}</p><h3><b>{place + 1}</b>{escape_text(step.ask)}</h3>'


def draw_open_question(place: int, step: LessonStep) -> str:
    """Draw a question that waits for a prediction."""
    options = join_html(
        f'<button class="ll-option" data-key="say {k}">{escape_text(option)}</button>'
        for k, option in enumerate(step.options)
    )
    return (
        f'<section class="ll-step ll-open">{draw_question(place, step)}'
        f'<div class="ll-options" role="group" aria-label="your prediction">{options}</div>'
        f'<p class="ll-quiet ll-wait">Choose what you expect. The networks then compute the answer.</p></section>'
    )


def draw_answered_question(place: int, step: LessonStep, choice: int, answer: Answer, session: Session | None) -> str:
    """Draw the prediction, what is seen, and the pictures and numbers that say so."""
    options = join_html(draw_answered_option(words, k, choice, answer.seen) for k, words in enumerate(step.options))
    word = "As you expected." if choice == answer.seen else "Other than you expected."
    told = step.seen[answer.seen].format_map(answer.numbers)
    shown = draw_answer_pictures(session, answer) if session else ""
    return (
        f'<section class="ll-step">{draw_question(place, step)}<div class="ll-options">{options}</div>'
        f'<p class="ll-told" role="status"><b>{word}</b> {escape_text(told)}</p>{shown}</section>'
    )


def draw_answer_pictures(session: Session, answer: Answer) -> str:
    """Draw what the answer was found in: strips, a plan, or the mixes of a plan."""
    shown = join_html(draw_lesson_strip(session, one) for one in answer.strips)
    if answer.strips:
        shown += f'<p class="ll-quiet">{STRIP_NOTE}</p>'
    if answer.plan:
        shown += (
            f'<div class="ll-lesson-plan">{pairing_view.draw_pairing_panels(session, answer.plan, mixes=False)}</div>'
        )
    if answer.mixes:
        shown += (
            f'<div class="ll-lesson-plan">{pairing_view.draw_pairing_panels(session, answer.mixes, plan=False)}</div>'
        )
    return shown


def draw_answered_option(words: str, k: int, choice: int, seen: int) -> str:
    """Draw an option after the answer: what was seen, and what was predicted."""
    marks = f"{' ll-seen' if k == seen else ''}{' ll-said' if k == choice else ''}"
    notes = [note for note, here in (("seen", k == seen), ("your prediction", k == choice)) if here]
    said = f"<small>{', '.join(notes)}</small>" if notes else ""
    return f'<span class="ll-option{marks}">{escape_text(words)}{said}</span>'


def draw_lesson_strip(session: Session, shown: PictureStrip) -> str:
    """Draw pictures of one kind; an answer that has changed is underlined."""
    tiles = join_html(
        f'<figure class="ll-sample{" ll-other" if other else ""}">{draw_image(picture, shown.title)}'
        f"<figcaption>{escape_text(spell_name(session.classes[sight.label]))}</figcaption></figure>"
        for picture, sight, other in zip(shown.images, shown.seen, shown.changed, strict=True)
    )
    return f'<div class="ll-samples"><h4>{escape_text(shown.title)}</h4><div>{tiles}</div></div>'


def draw_lesson_end(progress: LessonProgress, answers: Sequence[Answer], said: Sequence[int]) -> str:
    """Say how the predictions went, and where to go on."""
    lesson, place = load_lessons()[progress.place], progress.place
    right = sum(answer.seen == choice for answer, choice in zip(answers, said, strict=False))
    following = (
        f'<button class="ll-button" data-key="open {place + 1}">Next lesson</button>'
        if place + 1 < len(load_lessons())
        else ""
    )
    return (
        f'<section class="ll-step ll-end"><h3>{right} of {len(lesson.steps)} as you expected</h3>'
        f'<p class="ll-text">{escape_text(lesson.attempt)}</p><div class="ll-row">'
        f'<button class="ll-button ll-go" data-go="{place}">Try it in {LESSON_TABS[place]}</button>{following}'
        f'<button class="ll-button" data-key="again">Start again</button></div></section>'
    )
