"""The limit: bisection against a fine grid, and how often its interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from latentlab.auditing.reach import (
    Limit,
    ReachAxis,
    choose_next_value,
    find_flip_values,
    find_limit,
    find_reach_axis,
)
from latentlab.operators import make_operator

AXIS = ReachAxis("epsilon", 0.0, 2.0)


def search(axis, flips, keep):
    """Search as an audit does, where image i loses its label at flips[i]."""
    trials = {}
    while (value := choose_next_value(axis, trials, keep)) is not None:
        far = abs(value - axis.still)
        trials[value] = {"value": value, "kept": [int(far < flip) for flip in flips], "rows": list(range(len(flips)))}
    return find_limit(axis, trials, keep), trials


@pytest.mark.parametrize("seed", range(5))
def test_bisection_finds_what_a_fine_grid_finds(seed):
    flips = np.random.default_rng(seed).gamma(3, 0.5, 150)
    found, trials = search(AXIS, flips, 0.9)
    fine = np.linspace(0, 2, 20_001)
    best = max(value for value in fine if np.mean(value < flips) >= 0.9)
    assert found.value == pytest.approx(best, abs=2 / 6 / 16 * 1.02)
    assert found.low <= found.value <= found.high
    assert len(trials) < 7 + 3 * 5


def test_a_mix_is_searched_from_one_to_a_half():
    found, _ = search(ReachAxis("lam", 1.0, 0.5), [0.1] * 5 + [0.4] * 95, 0.94)
    assert found.value == pytest.approx(0.6, abs=0.006)
    assert found.low >= found.value >= found.high


def test_a_move_that_never_breaks_has_no_end_and_one_that_always_does_no_value():
    assert search(AXIS, [9.0] * 50, 0.9)[0] == Limit(2.0, 2.0, 2.0, open=True)
    assert search(AXIS, [0.0] * 50, 0.9)[0].value is None


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Images lose their label at exponential values: 90 % are kept up to −log 0.9."""
    rng, truth, hits = np.random.default_rng(0), -np.log(0.9), 0
    for _ in range(400):
        found, _ = search(ReachAxis("epsilon", 0.0, 0.6), rng.exponential(1, 150), 0.9)
        step = 0.6 / 6 / 16
        hits += (0 if found.low is None else found.low) - step <= truth <= (found.high or 0) + step
    assert 0.93 <= hits / 400 <= 0.99


def test_the_first_to_flip_come_first():
    trials = [
        {"value": value, "kept": kept, "rows": [7, 8, 9]}
        for value, kept in ((0.0, [1, 1, 1]), (0.5, [1, 1, 0]), (1.0, [1, 0, 0]))
    ]
    assert find_flip_values(trials) == [(9, 0.5), (8, 1.0), (7, None)]


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("randomized-la", ReachAxis("epsilon", 0.0, 40.0)),
        ("adversarial-la", ReachAxis("epsilon", 0.0, 2.0)),
        ("mixup", ReachAxis("lam", 1.0, 0.5)),
        ("shift", ReachAxis("amount", 0.0, 4.0)),
        ("randmix", None),
        ("contrast", None),
    ],
)
def test_the_knob_that_says_how_far(name, axis):
    assert find_reach_axis(make_operator(name)) == axis
