"""A world of what a visitor has dropped in: collected, surveyed, made. No path comes from the visitor, only files."""

from __future__ import annotations

import atexit
import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from latentlab.datasets import find_data_folder, make_slug
from latentlab.datasets.dropped_files import DroppedFolder, delete_dropped_folder
from latentlab.datasets.labelled_pictures import collect_pictures
from latentlab.datasets.world_making import MadeWorld, choose_world_shape, draw_crops, iterate_world_making
from latentlab.datasets.world_survey import WorldSurvey, survey_pictures
from latentlab.errors import UserError
from latentlab.images import ImageTensor
from latentlab.knobs import Knob, tool
from latentlab.training.fit import describe_unfit_kinds
from latentlab.types import ImageShape

MAX_DROPS_KEPT = 8  # folders of visitors who have not made their world yet
MAX_LEVELS = 2_000_000_000  # bytes of a world in memory
CHANNELS_BY_NAME = {"as the files": None, "grey": 1, "colour": 3}
FOLDER_PREFIX = "latentlab-drop-"


class PictureDrops:
    """What visitors have dropped in so far, each in a temporary folder under a key that the server alone knows."""

    def __init__(self) -> None:
        self._drops: OrderedDict[str, DroppedFolder] = OrderedDict()
        self._lock = Lock()
        atexit.register(self.delete_all)

    def add_files(self, key: str, paths: Sequence[Path]) -> str:
        """Add the files to what has this key, or begin anew, and return the key."""
        drop = self._drops.get(key)
        if drop is None:
            key, drop = secrets.token_hex(8), DroppedFolder(Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)))
            with self._lock:
                self._drops[key] = drop
                while len(self._drops) > MAX_DROPS_KEPT:
                    delete_dropped_folder(self._drops.popitem(last=False)[1])
        drop.add_files(paths)
        return key

    def require_drop(self, key: str) -> DroppedFolder:
        if key not in self._drops:
            raise UserError("Nothing has been dropped in yet; drop pictures or a zip of folders.")
        return self._drops[key]

    def forget_drop(self, key: str) -> None:
        with self._lock:
            drop = self._drops.pop(key, None)
        if drop is not None:
            delete_dropped_folder(drop)

    def delete_all(self) -> None:
        for key in list(self._drops):
            self.forget_drop(key)


@tool
class WorldWish:
    """What a visitor wants the world to be; what is left empty is proposed."""

    title: Annotated[str, Knob("what the page calls it, in any letters")] = ""
    size: Annotated[str, Knob("64, or 80x48 (width x height); empty: as proposed")] = ""
    channels: Annotated[Literal["as the files", "grey", "colour"], Knob("of every picture")] = "as the files"
    shape_by: Annotated[Literal["crop", "pad", "stretch"], Knob("how pictures get their shape")] = "crop"
    licence: Annotated[str, Knob("of the pictures; every card repeats it")] = ""


@dataclass(frozen=True, eq=False)
class WorldPlan:
    """A survey with the shape that was chosen, its report, and some crops."""

    survey: WorldSurvey
    shape: ImageShape
    report: tuple[str, ...]
    crops: ImageTensor


def plan_world(drop: DroppedFolder, wish: WorldWish) -> WorldPlan:
    """Survey what was dropped, and say what would become of it."""
    survey = survey_pictures(collect_pictures(drop.find_picture_folder(), drop.find_loose_table()))
    shape = choose_world_shape(wish.size, CHANNELS_BY_NAME[wish.channels], survey.proposed)
    left = (f"{drop.skipped:,} dropped files are neither pictures nor tables and are left out",) if drop.skipped else ()
    report = (*survey.write_report(shape), *left, *describe_unfit_kinds(shape))
    return WorldPlan(survey, shape, report, draw_crops(survey, shape, wish.shape_by))


def iterate_dropped_world(drop: DroppedFolder, wish: WorldWish) -> Generator[int, None, tuple[str, MadeWorld]]:
    """Make the world in the data folder; yield how many pictures have been read, return its name and what it holds."""
    slug = make_slug(wish.title)
    path = find_data_folder() / f"{slug}.npz"
    if path.exists():
        raise UserError(f"There is a world {slug} already; choose another name.")
    plan = plan_world(drop, wish)
    channels, height, width = plan.shape
    if (size := len(plan.survey.heads) * channels * height * width) > MAX_LEVELS:
        raise UserError(
            f"This world would take {size / 1e9:.1f} GB of memory; at most {MAX_LEVELS / 1e9:.0f} GB are made here. "
            "Choose a smaller size."
        )
    made = yield from iterate_world_making(
        plan.survey, path, wish.title.strip(), plan.shape, wish.shape_by, wish.licence
    )
    return slug, made
