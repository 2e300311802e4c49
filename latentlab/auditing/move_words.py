"""A move as a person writes it in one word of a command line: `noise@pixels:epsilon=3`, or the file of a recipe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.images import read_png_recipe
from latentlab.recipe import parse_recipe
from latentlab.training.augmented import Augmentation

MOVE_PATTERN = re.compile(r"([a-z0-9_-]+)(?:@([A-Za-z0-9_.+-]+))?(?::(.*))?")


def parse_move(text: str, world: str) -> Augmentation:
    """Parse METHOD[@SPACE][:KNOB=VALUE,…]; a space without a dash is one of the world's."""
    if text.endswith((".json", ".png")):
        return read_move_file(Path(text))
    found = MOVE_PATTERN.fullmatch(text)
    if not found:
        raise UserError(f"{text[:60]!r} is no move; write METHOD, METHOD@SPACE or METHOD:KNOB=VALUE,KNOB=VALUE.")
    method, space, knobs = found.groups()
    name = "" if space is None else space if "-" in space else f"{world}-{space}"
    return Augmentation(method, dict(_parse_knob(pair) for pair in knobs.split(",")) if knobs else {}, name)


def read_move_file(path: Path) -> Augmentation:
    """Read the move of a recipe, or of a picture that carries one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; give a recipe exported from LatentLab.") from error
    recipe = parse_recipe((read_png_recipe(data) or "") if path.suffix == ".png" else data)
    if recipe.refine:
        raise UserError(f"{path} refines its encodings by {recipe.refine} steps, which an audit does not do.")
    return Augmentation(recipe.operator, dict(recipe.settings), recipe.model)


def _parse_knob(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UserError(f"{text[:40]!r} is no knob; write KNOB=VALUE.")
    if name == "parts":
        return name, value.split("+")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
