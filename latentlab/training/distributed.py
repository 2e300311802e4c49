"""These few functions are what work in several processes needs; without torchrun each does nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

ProcessPlace = tuple[int, int]  # rank and number of processes
SINGLE_PROCESS: ProcessPlace = (0, 1)


def choose_device(asked: str | None = None) -> str:
    """Return an accelerator where there is one; under torchrun each process has its own."""
    there, own = torch.cuda.is_available(), os.environ.get("LOCAL_RANK")
    name = asked or ("cuda" if there else "cpu")
    return f"cuda:{own}" if name == "cuda" and there and own else name


def join_processes(device: str) -> ProcessPlace:
    """Return rank and number of processes, as torchrun gives them, once this one has met the others."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and not dist.is_initialized():
        store, rank = _find_meeting_place()
        backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count)
    return int(os.environ.get("RANK", "0")), count


def _find_meeting_place() -> tuple[Store, int]:
    """Return the store in which the processes find each other, and this one's rank.

    torchrun's store still holds the addresses of the dead after a restart, so on one machine each restart has a place
    of its own; several machines count their restarts differently, and need TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for
    torchrun to make one.
    """
    store, rank, _ = next(rendezvous("env://"))
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    return store, rank


def leave_processes() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Set every gradient to its mean over the processes, in one message."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    joined = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(joined)
    joined /= dist.get_world_size()
    for gradient, piece in zip(gradients, joined.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Give every process the first one's values."""
    if dist.is_initialized():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def agree_on_largest(value: float) -> float:
    """Return the largest of the processes' values, so that they all stop at the same step."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return float(shared)


def measure_rows(
    measure: Callable[[Tensor], Tensor], count: int, place: ProcessPlace, size: int = 100, width: tuple[int, ...] = ()
) -> Tensor:
    """Return what `measure` says of rows 0 … count − 1, in their order: `size` at a time, dealt out like cards.

    The hands are the same whoever holds them, so that the values do not depend on the number of processes.
    """
    rank, processes = place
    found = torch.zeros(count, *width)
    for rows in torch.arange(count).split(size)[rank::processes]:
        found[rows] = measure(rows).cpu()
    if processes > 1:
        dist.all_reduce(found)  # of each row all terms but one are 0, so the sum is exact
    return found
