"""The lessons as HTML: a question, the answers to choose from, then what the networks say, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from time import time_ns

from latentlab.session import Session
from latentlab.session.answers import Answer
from latentlab.session.lessons import Lesson, Progress, Step, lessons
from latentlab.session.subject import Strip
from latentlab.ui import plan, show
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import name

SEEN = "Below each picture: the class that the classifier sees, underlined where it has changed or is wrong."
TABS = ("Explore", "Attack", "Mix", "Mix")  # where each lesson's own move is shown


def board(
    progress: Progress, answers: Sequence[Answer], session: Session | None, worlds: Sequence[str], refused: str = ""
) -> str:
    """All lessons to choose from, and the open one as far as it has been answered.

    `session` is the one that the answers were found in; there is none before the first answer. `refused` says why a
    click had no effect. Every board is another value, so that the page hears of it.
    """
    lesson, said = lessons()[progress.place], progress.said[progress.place]
    steps = joined(
        answered(place, step, choice, answer, session)
        for place, (step, choice, answer) in enumerate(zip(lesson.steps, said, answers, strict=False))
    )
    done = len(said) == len(lesson.steps)
    rest = end(progress, answers, said) if done else asked(len(said), lesson.steps[len(said)])
    return (
        f'<div class="ll-learn" data-at="{time_ns()}" data-progress="{text(progress.to_json())}">{cards(progress)}'
        f'<article class="ll-lesson"><header><h2>{text(lesson.title)}</h2>{place_of(progress, lesson, worlds)}</header>'
        f'<p class="ll-about">{text(lesson.about)}</p>{steps}{show.note(refused)}{rest}</article></div>'
    )


def cards(progress: Progress) -> str:
    return (
        f'<nav class="ll-lessons" aria-label="lessons">{joined(card(progress, k) for k in range(len(lessons())))}</nav>'
    )


def card(progress: Progress, place: int) -> str:
    """One lesson to open; a dot a question, filled when it is answered."""
    lesson, said = lessons()[place], len(progress.said[place])
    dots = joined(f'<i class="{"ll-done" if k < said else ""}"></i>' for k in range(len(lesson.steps)))
    here = str(place == progress.place).lower()
    return (
        f'<button class="ll-lesson-card" data-key="open {place}" aria-pressed="{here}"><b>{place + 1}</b>'
        f'<span>{text(lesson.title)}</span><em aria-label="{said} of {len(lesson.steps)} answered">{dots}</em></button>'
    )


def place_of(progress: Progress, lesson: Lesson, worlds: Sequence[str]) -> str:
    """The world that the lesson looks at; another one starts it again."""
    if lesson.world:
        return f'<span class="ll-quiet">on {text(lesson.world)}, five minutes</span>'
    buttons = joined(
        f'<button class="ll-pill" data-key="world {text(world)}" aria-pressed="{str(world == progress.world).lower()}">'
        f"{text(world)}</button>"
        for world in worlds
    )
    return f'<span class="ll-quiet">five minutes, on {buttons}</span>'


def question(place: int, step: Step) -> str:
    return f'<p class="ll-text">{text(step.text)}</p><h3><b>{place + 1}</b>{text(step.ask)}</h3>'


def asked(place: int, step: Step) -> str:
    """A question that waits for a prediction."""
    options = joined(
        f'<button class="ll-option" data-key="say {k}">{text(option)}</button>' for k, option in enumerate(step.options)
    )
    return (
        f'<section class="ll-step ll-open">{question(place, step)}'
        f'<div class="ll-options" role="group" aria-label="your prediction">{options}</div>'
        f'<p class="ll-quiet ll-wait">Choose what you expect. The networks then compute the answer.</p></section>'
    )


def answered(place: int, step: Step, choice: int, answer: Answer, session: Session | None) -> str:
    """The prediction, what is seen, and the pictures and numbers that say so."""
    options = joined(option(words, k, choice, answer.seen) for k, words in enumerate(step.options))
    word = "As you expected." if choice == answer.seen else "Other than you expected."
    told = step.seen[answer.seen].format_map(answer.numbers)
    shown = pictures(session, answer) if session else ""
    return (
        f'<section class="ll-step">{question(place, step)}<div class="ll-options">{options}</div>'
        f'<p class="ll-told" role="status"><b>{word}</b> {text(told)}</p>{shown}</section>'
    )


def pictures(session: Session, answer: Answer) -> str:
    """What the answer was found in: strips, a plan, or the mixes of a plan."""
    shown = joined(strip(session, one) for one in answer.strips)
    if answer.strips:
        shown += f'<p class="ll-quiet">{SEEN}</p>'
    if answer.plan:
        shown += f'<div class="ll-lesson-plan">{plan.panels(session, answer.plan, mixes=False)}</div>'
    if answer.mixes:
        shown += f'<div class="ll-lesson-plan">{plan.panels(session, answer.mixes, plan=False)}</div>'
    return shown


def option(words: str, k: int, choice: int, seen: int) -> str:
    """An option after the answer: what was seen, and what was predicted."""
    marks = f"{' ll-seen' if k == seen else ''}{' ll-said' if k == choice else ''}"
    notes = [note for note, here in (("seen", k == seen), ("your prediction", k == choice)) if here]
    said = f"<small>{', '.join(notes)}</small>" if notes else ""
    return f'<span class="ll-option{marks}">{text(words)}{said}</span>'


def strip(session: Session, shown: Strip) -> str:
    """Pictures of one kind; an answer that has changed is underlined."""
    tiles = joined(
        f'<figure class="ll-sample{" ll-other" if other else ""}">{image(picture, shown.title)}'
        f"<figcaption>{text(name(session.classes[sight.label]))}</figcaption></figure>"
        for picture, sight, other in zip(shown.images, shown.seen, shown.changed, strict=True)
    )
    return f'<div class="ll-samples"><h4>{text(shown.title)}</h4><div>{tiles}</div></div>'


def end(progress: Progress, answers: Sequence[Answer], said: Sequence[int]) -> str:
    """How the predictions went, and where to go on."""
    lesson, place = lessons()[progress.place], progress.place
    right = sum(answer.seen == choice for answer, choice in zip(answers, said, strict=False))
    following = (
        f'<button class="ll-button" data-key="open {place + 1}">Next lesson</button>'
        if place + 1 < len(lessons())
        else ""
    )
    return (
        f'<section class="ll-step ll-end"><h3>{right} of {len(lesson.steps)} as you expected</h3>'
        f'<p class="ll-text">{text(lesson.attempt)}</p><div class="ll-row">'
        f'<button class="ll-button ll-go" data-go="{place}">Try it in {TABS[place]}</button>{following}'
        f'<button class="ll-button" data-key="again">Start again</button></div></section>'
    )
