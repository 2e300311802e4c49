"""The records of all chunks as tensors: a value an image, without the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

ColumnTensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class AuditColumns:
    """What was measured of the images as they are, by space, and by move; and pictures of those that broke, by row."""

    clean: ColumnTensors
    spaces: Mapping[str, ColumnTensors]
    moves: Mapping[str, ColumnTensors]
    pictures: Mapping[str, Mapping[int, str]]  # by move and place among all images: PNG as base64

    def __len__(self) -> int:
        return len(self.clean["row"])


def join_records(records: Sequence[Mapping[str, Any]]) -> AuditColumns:
    """Join the records of chunks, in their order."""
    first = records[0]
    return AuditColumns(
        clean=_join_columns([record["clean"] for record in records]),
        spaces={name: _join_columns([record["spaces"][name] for record in records]) for name in first["spaces"]},
        moves={name: _join_columns([record["moves"][name] for record in records]) for name in first["moves"]},
        pictures={name: _join_pictures(records, name) for name in first["moves"]},
    )


def _join_columns(parts: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    return {name: _join_values(parts, name) for name in parts[0] if name != "pictures"}


def _join_values(parts: Sequence[Mapping[str, Any]], name: str) -> Tensor:
    values = [value for part in parts for value in part[name]]
    if all(isinstance(value, int) for value in values):
        return torch.tensor(values)
    return torch.tensor([float("nan") if value is None else value for value in values], dtype=torch.float64)


def _join_pictures(records: Sequence[Mapping[str, Any]], name: str) -> dict[int, str]:
    joined, start = {}, 0
    for record in records:
        joined |= {start + int(place): data for place, data in record["moves"][name]["pictures"].items()}
        start += len(record["clean"]["row"])
    return joined
