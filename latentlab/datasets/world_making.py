"""A world's file is made of surveyed pictures: their shape chosen, each of them read, cropped and written."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from latentlab.datasets.labelled_pictures import LabelledPicture, hash_name
from latentlab.datasets.world_file import write_world_file
from latentlab.datasets.world_survey import WorldSurvey
from latentlab.errors import UserError
from latentlab.images import PICTURE_FITS, ImageTensor, pad_to
from latentlab.picture_files import read_picture_file
from latentlab.types import ImageShape
from latentlab.untrusted import show_value

FEW_TEST_PICTURES = 2  # the page shows two pictures side by side
MIN_WORLD_SIDE, MAX_WORLD_SIDE = 8, 1024
SHOWN_CROPS = 5


def choose_world_shape(size: str | None, channels: int | None, proposed: ImageShape) -> ImageShape:
    """Return the shape that is asked for, and where nothing is said the proposed one."""
    if not size:
        return channels or proposed[0], *proposed[1:]
    found = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", size.strip().lower())
    if not found:
        raise UserError(
            f"The size {show_value(size)!r} is none; write a side such as 64, or width x height such as 80x48."
        )
    width, height = int(found[1]), int(found[2] or found[1])
    if not all(MIN_WORLD_SIDE <= side <= MAX_WORLD_SIDE for side in (width, height)):
        raise UserError(
            f"The size {show_value(size)!r} is out of range; sides are {MIN_WORLD_SIDE} to {MAX_WORLD_SIDE} pixels."
        )
    return channels or proposed[0], height, width


@dataclass(frozen=True)
class MadeWorld:
    """How many pictures a world has got, and the files that could not be read."""

    train: int
    test: int
    skipped: tuple[str, ...]


def iterate_world_making(
    survey: WorldSurvey, path: Path, title: str, shape: ImageShape, fit: str, licence: str
) -> Generator[int, None, MadeWorld]:
    """Read every picture, bring it to the shape, and write the world's file; yield how many have been read."""
    skipped: list[str] = []
    arrays: dict[str, np.ndarray] = {"title": np.array(title), "licence": np.array(licence)}
    seen = 0
    for half in ("train", "test"):
        there = [picture for picture in survey.collection.select_half(half) if picture.path in survey.heads]
        there.sort(key=lambda picture: hash_name(picture.path))  # the first rows, or the last, stand for all of them
        read = []
        for picture in there:
            read += _read_picture(picture, shape, fit, skipped)
            seen += 1
            yield seen
        if len(read) < (FEW_TEST_PICTURES if half == "test" else 1):
            raise UserError(
                f"{len(read)} pictures to {half} are too few; give at least {2 * FEW_TEST_PICTURES} pictures a world."
            )
        arrays[f"{half}_x"] = np.stack([levels for levels, _ in read])
        arrays[f"{half}_y"] = np.array([picture.label for _, picture in read], np.int64)
    arrays["names"] = np.array(survey.collection.classes, dtype=str)
    write_world_file(path, **arrays)
    return MadeWorld(len(arrays["train_x"]), len(arrays["test_x"]), tuple(skipped))


def make_world(survey: WorldSurvey, path: Path, title: str, shape: ImageShape, fit: str, licence: str) -> MadeWorld:
    """Make the world at once, with a progress bar on a terminal."""
    from tqdm import tqdm

    making = iterate_world_making(survey, path, title, shape, fit, licence)
    with tqdm(total=len(survey.heads), unit="picture", disable=None, leave=False) as bar:
        while True:
            try:
                bar.update(next(making) - bar.n)
            except StopIteration as end:
                return end.value


def _read_picture(
    picture: LabelledPicture, shape: ImageShape, fit: str, skipped: list[str]
) -> list[tuple[np.ndarray, LabelledPicture]]:
    """Return the levels, channels last, and what is known of it; name one that cannot be read."""
    try:
        image = PICTURE_FITS[fit](read_picture_file(picture.path), shape)
    except UserError as error:
        skipped.append(show_value(error, 200))
        return []
    return [((image * 255).round().byte().permute(1, 2, 0).numpy(), picture)]


def draw_crops(survey: WorldSurvey, shape: ImageShape, fit: str, count: int = SHOWN_CROPS) -> ImageTensor:
    """Draw evenly chosen pictures, each whole and below it as the world would have it."""
    files = list(survey.heads)
    chosen = [read_picture_file(file) for file in files[:: max(1, len(files) // count)][:count]]
    wholes = torch.cat([pad_to(image, shape) for image in chosen], 2)
    crops = torch.cat([PICTURE_FITS[fit](image, shape) for image in chosen], 2)
    return torch.cat([wholes, crops], 1)
