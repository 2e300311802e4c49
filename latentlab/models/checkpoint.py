"""One safetensors file per network, its card as JSON in the metadata: one file, one truth, never a pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from latentlab.disk import retry_once
from latentlab.errors import UserError
from latentlab.models.safetensors_header import read_header
from latentlab.types import ImageShape
from latentlab.untrusted import (
    is_finite_number,
    is_number_within,
    is_plain_text,
    is_whole_number_within,
    parse_json,
    show_value,
)

MAX_CHECKPOINT_BYTES = 2**31
MAX_CHANNELS, MIN_SIDE, MAX_SIDE = 16, 2, 1024  # of a network's images
MAX_CLASSES, MAX_CARD_LETTERS = 10_000, 100_000
MAX_CONSTANT = 1e6  # of a mean, a spread or a gain
DIRECTION_PREFIX = "directions."  # prefix of the tensors that are directions, not weights


@dataclass(frozen=True)
class Card:
    """It says where a network comes from and how good it is: all that a page needs to list it without its weights."""

    kind: str  # key of models.KINDS
    arguments: dict[str, Any]  # of its constructor
    image_shape: ImageShape
    data: str = ""
    classes: tuple[str, ...] = ()
    multilabel: bool = False  # the classes are attributes: a 0/1 answer each
    command: str = ""
    seconds: float = 0.0
    device: str = ""
    images_seen: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    parent: str = ""
    licence: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)  # of a training run: its config and the spaces it moved in


def write_checkpoint(path: Path, card: Card, tensors: Mapping[str, Tensor]) -> None:
    finite = replace(card, scores={name: value for name, value in card.scores.items() if math.isfinite(value)})
    write_tensors(path, tensors, {"card": json.dumps(asdict(finite))})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write atomically: a reader sees the old file or the new one; on a full disk the old one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    # a copy each: safetensors refuses tensors that share memory
    whole = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    try:
        retry_once(lambda: part.write_bytes(to_bytes(whole, metadata)))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        raise UserError(
            f"The disk is full: {path} keeps its last good state. Make room and run the same command."
        ) from error


def read_card(path: Path) -> Card:
    """Return the card alone; no weight is read."""
    return _parse_card(path, read_header(path).metadata.get("card", ""))


def read_checkpoint(path: Path) -> tuple[Card, dict[str, Tensor]]:
    """Return card and tensors; half-precision storage comes back as fp32."""
    header = read_header(path)
    card = _parse_card(path, header.metadata.get("card", ""))
    if path.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{path.name} is larger than 2 GiB; LatentLab's networks are not.")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} cannot be read ({show_value(error, 80)}); copy or make it again.") from error
    return card, {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def digest_file(path: Path) -> str:
    """Return the first 16 hex digits of the file's SHA-256: what a recipe remembers of a network."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _parse_card(path: Path, text: str) -> Card:
    """Parse a card. JSON has no tuples: they are made again. A file is anybody's: each value must have its type and
    range.
    """
    known = {f.name for f in fields(Card)}
    try:
        values = {name: value for name, value in parse_json(text).items() if name in known}
        values["image_shape"] = _check_image_shape(values["image_shape"])
        values["classes"] = tuple(values.get("classes", ()))
        values["arguments"] = {n: tuple(v) if isinstance(v, list) else v for n, v in values["arguments"].items()}
        _check_values(values)
        return Card(**values)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(
            f"{path.name} has no LatentLab card ({show_value(error, 80)}); make it with `latentlab fit` or "
            "`latentlab convert`."
        ) from error


def _check_image_shape(shape: Any) -> ImageShape:
    channels, height, width = shape
    right = is_whole_number_within(channels, 1, MAX_CHANNELS)
    if not right or not all(is_whole_number_within(side, MIN_SIDE, MAX_SIDE) for side in (height, width)):
        raise ValueError(f"images of {shape} are none")
    return int(channels), int(height), int(width)


def _check_values(values: Mapping[str, Any]) -> None:
    texts = [values.get(name, "") for name in ("kind", "data", "command", "device", "parent", "licence")]
    numbers = [*values.get("scores", {}).values(), values.get("seconds", 0), values.get("images_seen", 0)]
    if not isinstance(values.get("recipe", {}), dict):
        raise ValueError("the recipe of the card is no object")
    if len(values["classes"]) > MAX_CLASSES or not isinstance(values.get("multilabel", False), bool):
        raise ValueError("its classes are none")
    all_text = all(is_plain_text(text, MAX_CARD_LETTERS) for text in (*texts, *values["classes"]))
    if not all_text or not all(map(is_finite_number, numbers)):
        raise ValueError("a value of the card has the wrong type")


def check_arguments(card: Card, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse arguments that the file's own tensors rule out: a width is a side of one of them, a depth their number.

    A constructor that believed the card could be asked for a tensor, or a loop, of any size.
    """
    most = max(len(shapes), *(max(shape, default=1) for shape in shapes.values()), *card.image_shape)
    shape = card.arguments.get("image_shape", card.image_shape)
    if tuple(shape) != card.image_shape or not all(_is_argument(value, most) for value in card.arguments.values()):
        raise ValueError("an argument of its card is out of range")


def _is_argument(value: Any, most: int) -> bool:
    if isinstance(value, tuple):
        return len(value) <= MAX_CLASSES and all(_is_argument(item, most) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return 0 <= value <= most
    return isinstance(value, bool) or is_plain_text(value) or is_number_within(value, -MAX_CONSTANT, MAX_CONSTANT)
