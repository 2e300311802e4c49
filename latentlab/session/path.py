"""The path that a move lies on, and what the networks say along it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from latentlab.errors import UserError
from latentlab.operators import Mix, Move, Noise, Shift
from latentlab.session.desk import Desk
from latentlab.session.state import Reading, Session
from latentlab.session.verbs import act, strip

STRONGEST = 100.0  # ε of a noise
USUAL = 64  # test images that say how many bits are usual
CENTRAL = 0.90  # of them lie inside the usual range


@dataclass(frozen=True, eq=False)
class Path:
    """One knob of a move taken further and back: `at(t)` is the move at t, `here` is where the session stands."""

    kind: str  # σ, ε, λ, or × for several directions at once
    marks: tuple[float, ...]
    here: float
    at: Callable[[float], Move]


def path_of(tool: Move) -> Path | None:
    """None for a move with no number to walk along."""
    match tool:
        case Shift():
            several = "*" in tool.direction
            reach = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5) if several else (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
            return Path("×" if several else "σ", reach, tool.amount, lambda t: replace(tool, amount=t))
        case Noise():
            whole = min(tool.epsilon or 1.0, STRONGEST / 3)
            marks = tuple(whole * t for t in (0, 0.25, 0.5, 1, 1.5, 2, 3))
            return Path("ε", marks, tool.epsilon, lambda t: replace(tool, epsilon=t))
        case Mix():
            marks = tuple(t / 8 for t in range(8, -1, -1))
            return Path("λ", marks, tool.lam, lambda t: replace(tool, lam=t, weight="fixed"))
    return None


def jump(desk: Desk, session: Session, place: float) -> Session:
    """The same move at another place of its path."""
    path = path_of(session.result.tool)
    if path is None:
        raise UserError("This move has no path to walk along; choose a direction, noise or a mix.")
    low, high = min(path.marks), max(path.marks)
    if not (math.isfinite(place) and low <= place <= high):
        raise UserError(f"The place is {place:g}; the path goes from {low:g} to {high:g}.")
    return act(desk, session, path.at(place))


@dataclass(frozen=True, eq=False)
class Usual:
    """Bits per dimension that are usual: the central range of so many pictures of this kind."""

    low: float
    high: float
    words: str


@dataclass(frozen=True, eq=False)
class Course:
    """What the networks say at each place of a path."""

    places: tuple[float, ...]
    readings: tuple[Reading, ...]
    usual: Usual | None


def places_of(path: Path) -> list[float]:
    """The marks, the middles between them and the place where the session stands, rising."""
    middles = [(a + b) / 2 for a, b in pairwise(path.marks)]
    inside = [path.here] if min(path.marks) <= path.here <= max(path.marks) else []
    return sorted({round(place, 6) for place in (*path.marks, *middles, *inside)})


def course(desk: Desk, session: Session, path: Path) -> Course:
    places = places_of(path)
    results = strip(desk, session, [path.at(place) for place in places])
    return Course(tuple(places), tuple(done.reading for done in results), usual(desk, session.world))


def usual(desk: Desk, world: str) -> Usual | None:
    """The central 90 % of test images under the world's flow; where data are missing, the range of the examples."""
    flow = desk.density(world)
    if flow is None:
        return None

    def make() -> Usual:
        try:
            pictures, share = desk.rows(world, "test", range(USUAL))[0], CENTRAL
            words = f"the central {CENTRAL:.0%} of {USUAL} test images".replace("%", " %")
        except UserError:
            examples = desk.examples(world)
            pictures, share = torch.cat([example.image for example in examples]), 1.0
            words = f"the range of the {len(examples)} examples, as the test images are missing"
        bits = torch.tensor(desk.bits(flow, pictures))
        edge = (1 - share) / 2
        low, high = bits.quantile(torch.tensor([edge, 1 - edge])).tolist()
        return Usual(low, high, words)

    return desk.recall(("usual", world, desk.store.digest(flow)), make)
