"""One safetensors file per network, its card as JSON in the metadata: one file, one truth, never a pickle."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from latentlab.errors import UserError
from latentlab.models.safetensors_header import read_header
from latentlab.types import ImageShape

MAX_CHECKPOINT_BYTES = 2**31
DIRECTION_PREFIX = "directions."  # prefix of the tensors that are directions, not weights


@dataclass(frozen=True)
class Card:
    """It says where a network comes from and how good it is: all that a page needs to list it without its weights."""

    kind: str  # key of models.NETWORKS
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
    write_tensors(path, tensors, {"card": json.dumps(asdict(card))})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write atomically: a reader sees the old file or the new one; on a full disk the old one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    # a copy each: safetensors refuses tensors that share memory
    whole = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    try:
        part.write_bytes(to_bytes(whole, metadata))
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
    card = read_card(path)
    if path.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{path.name} is larger than 2 GiB; LatentLab's networks are not.")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    return card, {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def digest_file(path: Path) -> str:
    """Return the first 16 hex digits of the file's SHA-256: what a recipe remembers of a network."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _parse_card(path: Path, text: str) -> Card:
    """Parse a card. JSON has no tuples: they are made again. A file is anybody's: each value must have its type."""
    known = {f.name for f in fields(Card)}
    try:
        values = {name: value for name, value in json.loads(text).items() if name in known}
        channels, height, width = values["image_shape"]
        values["image_shape"] = (int(channels), int(height), int(width))
        values["classes"] = tuple(values.get("classes", ()))
        values["arguments"] = {n: tuple(v) if isinstance(v, list) else v for n, v in values["arguments"].items()}
        _check_value_types(values)
        return Card(**values)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise UserError(
            f"{path.name} has no LatentLab card; make it with `latentlab fit` or `latentlab convert`."
        ) from error


def _check_value_types(values: Mapping[str, Any]) -> None:
    texts = [values.get(name, "") for name in ("kind", "data", "command", "device", "parent", "licence")]
    numbers = [*values.get("scores", {}).values(), values.get("seconds", 0), values.get("images_seen", 0)]
    if not isinstance(values.get("recipe", {}), dict):
        raise ValueError("the recipe of the card is no object")
    all_text = all(isinstance(text, str) for text in (*texts, *values["classes"]))
    if not all_text or not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("a value of the card has the wrong type")
