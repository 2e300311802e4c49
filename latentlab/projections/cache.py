"""This module keeps projections on disk: one safetensors file for a tool and its points, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.projections.fitted import (
    FittedProjection,
    NeighbourProjection,
    PrincipalFrame,
    Projection,
    digest_points,
)
from latentlab.types import Flat

MAX_CACHED_FILES = 64  # files; the oldest go first
CACHE_FORMAT = "1"  # changes with the algorithms: what an earlier one made is not taken for theirs


class ProjectionCache:
    """It holds what was projected before. The points themselves are not kept: whoever asks has them."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def read_fitted(self, tool: Projection, points: Flat) -> FittedProjection | None:
        """Return the projection of these points, if there is one; a file that is not as it was written is refused."""
        mark = digest_points(points)
        path = self.locate_file(tool, mark)
        if not path.is_file():
            return None
        tensors = _read_tensors(path, describe_projection(tool, mark))
        path.touch()
        return assemble_projection(tool, mark, points, tensors)

    def write_fitted(self, fitted: FittedProjection) -> None:
        path = self.locate_file(fitted.projection, fitted.digest)
        whole = pack_projection(fitted.projection, fitted.digest, extract_tensors(fitted))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as part:
                part.write(whole)
            os.replace(part.name, path)
        except OSError as error:
            raise UserError(f"The projection cannot be kept in {self.folder}: {error.strerror}.") from error
        for old in sorted(self.folder.glob("*.safetensors"), key=lambda p: p.stat().st_mtime_ns)[:-MAX_CACHED_FILES]:
            old.unlink(missing_ok=True)

    def locate_file(self, tool: Projection, mark: str) -> Path:
        key = hashlib.sha256(describe_projection(tool, mark).encode()).hexdigest()[:24]
        return self.folder / f"{type(tool).__name__.lower()}-{key}.safetensors"


def describe_projection(tool: Projection, mark: str) -> str:
    """Say what a projection depends on, as JSON."""
    return json.dumps(
        {"format": CACHE_FORMAT, "method": type(tool).__name__, "knobs": tool_to_json(tool), "points": mark},
        sort_keys=True,
    )


def extract_tensors(fitted: FittedProjection) -> dict[str, Tensor]:
    """Return all of a fitted projection but its points."""
    return {"coordinates": fitted.coordinates, "mean": fitted.frame.mean, "axes": fitted.frame.axes}


def assemble_projection(tool: Projection, mark: str, points: Flat, tensors: dict[str, Tensor]) -> FittedProjection:
    """Build the projection again, with the points it was made of."""
    if not isinstance(tool, NeighbourProjection):
        return FittedProjection(tool, mark, tensors["coordinates"], PrincipalFrame(tensors["mean"], tensors["axes"]))
    frame = PrincipalFrame(tensors["mean"], tensors["axes"], tool.metric == "cosine")
    return FittedProjection(tool, mark, tensors["coordinates"], frame, frame(points.detach().to("cpu", torch.float32)))


def pack_projection(tool: Projection, mark: str, tensors: dict[str, Tensor]) -> bytes:
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return save(whole, {"projection": describe_projection(tool, mark), "sum": _hash_tensors(whole)})


def _read_tensors(path: Path, wanted: str) -> dict[str, Float[Tensor, "..."]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"The kept projection {path} cannot be read ({error}); delete the file.") from error
    if metadata.get("projection") != wanted or metadata.get("sum") != _hash_tensors(tensors):
        raise UserError(f"The kept projection {path} is not as it was written; delete the file.")
    return tensors


def _hash_tensors(tensors: dict[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return whole.hexdigest()
