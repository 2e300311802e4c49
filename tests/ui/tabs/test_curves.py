"""Figures of runs as plain dictionaries."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.ui.tabs.train.curves import (
    Curve,
    draw_accuracies,
    draw_accuracy_bars,
    draw_losses,
    draw_reliability,
    smooth_values,
    thin_points,
)

numbers = st.lists(st.floats(-10, 10), min_size=1, max_size=50)


@given(numbers)
@settings(deadline=None)
def test_no_smoothing_changes_nothing(values: list[float]) -> None:
    assert smooth_values(values, 0) == pytest.approx(values)


@given(numbers, st.floats(0, 0.99))
@settings(deadline=None)
def test_a_smoothed_curve_stays_between_its_extremes(values: list[float], weight: float) -> None:
    soft = smooth_values(values, weight)
    assert len(soft) == len(values)
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in soft)


def test_smoothing_by_hand() -> None:
    assert smooth_values([1.0, 0.0, 2.0], 0.5) == pytest.approx([1, 1 / 3, (0.125 + 1.0) / 0.875])


@given(st.integers(1, 3000), st.integers(2, 400))
@settings(deadline=None)
def test_a_thinned_curve_keeps_its_ends_and_its_order(count: int, most: int) -> None:
    points = [(float(x), 0.0) for x in range(count)]
    kept = thin_points(points, most)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))


def test_two_runs_keep_their_colours_in_both_figures() -> None:
    runs = [Curve("mixup", [(0, 2.3), (10, 1.0)], 0), Curve("baseline", [(0, 2.3), (10, 0.5)], 1)]
    loss = draw_losses(runs, 0.5, "step")
    assert [trace["name"] for trace in loss["data"]] == ["mixup", "mixup", "baseline", "baseline"]
    assert [trace.get("opacity", 1) for trace in loss["data"]] == [0.25, 1, 0.25, 1]
    right = draw_accuracies([Curve("mixup, clean", [(10, 0.9)], 0), Curve("mixup, moved", [(10, 0.8)], 0, 1)], "step")
    assert [trace["y"] for trace in right["data"]] == [[90], [80]]
    assert [trace["line"]["dash"] for trace in right["data"]] == ["solid", "dash"]
    assert loss["data"][0]["line"]["color"] == right["data"][0]["line"]["color"] != loss["data"][2]["line"]["color"]
    json.dumps([loss, right], allow_nan=False)


def test_bars_and_reliability_are_in_percent() -> None:
    drawn = draw_accuracy_bars(["fog", "blur"], {"a": [0.5, 0.25]})["data"][0]
    assert (drawn["x"], drawn["y"]) == (["fog", "blur"], [50, 25])
    diagonal, line = draw_reliability({"a": [(0.6, 0.5), (0.9, 0.95)]})["data"]
    assert (diagonal["x"], line["x"], line["y"]) == ([0, 100], [60, 90], [50, 95])
