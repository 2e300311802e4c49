"""The header of a safetensors file, read and checked before any library allocates for it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.untrusted import is_plain_text, show_value

MAX_HEADER_BYTES = 2**22  # bytes; a network of 10,000 tensors needs 1 MB
MAX_AXES = 8
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class SafetensorsHeader:
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]


def read_header(path: Path) -> SafetensorsHeader:
    """Return names and shapes, where the file is whole and says nothing twice; else say in one line why not."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise UserError(f"{path.name} is not a safetensors file, or it was cut short; copy or make it again.")
            if length > MAX_HEADER_BYTES:
                raise UserError(
                    f"{path.name} has a header of {length / 2**20:.0f} MiB; 4 MiB is the most that is read."
                )
            text = file.read(length)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}.") from error
    return _parse_header(path, text, size - 8 - length)


def _parse_header(path: Path, text: bytes, room: int) -> SafetensorsHeader:
    try:
        entries = json.loads(text, object_pairs_hook=_refuse_duplicates)
        metadata = entries.pop("__metadata__", {})
        shapes = {name: _check_shape(name, entry) for name, entry in entries.items()}
        _check_offsets([(*entry["data_offsets"],) for entry in entries.values()], room)
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("its metadata are not text")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path.name} is not a valid safetensors file ({show_value(error, 80)}); make it again."
        ) from error
    return SafetensorsHeader(shapes, metadata)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name stands there twice")
    return entries


def _check_shape(name: str, entry: dict[str, Any]) -> tuple[int, ...]:
    shape, (start, end) = tuple(entry["shape"]), entry["data_offsets"]
    if not is_plain_text(name) or entry["dtype"] not in DTYPE_BYTES or len(shape) > MAX_AXES:
        raise ValueError(f"tensor {name[:40]} has an unknown type or shape")
    if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
        raise ValueError(f"tensor {name[:40]} has an unknown type or shape")
    if end - start != math.prod(shape) * DTYPE_BYTES[entry["dtype"]]:
        raise ValueError(f"tensor {name[:40]} does not lie inside the file")
    return shape


def _check_offsets(offsets: list[tuple[int, ...]], room: int) -> None:
    """Require that the tensors fill the file one behind the other, without a gap, an overlap or anything behind."""
    place = 0
    for start, end in sorted(offsets):
        if start != place:
            raise ValueError("its tensors overlap or leave a gap")
        place = end
    if place != room:
        raise ValueError("its tensors do not fill the file: it was cut short, or something stands behind them")
