"""The path that a move lies on: what a strip and a curve walk along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentlab.knobs import KNOB_LETTERS, find_setting

if TYPE_CHECKING:
    from latentlab.operators.latent_operator import LatentOperator

GROWTH_SHARES = (0, 0.25, 0.5, 1, 1.5, 2, 3)  # of the move as it stands


@dataclass(frozen=True, eq=False)
class MovePath:
    """One knob of a move taken further and back: `move_at(t)` is the move at t, `here` is where the knob stands."""

    symbol: str  # σ, ε, λ, × or the name of the knob
    title: str  # what its places are
    marks: tuple[float, ...]
    here: float
    move_at: Callable[[float], LatentOperator]
    write_place: Callable[[float], str]  # as people write it
    suffix: str = ""  # of the numbers on an axis
    marks_are_ticks: bool = False  # the marks are round enough to be written on an axis, all of them


def grow_knob(tool: LatentOperator, knob: str) -> MovePath:
    """Return the path from nothing to three times the move, along a knob that carries a picture further."""
    setting = find_setting(type(tool), knob)
    here = getattr(tool, knob)
    whole = min(abs(here) or 1.0, (setting.knob.high or 1.0) / GROWTH_SHARES[-1])
    symbol = KNOB_LETTERS.get(knob) or knob.replace("_", " ")
    return MovePath(
        symbol,
        f"the same {type(tool).__name__.lower()}, growing",
        tuple(whole * share for share in GROWTH_SHARES),
        here,
        lambda place: replace(tool, **{knob: place}),  # type: ignore[type-var]
        lambda place: f"{symbol} {place:.3g}",
    )
