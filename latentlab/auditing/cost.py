"""What a move costs: a batch of it in plain training steps, on this device. The only figures that are clocked."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from latentlab.auditing.chunk import move_chunk
from latentlab.auditing.subject import AuditSubject
from latentlab.types import Batch

REPEATS = 3  # of which the median counts; a first one is not counted
DECIMALS = 4  # of seconds


def measure_cost(subject: AuditSubject) -> dict[str, Any]:
    """Return seconds of a plain step and of each move, on the first chunk."""
    batch = subject.take_batch(subject.chunks[0])
    return {
        "images": len(batch),
        "plain step": _clock(_make_plain_step(subject, batch), subject.device),
        "moves": {
            move.title: _clock(lambda move=move: move_chunk(subject, move, batch, 0), subject.device)
            for move in subject.moves
        },
    }


def count_plain_steps(cost: dict[str, Any], title: str) -> float:
    """Return how many plain training steps the move of a batch takes."""
    return cost["moves"][title] / cost["plain step"]


def count_run_hours(cost: dict[str, Any], title: str, epochs: float, images: int) -> float:
    """Return the hours of a run with this move: a plain step and the move of each batch."""
    batches = epochs * images / cost["images"]
    return batches * (cost["plain step"] + cost["moves"][title]) / 3600


def _make_plain_step(subject: AuditSubject, batch: Batch) -> Callable[[], Any]:
    """Make a step of SGD on a copy of the classifier."""
    network = copy.deepcopy(subject.test_network).train().requires_grad_(True)
    optimiser = torch.optim.SGD(network.parameters(), 1e-4, 0.9)

    def step() -> None:
        with torch.enable_grad():
            optimiser.zero_grad(set_to_none=True)
            cross_entropy(network(batch.images), batch.targets).backward()
            optimiser.step()

    return step


def _clock(work: Callable[[], Any], device: torch.device) -> float:
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds[1:]), DECIMALS)
