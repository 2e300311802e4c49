"""The lessons: every answer comes from the networks, and on the shipped digits it goes the way that is taught."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from repository import CHECKPOINTS

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.operators import Adversary, Mix, Noise, Swap, measure_distance, rebuild_images
from latentlab.session import Workspace, open_world
from latentlab.session.lessons.experiments import EXPERIMENTS
from latentlab.session.lessons.lesson import LessonAnswers, LessonProgress, apply_click, load_lessons, parse_progress
from latentlab.session.lessons.trials import TRIALS
from latentlab.store import Store
from latentlab.types import Batch

SEEN = {  # of the shipped digits networks: the option that the numbers bear out
    "surprise": "With noise on the pixels",
    "changed": "Noise on the code",
    "worst": "The one that follows the gradient",
    "rival": "Pixel PGD",
    "traces": "Pixel PGD",
    "halfway": "Mixed pixels",
    "transport": "50 to 90 %",
    "classes": "More often",
    "shortcut": "Clearly worse, yet better than chance",
    "styles": "The biased one's",
    "premise": "At least 8 of 10: the premise holds",
    "limit": "1 to 2.8 σ",
    "farther": "Noise on the pixels",
}


RACED = {"learned", "shortcut-kept"}  # a minute of training: tests/session/lessons/test_trials.py has it in small


@pytest.fixture(scope="module")
def shipped() -> Iterator[Any]:
    return LessonAnswers(Workspace(Store(CHECKPOINTS, "cpu")))


@pytest.fixture(scope="module")
def small(workspace: Workspace) -> Any:
    return LessonAnswers(workspace)


def steps() -> dict[str, Any]:
    return {step.question: step for lesson in load_lessons() for step in lesson.steps}


@pytest.mark.slow
@pytest.mark.parametrize("question", SEEN)
def test_the_shipped_digits_go_the_way_that_is_taught(shipped: Any, question: str) -> None:
    step, answer = steps()[question], shipped.find_answer(question, "digits")
    assert step.options[answer.seen] == SEEN[question]


def test_every_question_has_a_computation_and_a_text_for_every_outcome(small: Any) -> None:
    assert set(steps()) == set(EXPERIMENTS) | set(TRIALS) == set(SEEN) | RACED
    for step in steps().values():
        assert len(step.options) == len(step.seen) == 3
        assert "{" not in step.text + step.ask + "".join(step.options)  # nothing is computed before the prediction
        assert "!" not in step.text + step.ask + "".join((*step.options, *step.seen))


NEEDS_NO_OTHER = [name for name in SEEN if name not in ("shortcut", "styles", "premise", *TRIALS)]


@pytest.mark.parametrize("question", NEEDS_NO_OTHER)
def test_untrained_networks_get_their_own_answer_with_every_number_of_the_text(small: Any, question: str) -> None:
    step, answer = steps()[question], small.find_answer(question, "digits")
    assert answer.strips or answer.plan or answer.mixes
    for said in step.seen:
        names = [name for _, name, _, _ in string.Formatter().parse(said) if name]
        assert set(names) <= set(answer.numbers)
        assert not re.search(r"nan|inf", said.format_map(answer.numbers))


def test_the_numbers_are_those_of_the_operators(small: Any, workspace: Workspace) -> None:
    """The second question of the first lesson, by hand."""
    images, _ = workspace.load_dataset("digits").test.take_batch(slice(0, 32))
    bench = workspace.store.bench("digits-vae", None, 0)
    batch = Batch(images, torch.ones(32, 1))
    tool = Noise(epsilon=0.7 * 16**0.5)
    before, after = rebuild_images(batch, bench), tool(batch, bench).images
    far = float(measure_distance(round_levels(after), round_levels(before)).mean())
    net = workspace.store.load("digits-resnet")
    changed = (net(round_levels(before)).argmax(1) != net(round_levels(after)).argmax(1)).sum()
    answer = small.find_answer("changed", "digits")
    assert answer.numbers["code"] == str(int(changed))
    assert answer.strips[1].title == f"noise on the code, l2 {far:.2f}"
    reached = float(answer.strips[2].title.rpartition(" ")[2])
    assert reached == pytest.approx(far, rel=0.02)  # equal distance, up to black, white and 256 levels


def test_without_the_biased_classifier_the_lesson_says_how_to_make_it(small: Any) -> None:
    with pytest.raises(UserError, match="latentlab fit resnet --data digits-biased"):
        small.find_answer("styles", "digits")


def test_a_prediction_moves_on_and_only_those_that_exist_do(small: Any) -> None:
    worlds = ("digits",)
    once = apply_click(LessonProgress(), "say 2", worlds)
    assert once.said == ((2,), (), (), (), (), ())
    twice = apply_click(once, "say 0", worlds)
    assert twice.said[0] == (2, 0)
    assert apply_click(twice, "open 3", worlds).place == 3
    assert apply_click(twice, "again", worlds).said[0] == ()
    for key in ("say 3", "say -1", "say", "open 6", "open x", "world mars", "", "say 1 1", "fetch /etc"):
        with pytest.raises(UserError):
            apply_click(LessonProgress(), key, worlds)
    with pytest.raises(UserError, match="Every question"):
        apply_click(twice, "say 0", worlds)


def test_what_a_browser_kept_comes_back_and_nothing_else_does() -> None:
    kept = LessonProgress(2, "digits", ((1, 0), (), (2,), (), (1,), ()))
    assert parse_progress(kept.to_json(), ("digits",)) == kept
    many = json.dumps({"place": 0, "world": "digits", "said": 7 * [[]]})
    for bad in ("", "[]", "null", "[" * 900, '{"said": 3}', many):
        assert parse_progress(bad, ("digits",)) == LessonProgress()
    odd = json.dumps({"place": 9, "world": "mars", "said": [[1, 7], [True], ["x"], [0, 0, 0, 0, 0]]})
    assert parse_progress(odd, ("digits",)) == LessonProgress(said=((1,), (), (), (0, 0, 0), (), ()))


@pytest.mark.slow
def test_each_lesson_leads_to_its_own_move(shipped: Any) -> None:
    session = open_world(shipped.workspace, "digits")
    for place, kind in ((4, Swap), (5, Noise), (0, Noise), (1, Adversary), (2, Mix), (3, Swap)):
        tried = shipped.start_attempt(session, LessonProgress(place))
        assert type(tried.result.tool) is kind
        assert tried.world == "digits"
    assert tried.classifier == "digits-resnet-biased"
    assert tried.model == "digits-stylegan2"
