"""The cores of a CPU get a piece of a batch each: threads that share an operation wait for each other at the end of
every one, and there are thousands; with a piece each they meet once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


def split_batch(x: Tensor, most: int | None = None) -> tuple[Tensor, ...]:
    """Cut the batch into pieces of at most so many that keep all cores busy; an accelerator gets it whole."""
    if x.device.type != "cpu":
        return (x,)
    threads = torch.get_num_threads()
    rounds = -(-len(x) // (most * threads)) if most else 1
    return x.tensor_split(max(1, min(len(x), rounds * threads)))


def map_on_cores(function: Callable[..., Made], *columns: Sequence[Any]) -> list[Made]:
    """Apply the function like `map`, on all cores: what it computes, it computes in one thread."""
    threads, recording = torch.get_num_threads(), torch.is_grad_enabled()
    workers = min(threads, *map(len, columns))
    if workers < 2:
        return list(map(function, *columns))

    def run_piece(*of_one: Any) -> Made:
        with torch.set_grad_enabled(recording):  # every thread has its own
            return function(*of_one)

    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(run_piece, *columns))
    finally:
        torch.set_num_threads(threads)  # a thread begins with what any of them set last
