"""The lessons: questions in assets/lessons, a visitor's predictions, and the move to try afterwards."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from latentlab.errors import UserError
from latentlab.operators import Adversary, LatentOperator, Mix, Noise, Swap
from latentlab.resources import find_assets_folder
from latentlab.session.actions import open_world, require_choice
from latentlab.session.cache import ResultCache
from latentlab.session.lessons.experiments import (
    ATTACK_RADIUS,
    ATTACK_STEP_SIZE,
    ATTACK_STEPS,
    EXPERIMENTS,
    NOISE_RADIUS,
    Answer,
    require_biased_classifier,
)
from latentlab.session.lessons.subjects import LESSON_WORLD, LessonSubject
from latentlab.session.lessons.trials import RADII, TRIALS
from latentlab.session.restoring import SavedView, restore_view
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.untrusted import parse_json

LESSONS_FOLDER = find_assets_folder() / "lessons"


@dataclass(frozen=True)
class LessonStep:
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
    steps: tuple[LessonStep, ...]
    world: str = ""  # the only world of the lesson, if there is one


@cache
def load_lessons() -> tuple[Lesson, ...]:
    """Return the lessons in the order of their files."""
    return tuple(
        _parse_lesson(tomllib.loads(file.read_text("utf-8"))) for file in sorted(LESSONS_FOLDER.glob("*.toml"))
    )


def _parse_lesson(said: dict[str, Any]) -> Lesson:
    steps = tuple(
        LessonStep(step["question"], step["text"], step["ask"], tuple(step["options"]), tuple(step["seen"]))
        for step in said["steps"]
    )
    return Lesson(said["title"], said["about"], said["try"], steps, said.get("world", ""))


@dataclass(frozen=True)
class LessonProgress:
    """Where a visitor is: the lesson that is open, the world it looks at, the predictions of every lesson."""

    place: int = 0
    world: str = LESSON_WORLD
    said: tuple[tuple[int, ...], ...] = field(default_factory=lambda: ((),) * len(load_lessons()))

    def to_json(self) -> str:
        return json.dumps({"place": self.place, "world": self.world, "said": self.said})


def parse_progress(text: str, worlds: Sequence[str]) -> LessonProgress:
    """Return what a browser has kept of the progress; what does not fit these lessons is left out."""
    try:
        kept = parse_json(text[:2000])
        said, place, world = list(kept["said"]), kept["place"], kept["world"]
        said += [()] * (len(load_lessons()) - len(said))  # lessons that came since
        fitting = tuple(_keep_valid_predictions(lesson, row) for lesson, row in zip(load_lessons(), said, strict=True))
    except (ValueError, KeyError, TypeError):
        return LessonProgress()
    place = place if type(place) is int and 0 <= place < len(load_lessons()) else 0
    return LessonProgress(place, world if world in worlds else LESSON_WORLD, fitting)


def _keep_valid_predictions(lesson: Lesson, row: Sequence[Any]) -> tuple[int, ...]:
    """Return the predictions up to the first that is none."""
    good: list[int] = []
    for step, choice in zip(lesson.steps, row, strict=False):
        if type(choice) is not int or not 0 <= choice < len(step.options):
            break
        good.append(choice)
    return tuple(good)


def apply_click(progress: LessonProgress, key: str, worlds: Sequence[str]) -> LessonProgress:
    """Do what a click asks: open a lesson, predict, start the lesson again, or go to another world."""
    match key.split(" "):
        case ["open", number] if number in [str(place) for place in range(len(load_lessons()))]:
            return replace(progress, place=int(number))
        case ["say", number]:
            return _replace_predictions(progress, _add_prediction(progress, number))
        case ["again"]:
            return forget_predictions(progress)
        case ["world", world]:
            require_choice("world", world, worlds)
            return replace(_replace_predictions(progress, ()), world=world)
    raise UserError("Nothing was chosen; click one of the answers.")


def forget_predictions(progress: LessonProgress) -> LessonProgress:
    """Start the open lesson again."""
    return _replace_predictions(progress, ())


def _add_prediction(progress: LessonProgress, number: str) -> tuple[int, ...]:
    lesson, said = load_lessons()[progress.place], progress.said[progress.place]
    if len(said) == len(lesson.steps):
        raise UserError("Every question of this lesson is answered; start it again, or open another.")
    if number not in [str(place) for place in range(len(lesson.steps[len(said)].options))]:
        raise UserError("This is none of the answers; click one of those shown.")
    return (*said, int(number))


def _replace_predictions(progress: LessonProgress, said: tuple[int, ...]) -> LessonProgress:
    rows = list(progress.said)
    rows[progress.place] = said
    return replace(progress, said=tuple(rows))


class LessonAnswers:
    """`LessonAnswers` hold the answers of all visitors: each question is computed once a world."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self._memory = workspace, ResultCache(64)
        self._tried: dict[str, Answer] = {}  # to the questions of trials

    def find_world(self, progress: LessonProgress) -> str:
        """Return the world of the open lesson."""
        return load_lessons()[progress.place].world or progress.world

    def find_open_answers(self, progress: LessonProgress) -> tuple[Answer, ...]:
        """Return the answers to the questions of the open lesson that have a prediction."""
        steps, world = load_lessons()[progress.place].steps, self.find_world(progress)
        return tuple(self.find_answer(step.question, world) for step in steps[: len(progress.said[progress.place])])

    def open_session(self, progress: LessonProgress) -> Session:
        """Return the view in which the open lesson looks at its world."""
        return self._find_subject(self.find_world(progress)).session

    def find_answer(self, question: str, world: str) -> Answer:
        """Return the answer to a question in a world, computed once."""
        require_choice("world", world, self.workspace.store.worlds)
        if question in TRIALS:
            if question not in self._tried:
                *_, answers = TRIALS[question](self.workspace)
                self._tried |= answers
            return self._tried[question]
        return self._memory.find_or_make((question, world), lambda: EXPERIMENTS[question](self._find_subject(world)))

    def needs_trial(self, progress: LessonProgress) -> bool:
        """Say whether the open lesson's answers take long to compute, and were not computed yet."""
        said = progress.said[progress.place]
        steps = load_lessons()[progress.place].steps[: len(said)]
        return any(step.question in TRIALS and step.question not in self._tried for step in steps)

    def run_trial(self, progress: LessonProgress) -> Iterator[None]:
        """Compute them step by step; others may compute meanwhile."""
        question = load_lessons()[progress.place].steps[0].question
        for answers in TRIALS[question](self.workspace):
            self._tried |= answers
            yield

    def _find_subject(self, world: str) -> LessonSubject:
        return self._memory.find_or_make(
            world, lambda: LessonSubject(self.workspace, open_world(self.workspace, world))
        )

    def start_attempt(self, session: Session, progress: LessonProgress) -> Session:
        """Return the session at the lesson's own move."""
        subject = self._find_subject(self.find_world(progress))
        model, classifier, tool = _choose_attempt(subject, progress.place)
        saved = SavedView(subject.session.world, model, classifier, tool, session.seed)
        return restore_view(self.workspace, saved, session)


def _choose_attempt(subject: LessonSubject, place: int) -> tuple[str, str, LatentOperator]:
    """Choose space, classifier (empty: the first) and tool of each lesson."""
    if place in (3, 4):
        reader = require_biased_classifier(subject.workspace) if place == 3 else ""
        return subject.find_model("stylegan2"), reader, Swap(partner="next")
    size, model = subject.measure_code_length("vae"), subject.find_model("vae")
    if place == 5:
        return model, "", Noise(epsilon=RADII[0])
    if place == 0:
        return model, "", Noise(epsilon=round(NOISE_RADIUS * size, 1))
    if place == 1:
        return (
            model,
            "",
            Adversary(
                epsilon=round(ATTACK_RADIUS * size, 1), steps=ATTACK_STEPS, step_size=ATTACK_STEP_SIZE, start="zero"
            ),
        )
    return model, "", Mix(lam=0.5, partner="next")
