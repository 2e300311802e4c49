"""Pickles of NVlabs read as inert data: a closed list of names, and nothing of what they stand for is run.

A pickle is a program that names functions; here each name is looked up in one short table, whose entries are made here:
tensors of bytes, plain containers, numbers, and modules as a class name with their state. The Python source that such a
file carries is never looked at. Every other name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.untrusted import show_value

NUMBER_KINDS = "fiub"  # of numpy's types: floats, whole numbers, truth values


@dataclass(frozen=True, eq=False)
class PersistedModule:
    """A module as the file describes it: the name of its class and its state; nothing of it can run."""

    class_name: str
    state: dict[str, Any]

    def list_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and buffers as `state_dict` names them."""
        for group in ("_parameters", "_buffers"):
            for name, tensor in dict(self.state.get(group) or {}).items():
                if isinstance(tensor, Tensor):
                    yield f"{prefix}{name}", tensor
        for name, module in dict(self.state.get("_modules") or {}).items():
            if isinstance(module, PersistedModule):
                yield from module.list_tensors(f"{prefix}{name}.")


class InertDict(dict):
    """What NVlabs calls an EasyDict."""


class InertDtype:
    """A type of numbers by its code and the order of its bytes."""

    def __init__(self, code: str, *rest: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"


class InertUnpickler(pickle.Unpickler):
    """An unpickler that knows a closed list of names."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._known = build_known_names()

    def find_class(self, module: str, name: str) -> Any:
        known = self._known.get((module, name))
        if known is None:
            raise UserError(
                f"The pickle asks for {show_value(f'{module}.{name}', 80)}, which is not on the short list of what is "
                "read; it is no StyleGAN2-ADA of NVlabs, or not only that."
            )
        return known

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside of the file")


def read_inert_pickle(path: Path) -> Any:
    """Read the file, which is anybody's: whatever is wrong with it is its fault, and said in one line."""
    try:
        return InertUnpickler(path.read_bytes()).load()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path.name} is damaged ({show_value(error, 80)}); get it again.") from error


def build_known_names() -> dict[tuple[str, str], Callable[..., Any]]:
    """Build the table anew, so that a file that changes an entry changes its own alone."""

    def rebuild_tensor(storage: Any, offset: int, size: tuple, stride: tuple, *rest: Any) -> Tensor:
        flat = torch.tensor([], dtype=storage.dtype).set_(storage)
        if math.prod(size) > flat.numel():
            raise ValueError("a tensor is larger than its bytes")
        return flat.as_strided(size, stride, offset).clone()

    def rebuild_parameter(data: Tensor, *rest: Any) -> Tensor:
        return data

    def load_storage(data: bytes) -> Any:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)

    def rebuild_module(meta: dict[str, Any]) -> PersistedModule:
        return PersistedModule(str(meta["class_name"]), dict(meta["state"]))

    def read_number(dtype: InertDtype, data: bytes) -> float:
        kind = np.dtype(dtype.order + str(dtype.code))
        if kind.kind not in NUMBER_KINDS:
            raise ValueError("a value is no number")
        return float(np.frombuffer(data, kind)[0])

    def encode_latin(text: str, codec: str) -> bytes:
        if codec != "latin1":
            raise ValueError("its bytes are written in an unusual way")
        return text.encode("latin1")

    known: dict[tuple[str, str], Callable[..., Any]] = {
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
        ("torch.storage", "_load_from_bytes"): load_storage,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): rebuild_module,
        ("dnnlib.util", "EasyDict"): type("EasyDict", (InertDict,), {}),
        ("numpy", "dtype"): type("dtype", (InertDtype,), {}),
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): encode_latin,  # how bytes are written in protocols before 3
    }
    known |= {(module, "scalar"): read_number for module in ("numpy.core.multiarray", "numpy._core.multiarray")}
    return known | {(module, "set"): lambda items=(): set(items) for module in ("builtins", "__builtin__")}
