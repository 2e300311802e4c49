"""The few words that data-parallel fits need; without torchrun each is nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def start(device: str) -> tuple[int, int]:
    """Rank and number of processes, as torchrun gives them."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
    return int(os.environ.get("RANK", "0")), count


def stop() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def reduce(parameters: Iterable[nn.Parameter]) -> None:
    """Every gradient becomes its mean over the processes, in one message."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    joined = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(joined)
    joined /= dist.get_world_size()
    for gradient, piece in zip(gradients, joined.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Every process gets the first one's values."""
    if dist.is_initialized():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def agree(value: float) -> float:
    """The largest of the processes' values: they all stop at the same step."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return float(shared)
