"""A comparison is only fair at equal distance: the setting at which an operator moves images that far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TypeVar

import torch

from latentlab.errors import UserError
from latentlab.knobs import Setting, settings
from latentlab.operators.move import Move, decode, distance, encode
from latentlab.types import Batch, Bench, Operator

AnyOperator = TypeVar("AnyOperator", bound=Operator)
Travel = Callable[[float], float]  # knob to mean image distance

FIRST, GROWTH = 0.01, 4.0  # share of the knob's range; the bracket grows from where nothing moves
TOLERANCE = 0.005  # of the target


@torch.no_grad()
def calibrate(operator: AnyOperator, knob: str, target: float, batch: Batch, bench: Bench) -> AnyOperator:
    """The operator with the knob at which images end up, on average, the l2 distance `target` from the clean path.

    Every trial draws the same random numbers; `bench.rng` is not used up. The crossing nearest to stillness is taken.
    """
    setting = _knob(operator, knob)
    if not (math.isfinite(target) and target >= 0):
        raise UserError(f"The distance to reach is {target}; it must be a number of at least 0.")
    travel = cache(_travel(operator, knob, batch, bench))
    return replace(operator, **{knob: _solve(travel, target, setting)})  # type: ignore[type-var]


def _knob(operator: Operator, name: str) -> Setting:
    numbers = {setting.name: setting for setting in settings(type(operator)) if setting.type is float}
    if name not in numbers:
        allowed = f"it has {', '.join(numbers)}" if numbers else "it has none"
        raise UserError(f"{type(operator).__name__} has no knob {name[:40]!r} to calibrate; {allowed}.")
    return numbers[name]


def _travel(operator: Operator, knob: str, batch: Batch, bench: Bench) -> Travel:
    state = bench.rng.get_state()
    latents = encode(bench.model, batch.images) if isinstance(operator, Move) else None
    still = batch.images if latents is None else decode(bench.model, latents)

    def travel(value: float) -> float:
        same = replace(bench, rng=torch.Generator().set_state(state))
        trial = replace(operator, **{knob: value})  # type: ignore[type-var]
        if latents is None or not isinstance(trial, Move):
            images = trial(batch, same).images
        else:
            images = decode(bench.model, trial.move(latents, batch, same)[0])
        far = float(distance(images, still).mean())
        return far if math.isfinite(far) else float(batch.images[0].numel()) ** 0.5

    return travel


def _solve(travel: Travel, target: float, setting: Setting) -> float:
    from scipy.optimize import root_scalar

    def gap(value: float) -> float:
        """0 where it is near enough, so that the search ends there."""
        missing = travel(value) - target
        return 0.0 if abs(missing) <= TOLERANCE * target else missing

    low, high = sorted(_bracket(travel, target, *_ends(travel, setting)))
    value = low if low == high else root_scalar(gap, bracket=(low, high), rtol=1e-6).root
    if gap(value):
        near = f"{travel(value):.3g} is the nearest to {target:.3g}"
        raise UserError(f"{setting.name} moves images in jumps; {near}. Choose another knob.")
    return value


def _ends(travel: Travel, setting: Setting) -> tuple[float, float]:
    """Where nothing or least moves, and the end to grow to."""
    low, high = setting.knob.low, setting.knob.high
    assert low is not None
    assert high is not None
    if low < 0 < high:
        return 0.0, high
    return (low, high) if travel(low) <= travel(high) else (high, low)


def _bracket(travel: Travel, target: float, still: float, end: float) -> tuple[float, float]:
    before, farthest = still, travel(still)
    if farthest >= target:
        return _exactly(still, farthest, target)
    share = FIRST
    while True:
        value = still + min(share, 1.0) * (end - still)
        reached = travel(value)
        if reached >= target:
            return before, value
        farthest = max(farthest, reached)
        if share >= 1:
            raise UserError(f"{target:.3g} is out of reach: these images are moved by at most {farthest:.3g} this way.")
        before, share = value, share * GROWTH


def _exactly(still: float, reached: float, target: float) -> tuple[float, float]:
    if reached > target:
        raise UserError(f"{target:.3g} is too small: these images are moved by at least {reached:.3g} this way.")
    return still, still
