"""A comparison is only fair at equal distance: here is found the setting at which an operator moves images that far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TypeVar

import torch

from latentlab.errors import UserError
from latentlab.knobs import Setting, list_settings
from latentlab.operators.latent_operator import LatentOperator, decode, encode, measure_distance
from latentlab.types import Batch, Bench, Operator

AnyOperator = TypeVar("AnyOperator", bound=Operator)
TravelFunction = Callable[[float], float]  # knob to mean image distance

FIRST_SHARE, BRACKET_GROWTH = 0.01, 4.0  # share of the knob's range; the bracket grows from where nothing moves
DISTANCE_TOLERANCE = 0.005  # of the target


@torch.no_grad()
def calibrate_knob(operator: AnyOperator, knob: str, target: float, batch: Batch, bench: Bench) -> AnyOperator:
    """Return the operator with the knob at which images are, on average, the l2 distance `target` from the clean path.

    A knob that stands below 0 stays on that side. Every trial draws the same random numbers; `bench.rng` is not used
    up. The crossing nearest to stillness is taken.
    """
    setting = _find_float_knob(operator, knob)
    if not (math.isfinite(target) and target >= 0):
        raise UserError(f"The distance to reach is {target}; it must be a number of at least 0.")
    travel = cache(_make_travel(operator, knob, batch, bench))
    return replace(operator, **{knob: _solve_travel(travel, target, setting, getattr(operator, knob) < 0)})  # type: ignore[type-var]


def _find_float_knob(operator: Operator, name: str) -> Setting:
    numbers = {setting.name: setting for setting in list_settings(type(operator)) if setting.type is float}
    if name not in numbers:
        allowed = f"it has {', '.join(numbers)}" if numbers else "it has none"
        raise UserError(f"{type(operator).__name__} has no knob {name[:40]!r} to calibrate; {allowed}.")
    return numbers[name]


def _make_travel(operator: Operator, knob: str, batch: Batch, bench: Bench) -> TravelFunction:
    state = bench.rng.get_state()
    latents = encode(bench.model, batch.images) if isinstance(operator, LatentOperator) else None
    still = batch.images if latents is None else decode(bench.model, latents)

    def measure_travel(value: float) -> float:
        same = replace(bench, rng=torch.Generator().set_state(state))
        trial = replace(operator, **{knob: value})  # type: ignore[type-var]
        if latents is None or not isinstance(trial, LatentOperator):
            images = trial(batch, same).images
        else:
            images = decode(bench.model, trial.move(latents, batch, same)[0])
        far = float(measure_distance(images, still).mean())
        return far if math.isfinite(far) else float(batch.images[0].numel()) ** 0.5

    return measure_travel


def _solve_travel(travel: TravelFunction, target: float, setting: Setting, below: bool) -> float:
    from scipy.optimize import root_scalar

    def measure_gap(value: float) -> float:
        """Return 0 where it is near enough, so that the search ends there."""
        missing = travel(value) - target
        return 0.0 if abs(missing) <= DISTANCE_TOLERANCE * target else missing

    low, high = sorted(_bracket_target(travel, target, *_choose_ends(travel, setting, below)))
    value = low if low == high else root_scalar(measure_gap, bracket=(low, high), rtol=1e-6).root
    if measure_gap(value):
        near = f"{travel(value):.3g} is the nearest to {target:.3g}"
        raise UserError(f"{setting.name} moves images in jumps; {near}. Choose another knob.")
    return value


def _choose_ends(travel: TravelFunction, setting: Setting, below: bool) -> tuple[float, float]:
    """Return where nothing or least moves, and the end to grow to."""
    low, high = setting.knob.low, setting.knob.high
    assert low is not None
    assert high is not None
    if low < 0 < high:
        return 0.0, low if below else high
    return (low, high) if travel(low) <= travel(high) else (high, low)


def _bracket_target(travel: TravelFunction, target: float, still: float, end: float) -> tuple[float, float]:
    before, farthest = still, travel(still)
    if farthest >= target:
        return _require_exact(still, farthest, target)
    share = FIRST_SHARE
    while True:
        value = still + min(share, 1.0) * (end - still)
        reached = travel(value)
        if reached >= target:
            return before, value
        farthest = max(farthest, reached)
        if share >= 1:
            raise UserError(f"{target:.3g} is out of reach: these images are moved by at most {farthest:.3g} this way.")
        before, share = value, share * BRACKET_GROWTH


def _require_exact(still: float, reached: float, target: float) -> tuple[float, float]:
    if reached > target:
        raise UserError(f"{target:.3g} is too small: these images are moved by at least {reached:.3g} this way.")
    return still, still
