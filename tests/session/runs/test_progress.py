"""What the events of runs say, folded into stories and boards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.session.runs.comparison import ComparisonTable, Flips, TableFigure, apply_events
from latentlab.session.runs.comparison import find_clear_best as first
from latentlab.session.runs.progress import RunProgress, add_events

BEGIN = {"event": "begin", "step": 0, "seconds": 0.0, "steps": 40, "classes": ["a", "b"]}
END = {"event": "end", "step": 30, "seconds": 3.0, "state": "stopped", "cause": "Stopped by hand."}


def step(count: int) -> dict[str, Any]:
    return {"event": "step", "step": count, "seconds": count / 10, "loss": 1 / count, "eta": 1.0, "done": 0.5}


def epoch(count: int, **accuracy: float) -> dict[str, Any]:
    return {"event": "epoch", "step": count, "seconds": count / 10, "accuracy": accuracy}


def test_a_story_by_hand() -> None:
    told = add_events(RunProgress(), [BEGIN, step(10), epoch(10, clean=0.5, moved=0.4), epoch(20), step(20), END])
    assert [(one.step, one.seconds, one.values["loss"]) for one in told.losses] == [(10, 1.0, 0.1), (20, 2.0, 0.05)]
    assert [(one.step, dict(one.values)) for one in told.marks] == [(10, {"clean": 0.5, "moved": 0.4})]
    assert (told.step["step"], told.end["state"], told.begin["steps"]) == (20, "stopped", 40)


@given(
    st.lists(st.sampled_from([BEGIN, END, step(10), step(20), epoch(20, clean=0.5)]), max_size=12), st.integers(0, 12)
)
@settings(deadline=None)
def test_a_story_told_in_two_parts_is_the_same(events: list[dict[str, Any]], cut: int) -> None:
    assert add_events(add_events(RunProgress(), events[:cut]), events[cut:]) == add_events(RunProgress(), events)


def test_a_run_that_goes_on_has_no_end() -> None:
    assert add_events(RunProgress(), [BEGIN, step(10), END, {**BEGIN, "resumed": True}]).end == {}


def figures(classifier: str, value: float, half: float, metric: str = "accuracy") -> dict[str, Any]:
    return {"event": "figures", "classifier": classifier, "metric": metric} | {
        "value": value,
        "low": value - half,
        "high": value + half,
        "detail": {},
    }


def test_a_board_fills_as_figures_come() -> None:
    pair = {"first": "a", "second": "b"}
    begin = {"event": "begin", "classifiers": ["a", "b"], "metrics": ["accuracy"], "world": "digits"}
    gap = {"event": "difference", "metric": "accuracy", "value": 0.2, "low": 0.1, "high": 0.3, **pair}
    half = apply_events(ComparisonTable(), [begin, figures("a", 0.5, 0.1)])
    assert list(half.figures["accuracy"]) == ["a"]
    whole = apply_events(half, [figures("b", 0.7, 0.05), gap, {"event": "flips", "gained": [3], "lost": [], **pair}])
    assert whole.figures["accuracy"]["b"].low == pytest.approx(0.65)
    assert whole.differences["accuracy"]["a", "b"].value == 0.2
    assert whole.flips == (Flips("a", "b", (3,), ()),)
    assert list(half.figures["accuracy"]) == ["a"]


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ({"a": (0.9, 0.02), "b": (0.8, 0.02)}, True, "a"),
        ({"a": (0.9, 0.06), "b": (0.8, 0.06)}, True, None),
        ({"a": (0.9, 0.02), "b": (0.8, 0.02)}, False, "b"),
        ({"a": (0.9, 0.01), "b": (0.8, 0.01), "c": (0.895, 0.01)}, True, None),
        ({"a": (0.9, 0.01)}, True, None),
    ],
)
def test_the_best_is_named_only_where_its_interval_touches_no_other(
    values: dict[str, tuple[float, float]], higher: bool, best: str | None
) -> None:
    found = {name: TableFigure(value, value - half, value + half) for name, (value, half) in values.items()}
    assert first(found, higher) == best
