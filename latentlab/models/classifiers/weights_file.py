"""The weights of an architecture, read from a safetensors file as people save them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.models.checkpoint import MAX_CHECKPOINT_BYTES
from latentlab.models.safetensors_header import read_header

TensorShapes = Mapping[str, tuple[int, ...]]
# Put before every name by DataParallel, torch.compile, Lightning and home-made wrappers; two of them may be nested.
WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")


def load_weights(path: Path, architecture: str, network: nn.Module) -> list[str]:
    """Fill the network with this file's tensors, all of them and no other; return what was done to make them fit."""
    shapes = read_header(path).shapes
    if path.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{path.name} is larger than 2 GiB; bring a smaller network.")
    state = network.state_dict()
    wanted = {name: tuple(tensor.shape) for name, tensor in state.items()}
    prefix = find_prefix(shapes, wanted)
    _check_shapes(path, architecture, {name.removeprefix(prefix): shape for name, shape in shapes.items()}, wanted)
    tensors = {name.removeprefix(prefix): tensor for name, tensor in load_file(path).items()}
    _check_values(path, tensors, state)
    network.load_state_dict(tensors)
    stored = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values() if _is_narrow(tensor)})
    return [
        *([f"{prefix!r} was taken off the names of its tensors"] if prefix else []),
        *(f"its weights are stored as {name} and computed in float32" for name in stored),
    ]


def find_prefix(given: TensorShapes, wanted: TensorShapes) -> str:
    """Return the wrapper's prefix without which the names are those wanted; "" where there is none."""
    pairs = ("".join(pair) for pair in product(WRAPPER_PREFIXES, repeat=2))
    for prefix in ("", *WRAPPER_PREFIXES, *pairs):
        if all(name.startswith(prefix) for name in given) and {name[len(prefix) :] for name in given} == wanted.keys():
            return prefix
    return ""


def _is_narrow(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dtype != torch.float32


def _check_shapes(path: Path, architecture: str, given: TensorShapes, wanted: TensorShapes) -> None:
    for word, names in (("lacks", wanted.keys() - given.keys()), ("has surplus", given.keys() - wanted.keys())):
        if names:
            some = ", ".join(sorted(names)[:3])
            raise UserError(
                f"{path.name} {word} {len(names)} tensors of {architecture} ({some} …); is it that architecture? "
                "Save the bare network: save_file(network.state_dict(), 'mine.safetensors')."
            )
    for name, shape in wanted.items():
        if given[name] != shape:
            raise UserError(
                f"{path.name}: {name} has shape {list(given[name])}, {architecture} with these class names needs "
                f"{list(shape)}; check the architecture and the number of class names."
            )


def _check_values(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != state[name].is_floating_point():
            raise UserError(f"{path.name}: {name} is {tensor.dtype}, it must be {state[name].dtype}.")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{path.name}: {name} holds values that are not finite; save the network again.")
