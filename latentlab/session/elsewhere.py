"""The same move on the same picture in the other spaces of its world, with equal knobs or to an equal distance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latentlab.errors import UserError
from latentlab.operators import Move, Noise, Shift, calibrate, distance
from latentlab.session.desk import Desk
from latentlab.session.state import Result, Session
from latentlab.session.verbs import act, batch_of, clean, on_device

KNOBS: dict[type[Move], str] = {Shift: "amount", Noise: "epsilon"}  # that carry a picture further the larger they are


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A space and what the move makes there; `far` is from the space's own rebuilding. Or why there is nothing."""

    model: str
    result: Result | None = None
    far: float = 0.0
    why: str = ""


def elsewhere(desk: Desk, session: Session, same_distance: bool) -> list[Elsewhere]:
    """The session's own space first, then the others. Mixes and attacks keep their knobs: to bring one attack to a
    distance takes a dozen."""
    own = Elsewhere(session.model, session.result, travelled(desk, session))
    target = own.far if same_distance and type(session.result.tool) in KNOBS else None
    others = [name for name in desk.store.models(session.world) if name != session.model]
    if session.track is not None and session.track[1] is None:
        return [own, *(Elsewhere(name, why="The attack is still under way.") for name in others)]
    return [own, *(_there(desk, replace(session, model=name), target) for name in others)]


def travelled(desk: Desk, session: Session) -> float:
    """How far the result is from the same space's rebuilding, l2 in image space."""
    return float(distance(session.result.image, clean(desk, session).image))


def _there(desk: Desk, session: Session, target: float | None) -> Elsewhere:
    tool = session.result.tool
    try:
        moved = act(desk, session, tool if target is None else equalled(desk, session, tool, target))
    except UserError as error:
        return Elsewhere(session.model, why=str(error))
    return Elsewhere(session.model, moved.result, travelled(desk, moved))


def equalled(desk: Desk, session: Session, tool: Move, target: float) -> Move:
    """The tool that travels as far as the target in the session's space."""
    knob = KNOBS[type(tool)]
    bench = desk.store.bench(session.model, session.classifier or None, session.seed)
    batch = on_device(desk, batch_of(desk, session, tool))
    if isinstance(tool, Shift) and tool.amount < 0:  # the search goes up from 0
        found = calibrate(replace(tool, direction=_backwards(tool.direction)), knob, target, batch, bench)
        return replace(tool, amount=-found.amount)
    return calibrate(tool, knob, target, batch, bench)


def _backwards(direction: str) -> str:
    terms = (term.strip().rpartition("*") for term in direction.split(" + "))
    return " + ".join(f"{-float(factor or 1):g}*{name}" for factor, _, name in terms)
