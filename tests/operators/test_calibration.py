"""The setting at which images move so far; and what cannot be reached is said."""

from __future__ import annotations

import pytest
import torch

from latentlab.errors import UserError
from latentlab.operators import (
    CORRUPTIONS,
    Adversary,
    Mix,
    Noise,
    Shift,
    Swap,
    calibrate_knob,
    measure_distance,
    rebuild_images,
)

CASES = [
    ("rotation", Noise(), "epsilon", 1.0),
    ("rotation", Noise(parts=("fine",)), "epsilon", 0.05),
    ("rotation", Adversary(steps=4), "epsilon", 0.7),
    ("rotation", Adversary(norm="linf"), "epsilon", 0.7),
    ("pixels", Adversary(norm="linf", label="true"), "epsilon", 1.0),
    ("pixels", Mix(partner="next"), "lam", 2.0),
    ("rotation", Mix(partner="random"), "lam", 2.0),
    ("rotation", Shift(), "amount", 0.4),
    ("glow", Noise(), "epsilon", 1.0),
    ("glow", Adversary(), "epsilon", 1.0),
    ("rotation", Swap(steps=3, parts=("coarse",)), "epsilon", 3.5),
]


@pytest.mark.parametrize(("space", "operator", "knob", "target"), CASES)
def test_reaches_the_distance(space, operator, knob, target, batch, bench_of):
    found = calibrate_knob(operator, knob, target, batch, bench_of(space, seed=6))
    moved = found(batch, bench_of(space, seed=6)).images
    assert measure_distance(moved, rebuild_images(batch, bench_of(space))).mean() == pytest.approx(target, rel=0.01)
    assert type(found) is type(operator)


def test_by_hand(batch, bench_of):
    """The rotation quarters lengths."""
    assert calibrate_knob(Noise(), "epsilon", 0.25, batch, bench_of()).epsilon == pytest.approx(1.0, rel=0.05)


def test_uses_up_no_chance(batch, bench_of):
    bench = bench_of()
    before = bench.rng.get_state()
    calibrate_knob(Noise(), "epsilon", 1.0, batch, bench)
    assert torch.equal(bench.rng.get_state(), before)


def test_standing_still_is_a_distance(batch, bench_of):
    assert calibrate_knob(Noise(), "epsilon", 0.0, batch, bench_of()).epsilon == 0
    assert calibrate_knob(Mix(), "lam", 0.0, batch, bench_of()).lam == 1


@pytest.mark.parametrize(("operator", "knob"), [(Noise(), "epsilon"), (Mix(), "lam"), (Shift(), "amount")])
def test_out_of_reach(operator, knob, batch, bench_of):
    with pytest.raises(UserError, match="out of reach"):
        calibrate_knob(operator, knob, 1000.0, batch, bench_of())


def test_less_than_the_swap_alone_is_too_small(batch, bench_of):
    with pytest.raises(UserError, match="too small"):
        calibrate_knob(Swap(steps=3, parts=("coarse",)), "epsilon", 0.1, batch, bench_of())


@pytest.mark.parametrize("target", [float("nan"), float("inf"), -1.0])
def test_no_distance(target, batch, bench_of):
    with pytest.raises(UserError, match="distance to reach"):
        calibrate_knob(Noise(), "epsilon", target, batch, bench_of())


def test_a_knob_that_is_none(batch, bench_of):
    with pytest.raises(UserError, match="it has epsilon"):
        calibrate_knob(Noise(), "radius", 1.0, batch, bench_of())
    with pytest.raises(UserError, match="it has none"):
        calibrate_knob(CORRUPTIONS["fog"](), "severity", 1.0, batch, bench_of())
