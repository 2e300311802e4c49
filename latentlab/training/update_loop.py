"""One update follows the other, for fits and training runs alike: order of the data, chance, averaging, the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from latentlab import chance
from latentlab.datasets import Dataset, Split
from latentlab.training import distributed
from latentlab.training.resume_state import TrainingProgress
from latentlab.transfer import send_to_device
from latentlab.types import Images


@runtime_checkable
class Fitter(Protocol):
    """A `Fitter` knows how one kind of network learns from one world."""

    arguments: dict[str, Any]  # of the network's constructor
    modules: nn.ModuleDict  # everything that learns, the network included
    optimisers: dict[str, Optimizer]
    batch: int  # images a step, unless the person says otherwise
    average: float  # decay of the moving average of the network's weights

    @property
    def network(self) -> nn.Module:
        """What ships."""
        ...

    def begin(self, images: Images) -> None:
        """Initialise from one batch what depends on the data."""
        ...

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        """Make one update; `progress` runs from 0 to 1 over the whole fit."""
        ...

    def finish(self, network: nn.Module, world: Dataset) -> None:
        """Give the averaged network what it still needs before it ships, such as whitening."""
        ...


@dataclass(frozen=True)
class BatchOrder:
    """The data of a fit and the order in which this process sees them."""

    data: Split
    batch: int
    seed: int
    device: str
    place: tuple[int, int]  # rank and number of processes

    def iterate_rows(self, start: int = 0) -> Iterator[Tensor]:
        """Yield the rows of each step from `start` on; each epoch is a new permutation, shared among the processes."""
        (rank, processes), steps = self.place, self.steps_per_epoch
        epoch, step = divmod(start, steps)
        while True:
            order = chance.draw_permutation(len(self.data), chance.make_generator(self.seed + 7919 * epoch))
            while step < steps:
                first = (step * processes + rank) * self.batch
                yield order[first : first + self.batch]
                step += 1
            epoch, step = epoch + 1, 0

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.data) // (self.batch * self.place[1]))

    def make_rng(self, step: int) -> torch.Generator:
        """Return the chance of one step in this process: nothing of it need be remembered."""
        rank, processes = self.place
        return chance.make_generator(self.seed + 1_000_003 * (step * processes + rank))


def iterate_updates(
    fitter: Fitter,
    average: nn.Module,
    batch_order: BatchOrder,
    progress: TrainingProgress,
    done: Callable[[TrainingProgress], float],
) -> Iterator[tuple[TrainingProgress, dict[str, float]]]:
    """Make updates until `done` is 1 in any process; what is done between two of them counts as time of the next."""
    fitter.modules.train()
    clock = time.monotonic()
    for rows in batch_order.iterate_rows(progress.step):
        if (share := distributed.agree_on_largest(done(progress))) >= 1:
            return
        images, labels = batch_order.data.take_batch(rows)
        values = fitter.step(
            send_to_device(images, batch_order.device),
            send_to_device(labels, batch_order.device),
            batch_order.make_rng(progress.step),
            share,
        )
        now = time.monotonic()
        seen = progress.images_seen + len(rows) * batch_order.place[1]
        progress = TrainingProgress(progress.step + 1, progress.seconds + now - clock, seen)
        clock = now
        update_moving_average(average, fitter.network, fitter.average, progress.step)
        yield progress, values


@torch.no_grad()
def update_moving_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the exponential average of the weights, quicker at the start; buffers are copied."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for a, b in zip(average.parameters(), network.parameters(), strict=True):
        a.lerp_(b, weight)
    for a, b in zip(average.buffers(), network.buffers(), strict=True):
        a.copy_(b)


def find_divergence(values: dict[str, float]) -> str:
    """Return the name of the first value that is not finite; nothing if all are."""
    return next((name for name, value in values.items() if not math.isfinite(value)), "")
