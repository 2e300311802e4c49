"""What a map shows: which images of a world, as points of which space."""

from __future__ import annotations

from dataclasses import dataclass

from latentlab.errors import UserError
from latentlab.session.state import Picture, PictureSource, Session
from latentlab.session.workspace import TEMPERATURE_SETTING, Workspace

MAP_SIZES = (10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
FIRST_MAP_SIZE = 1_000
FEW_MAP_IMAGES = 250  # test images below which the training images say more


@dataclass(frozen=True)
class MapPlan:
    """A `MapPlan` says what is mapped: which images, as points of which space."""

    world: str
    space: str  # a latent model, or a classifier for its features
    source: PictureSource
    count: int

    @property
    def row_range(self) -> range:
        """Return all rows of the plan, from 0 on."""
        return range(self.count)


def choose_first_plan(workspace: Workspace, session: Session) -> tuple[MapPlan, str]:
    """Plan the classifier's features of the first test images; of training images where those are few.

    Where data are missing, plan samples instead and return a line that says so.
    """
    space = session.classifier or session.model
    try:
        data = workspace.load_dataset(session.world)
    except UserError as error:
        line = f"{error} Until then the map shows samples drawn from {workspace.choose_drawing_model(session.world)}."
        return MapPlan(session.world, space, "drawn", FIRST_MAP_SIZE // 4), line
    source, have = ("test", len(data.test)) if len(data.test) >= FEW_MAP_IMAGES else ("train", len(data.train))
    count = max((count for count in MAP_SIZES if count <= min(have, FIRST_MAP_SIZE)), default=MAP_SIZES[0])
    return MapPlan(session.world, space, source, count), ""


def find_point_picture(workspace: Workspace, plan: MapPlan, row: int) -> Picture:
    """Return the picture of one point of a map."""
    if not 0 <= row < plan.count:
        raise UserError(f"The map shows rows 0 to {plan.count - 1}; choose one of them.")
    if plan.source == "drawn":
        return workspace.draw_sample(workspace.choose_drawing_model(plan.world), row, TEMPERATURE_SETTING.default)
    return workspace.load_row(plan.world, row, plan.source)
