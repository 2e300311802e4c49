"""Lessons whose answers take longer: intervals that a person can add up, and a race that is fair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from latentlab.auditing.reach import ReachAxis
from latentlab.session import Workspace
from latentlab.session.lessons import biased_race
from latentlab.session.lessons.biased_race import run_race
from latentlab.session.lessons.lesson import LessonAnswers, LessonProgress, load_lessons
from latentlab.session.lessons.trials import (
    TRIALS,
    NoiseLimit,
    _answer_farther,
    _answer_limit,
    _compare_readers,
    race_classifiers,
)
from latentlab.session.runs.designs import DESIGNS, plan_design


def make_limit(kept_until: Mapping[float, int], count: int = 100) -> NoiseLimit:
    """A noise that goes as far as its radius; so many of the labels are kept at each."""
    trials = {
        value: {"kept": [1] * kept + [0] * (count - kept), "value": value, "distance": 2 * value}
        for value, kept in kept_until.items()
    }
    return NoiseLimit(ReachAxis("epsilon", 0.0, max(trials)), trials, 0.95)


def test_which_reads_more_is_told_by_the_interval_of_the_pairs() -> None:
    apart = _compare_readers(torch.tensor([0.30, 0.32, 0.34]), torch.tensor([0.70, 0.72, 0.74]), "9")
    assert apart.seen == 1
    assert apart.numbers["apart"] == apart.numbers["low"] == apart.numbers["high"] == "+40"
    assert apart.numbers["standard"] == "32 % (30, 32, 34)"
    close = _compare_readers(torch.tensor([0.5, 0.6, 0.7]), torch.tensor([0.7, 0.6, 0.6]), "9")
    assert close.seen == 2
    assert close.numbers["low"] == "−35"  # 3.3 − 4.303 × 15.3 / √3


def test_the_limit_is_the_last_value_that_keeps_enough() -> None:
    """Wilson's interval of 100 of 100 begins at 96.3 %, that of 95 of 100 ends at 97.8 %, of 80 at 86.7 %."""
    limit = make_limit({0.0: 100, 1.0: 100, 2.0: 95, 3.0: 80})
    answer = _answer_limit(limit, "9")
    assert answer.numbers["limit"] == "ε ≤ 2 σ"
    assert answer.numbers["ends"] == "1 to 2 σ"
    assert answer.numbers["count"] == "100"
    assert answer.seen == 1


@pytest.mark.parametrize(("scale", "seen"), [(10.0, 1), (0.1, 0), (1.0, 2)])
def test_which_goes_farther_is_told_where_the_intervals_are_apart(scale: float, seen: int) -> None:
    code = make_limit({0.0: 100, 1.0: 100, 2.0: 95, 3.0: 80})
    pixels = make_limit({0.0: 100, scale: 100, 2 * scale: 95, 3 * scale: 80})
    assert _answer_farther(code, pixels).seen == seen


def test_the_race_is_the_same_every_time_and_its_answers_fill_the_texts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(biased_race, "BIASED", replace(biased_race.BIASED, steps=2))
    monkeypatch.setattr(biased_race, "RACE_SEEDS", (0, 1))
    (first,) = [found for found in run_race(workspace.store) if found]
    (again,) = [found for found in run_race(workspace.store) if found]
    assert first.standard.equal(again.standard)
    assert first.swapped_coloured.equal(again.swapped_coloured)
    *_, answers = race_classifiers(workspace)
    for step in load_lessons()[4].steps:
        for said in step.seen:
            assert "nan" not in said.format_map(answers[step.question].numbers)


def test_nothing_is_trained_before_a_prediction(workspace: Workspace) -> None:
    taught = LessonAnswers(workspace)
    for place in (4, 5):
        assert not taught.needs_trial(LessonProgress(place))
        said = tuple((0,) if k == place else () for k in range(6))
        assert taught.needs_trial(LessonProgress(place, said=said))
        assert {step.question for step in load_lessons()[place].steps} <= set(TRIALS)


def test_a_design_is_a_move_and_the_same_without() -> None:
    for design in DESIGNS.values():
        (name, run), (other, baseline) = plan_design(design)
        assert replace(run, augmentations=()) == baseline
        assert run.steps
        assert not run.epochs
        assert design.title in name
        assert other.startswith("baseline of")
