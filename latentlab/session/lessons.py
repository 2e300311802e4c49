"""Four lessons: questions in assets/lessons, a visitor's predictions, and the move to try afterwards."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.operators import Adversary, Mix, Move, Noise, Swap
from latentlab.session.answers import ANSWERS, BALL, RADIUS, STEP, STEPS, Answer, biased
from latentlab.session.desk import Desk, Memory
from latentlab.session.state import Session
from latentlab.session.subject import WORLD, Subject
from latentlab.session.verbs import act, beside, known, open_world

FOLDER = Path(__file__).parents[2] / "assets" / "lessons"


@dataclass(frozen=True)
class Step:
    """A question with its options, and what is said when an option is what is seen."""

    question: str
    text: str
    ask: str
    options: tuple[str, ...]
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    title: str
    about: str
    attempt: str  # what to try afterwards
    steps: tuple[Step, ...]
    world: str = ""  # the only world of the lesson, if there is one


@cache
def lessons() -> tuple[Lesson, ...]:
    """In the order of their files."""
    return tuple(_lesson(tomllib.loads(file.read_text("utf-8"))) for file in sorted(FOLDER.glob("*.toml")))


def _lesson(said: dict[str, Any]) -> Lesson:
    steps = tuple(
        Step(step["question"], step["text"], step["ask"], tuple(step["options"]), tuple(step["seen"]))
        for step in said["steps"]
    )
    return Lesson(said["title"], said["about"], said["try"], steps, said.get("world", ""))


@dataclass(frozen=True)
class Progress:
    """Where a visitor is: the lesson that is open, the world it looks at, the predictions of every lesson."""

    place: int = 0
    world: str = WORLD
    said: tuple[tuple[int, ...], ...] = ((), (), (), ())

    def to_json(self) -> str:
        return json.dumps({"place": self.place, "world": self.world, "said": self.said})


def remembered(text: str, worlds: Sequence[str]) -> Progress:
    """What a browser has kept of it; what does not fit these lessons is left out."""
    try:
        kept = json.loads(text[:2000])
        said, place, world = kept["said"], kept["place"], kept["world"]
        fitting = tuple(_fitting(lesson, row) for lesson, row in zip(lessons(), said, strict=True))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Progress()
    place = place if type(place) is int and 0 <= place < len(lessons()) else 0
    return Progress(place, world if world in worlds else WORLD, fitting)


def _fitting(lesson: Lesson, row: Sequence[Any]) -> tuple[int, ...]:
    """The predictions up to the first that is none."""
    good: list[int] = []
    for step, choice in zip(lesson.steps, row, strict=False):
        if type(choice) is not int or not 0 <= choice < len(step.options):
            break
        good.append(choice)
    return tuple(good)


def turn(progress: Progress, key: str, worlds: Sequence[str]) -> Progress:
    """What a click does: opens a lesson, predicts, starts the lesson again, or goes to another world."""
    match key.split(" "):
        case ["open", number] if number in [str(place) for place in range(len(lessons()))]:
            return replace(progress, place=int(number))
        case ["say", number]:
            return _with(progress, _predicted(progress, number))
        case ["again"]:
            return _with(progress, ())
        case ["world", world]:
            known("world", world, worlds)
            return replace(_with(progress, ()), world=world)
    raise UserError("Nothing was chosen; click one of the answers.")


def _predicted(progress: Progress, number: str) -> tuple[int, ...]:
    lesson, said = lessons()[progress.place], progress.said[progress.place]
    if len(said) == len(lesson.steps):
        raise UserError("Every question of this lesson is answered; start it again, or open another.")
    if number not in [str(place) for place in range(len(lesson.steps[len(said)].options))]:
        raise UserError("This is none of the answers; click one of those shown.")
    return (*said, int(number))


def _with(progress: Progress, said: tuple[int, ...]) -> Progress:
    rows = list(progress.said)
    rows[progress.place] = said
    return replace(progress, said=tuple(rows))


class Lessons:
    """The answers of all visitors: each question is computed once a world."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self._memory = desk, Memory(64)

    def world(self, progress: Progress) -> str:
        """Of the open lesson."""
        return lessons()[progress.place].world or progress.world

    def answers(self, progress: Progress) -> tuple[Answer, ...]:
        """Of the questions of the open lesson that have a prediction."""
        steps, world = lessons()[progress.place].steps, self.world(progress)
        return tuple(self.answer(step.question, world) for step in steps[: len(progress.said[progress.place])])

    def session(self, progress: Progress) -> Session:
        """The view in which the open lesson looks at its world."""
        return self._subject(self.world(progress)).session

    def answer(self, question: str, world: str) -> Answer:
        known("world", world, self.desk.store.worlds)
        return self._memory.get((question, world), lambda: ANSWERS[question](self._subject(world)))

    def _subject(self, world: str) -> Subject:
        return self._memory.get(world, lambda: Subject(self.desk, open_world(self.desk, world)))

    def attempt(self, session: Session, progress: Progress) -> Session:
        """The session at the lesson's own move."""
        subject = self._subject(self.world(progress))
        model, classifier, tool = _move(subject, progress.place)
        fresh = open_world(self.desk, subject.session.world, model, classifier, session.seed)
        return act(self.desk, beside(fresh, session), tool)


def _move(subject: Subject, place: int) -> tuple[str, str, Move]:
    """Space, classifier (empty: the first) and tool of each lesson."""
    if place == 3:
        return subject.model("stylegan2"), biased(subject.desk), Swap(partner="next")
    size, model = subject.size("vae"), subject.model("vae")
    if place == 0:
        return model, "", Noise(epsilon=round(RADIUS * size, 1))
    if place == 1:
        return model, "", Adversary(epsilon=round(BALL * size, 1), steps=STEPS, step_size=STEP, start="zero")
    return model, "", Mix(lam=0.5, partner="next")
