"""The same move on the same picture in the other spaces of its world, with equal knobs or to an equal distance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latentlab.errors import UserError
from latentlab.operators import LatentOperator, calibrate_knob, measure_distance
from latentlab.session.actions import apply_move, make_move_batch, put_batch_on_device, rebuild_input
from latentlab.session.state import Result, Session
from latentlab.session.workspace import Workspace


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """A space and what the move makes there; `far` is from the space's own rebuilding. Or why there is nothing."""

    model: str
    result: Result | None = None
    far: float = 0.0
    why: str = ""


def compare_spaces(workspace: Workspace, session: Session, same_distance: bool) -> list[SpaceResult]:
    """Return the move's result in the session's own space first, then in the others.

    Mixes and attacks keep their knobs: to bring one attack to a distance takes a dozen.
    """
    own = SpaceResult(session.model, session.result, measure_travel(workspace, session))
    target = own.far if same_distance and session.result.tool.distance_knob else None
    others = [name for name in workspace.store.list_models(session.world) if name != session.model]
    if session.trace is not None and session.trace[1] is None:
        return [own, *(SpaceResult(name, why="The attack is still under way.") for name in others)]
    return [own, *(_move_in_space(workspace, replace(session, model=name), target) for name in others)]


def measure_travel(workspace: Workspace, session: Session) -> float:
    """Return how far the result is from the same space's rebuilding, l2 in image space."""
    return float(measure_distance(session.result.image, rebuild_input(workspace, session).image))


def _move_in_space(workspace: Workspace, session: Session, target: float | None) -> SpaceResult:
    tool = session.result.tool
    try:
        moved = apply_move(
            workspace, session, tool if target is None else match_distance(workspace, session, tool, target)
        )
    except UserError as error:
        return SpaceResult(session.model, why=str(error))
    return SpaceResult(session.model, moved.result, measure_travel(workspace, moved))


def match_distance(workspace: Workspace, session: Session, tool: LatentOperator, target: float) -> LatentOperator:
    """Return the tool that travels as far as the target in the session's space."""
    assert tool.distance_knob is not None
    bench = workspace.store.bench(session.model, session.classifier or None, session.seed)
    batch = put_batch_on_device(workspace, make_move_batch(workspace, session, tool))
    return calibrate_knob(tool, tool.distance_knob, target, batch, bench)
