"""Projections on disk: one safetensors file for a tool and its points, never a pickle."""

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
from latentlab.knobs import to_json
from latentlab.projections.fitted import Fitted, Frame, NeighbourProjection, Projection, digest
from latentlab.types import Flat

KEPT = 64  # files; the oldest go first
FORMAT = "1"  # changes with the algorithms: what an earlier one made is not taken for theirs


class Cache:
    """What was projected before. The points themselves are not kept: whoever asks has them."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, tool: Projection, points: Flat) -> Fitted | None:
        """That of these points, if there is one; a file that is not as it was written is refused."""
        mark = digest(points)
        path = self.path(tool, mark)
        if not path.is_file():
            return None
        tensors = _read(path, describe(tool, mark))
        path.touch()
        return assemble(tool, mark, points, tensors)

    def put(self, fitted: Fitted) -> None:
        path = self.path(fitted.projection, fitted.digest)
        whole = pack(fitted.projection, fitted.digest, taken_apart(fitted))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as part:
                part.write(whole)
            os.replace(part.name, path)
        except OSError as error:
            raise UserError(f"The projection cannot be kept in {self.folder}: {error.strerror}.") from error
        for old in sorted(self.folder.glob("*.safetensors"), key=lambda p: p.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)

    def path(self, tool: Projection, mark: str) -> Path:
        key = hashlib.sha256(describe(tool, mark).encode()).hexdigest()[:24]
        return self.folder / f"{type(tool).__name__.lower()}-{key}.safetensors"


def describe(tool: Projection, mark: str) -> str:
    """What a projection depends on, as JSON."""
    return json.dumps(
        {"format": FORMAT, "method": type(tool).__name__, "knobs": to_json(tool), "points": mark}, sort_keys=True
    )


def taken_apart(fitted: Fitted) -> dict[str, Tensor]:
    """All of it but the points."""
    return {"coordinates": fitted.coordinates, "mean": fitted.frame.mean, "axes": fitted.frame.axes}


def assemble(tool: Projection, mark: str, points: Flat, tensors: dict[str, Tensor]) -> Fitted:
    """The projection again, with the points it was made of."""
    if not isinstance(tool, NeighbourProjection):
        return Fitted(tool, mark, tensors["coordinates"], Frame(tensors["mean"], tensors["axes"]))
    frame = Frame(tensors["mean"], tensors["axes"], tool.metric == "cosine")
    return Fitted(tool, mark, tensors["coordinates"], frame, frame(points.detach().to("cpu", torch.float32)))


def pack(tool: Projection, mark: str, tensors: dict[str, Tensor]) -> bytes:
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return save(whole, {"projection": describe(tool, mark), "sum": _sum(whole)})


def _read(path: Path, wanted: str) -> dict[str, Float[Tensor, "..."]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"The kept projection {path} cannot be read ({error}); delete the file.") from error
    if metadata.get("projection") != wanted or metadata.get("sum") != _sum(tensors):
        raise UserError(f"The kept projection {path} is not as it was written; delete the file.")
    return tensors


def _sum(tensors: dict[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return whole.hexdigest()
