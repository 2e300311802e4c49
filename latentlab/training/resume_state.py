"""One safetensors file holds what a fit must remember to go on as if it had never been stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from latentlab.errors import UserError
from latentlab.models.checkpoint import write_tensors


@dataclass(frozen=True)
class TrainingProgress:
    """How far a fit or a training run has come."""

    step: int = 0
    seconds: float = 0.0
    images_seen: int = 0


def save_resume_state(
    path: Path, progress: TrainingProgress, modules: nn.Module, optimisers: dict[str, Optimizer], order: str = ""
) -> None:
    """Write the state atomically; on a full disk the one before it stays.

    `order` is what was asked for, if it must stay the same.
    """
    tensors = {f"module.{name}": tensor for name, tensor in modules.state_dict().items()}
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{name}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    write_tensors(path, tensors, {"progress": json.dumps(asdict(progress)), "order": order})


def restore_resume_state(
    path: Path, modules: nn.Module, optimisers: dict[str, Optimizer], order: str = ""
) -> TrainingProgress:
    """Bring the modules and optimisers back to where they were when `path` was saved."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            progress = TrainingProgress(**json.loads(metadata["progress"]))
            if metadata.get("order", "") != order:
                raise ValueError("it was asked to do something else")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        modules.load_state_dict({n.removeprefix("module."): t for n, t in tensors.items() if n.startswith("module.")})
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is not a state of this fit ({str(error)[:80]}); delete it to start again.") from error
    for name, optimiser in optimisers.items():
        _restore_optimiser(optimiser, {n: t for n, t in tensors.items() if n.startswith(f"optimiser.{name}.")})
    return progress


def _restore_optimiser(optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".")[-2:]
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
