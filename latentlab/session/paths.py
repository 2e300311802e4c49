"""The path that a move lies on, and what the networks say along it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch

from latentlab.errors import UserError
from latentlab.operators import MovePath
from latentlab.session.actions import apply_move, apply_moves
from latentlab.session.second_reader import SecondReading, read_result_beside
from latentlab.session.state import Prediction, Session
from latentlab.session.workspace import Workspace

USUAL_IMAGES = 64  # test images that say how many bits are usual
USUAL_SHARE = 0.90  # of them lie inside the usual range


def move_along_path(workspace: Workspace, session: Session, place: float) -> Session:
    """Make the same move at another place of its path."""
    path = session.result.tool.make_path()
    if path is None:
        raise UserError("This move has no path to walk along; choose a direction, noise or a mix.")
    low, high = min(path.marks), max(path.marks)
    if not (math.isfinite(place) and low <= place <= high):
        raise UserError(f"The place is {place:g}; the path goes from {low:g} to {high:g}.")
    return apply_move(workspace, session, path.move_at(place))


@dataclass(frozen=True, eq=False)
class UsualBits:
    """Bits per dimension that are usual: the central range of so many pictures of this kind."""

    low: float
    high: float
    words: str


@dataclass(frozen=True, eq=False)
class PathPredictions:
    """What the networks say at each place of a path."""

    places: tuple[float, ...]
    predictions: tuple[Prediction, ...]
    usual: UsualBits | None
    beside: tuple[SecondReading | None, ...] = ()  # what the second classifier says there


def list_path_places(path: MovePath) -> list[float]:
    """List the marks, the middles between them and the place where the session stands, rising."""
    middles = [(a + b) / 2 for a, b in pairwise(path.marks)]
    inside = [path.here] if min(path.marks) <= path.here <= max(path.marks) else []
    return sorted({round(place, 6) for place in (*path.marks, *middles, *inside)})


def predict_path(workspace: Workspace, session: Session, path: MovePath) -> PathPredictions:
    places = list_path_places(path)
    results = apply_moves(workspace, session, [path.move_at(place) for place in places])
    return PathPredictions(
        tuple(places),
        tuple(done.prediction for done in results),
        measure_usual_bits(workspace, session.world, session.model),
        tuple(read_result_beside(workspace, session, done) for done in results),
    )


def measure_usual_bits(workspace: Workspace, world: str, space: str = "") -> UsualBits | None:
    """Return the central 90 % of test images under the world's flow; where data are missing, the range of the
    examples.
    """
    flow = workspace.find_density_model(world, space)
    if flow is None:
        return None

    def measure_range() -> UsualBits:
        try:
            pictures, share = workspace.load_rows(world, "test", range(USUAL_IMAGES))[0], USUAL_SHARE
            words = f"the central {USUAL_SHARE:.0%} of {USUAL_IMAGES} test images".replace("%", " %")
        except UserError:
            examples = workspace.list_examples(world)
            pictures, share = torch.cat([example.image for example in examples]), 1.0
            words = f"the range of the {len(examples)} examples, as the test images are missing"
        bits = torch.tensor(workspace.measure_bits(flow, pictures))
        edge = (1 - share) / 2
        low, high = bits.quantile(torch.tensor([edge, 1 - edge])).tolist()
        return UsualBits(low, high, words)

    return workspace.recall_result(("usual", world, workspace.store.digest(flow)), measure_range)
