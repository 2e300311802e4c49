"""One loop for every kind of network: data order, averaging, resuming, log, progress bar, card."""

from __future__ import annotations

import copy
import json
import math
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from latentlab import chance, models
from latentlab.data import World
from latentlab.errors import UserError
from latentlab.fit import parallel, state
from latentlab.fit.directions import principal_and_named
from latentlab.fit.scores import SCORES
from latentlab.fit.state import Progress
from latentlab.models import Card
from latentlab.types import DirectedModel, Images

LOG_EVERY = 5.0  # seconds between lines of the log


@runtime_checkable
class Fitter(Protocol):
    """How one kind of network learns from one world."""

    arguments: dict[str, Any]  # of the network's constructor
    network: nn.Module  # what ships
    modules: nn.ModuleDict  # everything that learns, the network included
    optimisers: dict[str, Optimizer]
    batch: int  # images a step, unless the person says otherwise
    average: float  # decay of the moving average of the network's weights

    def begin(self, images: Images) -> None:
        """Data-dependent initialisation from one batch."""
        ...

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        """One update; `progress` runs from 0 to 1 over the whole fit."""
        ...

    def finish(self, network: nn.Module, world: World) -> None:
        """What the averaged network still needs before it ships, such as whitening."""
        ...


@dataclass(frozen=True)
class Plan:
    """What was asked for; a budget is minutes or steps."""

    kind: str
    out: Path
    minutes: float | None
    steps: int | None
    batch: int | None
    seed: int
    device: str
    command: str
    save_every: float = 60.0  # seconds between resume states

    def done(self, progress: Progress) -> float:
        """The share of the budget that is used up."""
        by_time = progress.seconds / (60 * self.minutes) if self.minutes else 0.0
        by_step = progress.step / self.steps if self.steps else 0.0
        return min(1.0, max(by_time, by_step))


def run(plan: Plan, fitter: Fitter, world: World) -> Card:
    """Fit until the budget is used up; go on from the resume state beside `plan.out` if there is one."""
    rank, count = parallel.start(plan.device)
    average = copy.deepcopy(fitter.network).requires_grad_(False)
    everything = nn.ModuleDict({"fit": fitter.modules, "average": average})
    everything.to(plan.device)
    resume = plan.out.with_suffix(".resume")
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    progress = _begin(plan, fitter, everything, resume, world)
    progress = _learn(plan, fitter, everything, progress, world, resume if rank == 0 else None, (rank, count))
    card = _ship(plan, fitter, average.eval(), progress, world) if rank == 0 else None
    parallel.stop()
    resume.unlink(missing_ok=True)
    return card or models.read_card(plan.out)


def _begin(plan: Plan, fitter: Fitter, everything: nn.ModuleDict, resume: Path, world: World) -> Progress:
    if resume.exists():
        return state.restore(resume, everything, fitter.optimisers)
    images, _ = world.train.batch(chance.permutation(len(world.train), chance.seeded(plan.seed))[:256])
    fitter.begin(images.to(plan.device))
    parallel.copy_from_first(everything.state_dict().values())
    everything["average"].load_state_dict(fitter.network.state_dict())
    return Progress()


def _learn(
    plan: Plan,
    fitter: Fitter,
    everything: nn.ModuleDict,
    progress: Progress,
    world: World,
    resume: Path | None,
    place: tuple[int, int],
) -> Progress:
    fitter.modules.train()
    size = plan.batch or fitter.batch
    log, bar = _log(plan, resume is not None), _bar(plan, resume is not None)
    clock = saved = logged = time.monotonic()
    for rows in _rows(len(world.train), size, plan.seed, progress.step, place):
        if (done := parallel.agree(plan.done(progress))) >= 1:
            break
        images, labels = world.train.batch(rows)
        rng = chance.seeded(plan.seed + 1_000_003 * (progress.step * place[1] + place[0]))
        values = fitter.step(images.to(plan.device), labels.to(plan.device), rng, done)
        now = time.monotonic()
        progress = Progress(progress.step + 1, progress.seconds + now - clock, progress.images_seen + size * place[1])
        clock = now
        _follow(everything["average"], fitter.network, fitter.average, progress.step)
        if now - logged > LOG_EVERY or progress.step == 1:
            logged = now
            _check(values, progress, plan)
            log(progress, values)
        bar(progress)
        if resume and now - saved > plan.save_every:
            saved = now
            _check(values, progress, plan)
            state.save(resume, progress, everything, fitter.optimisers)
    if resume:
        state.save(resume, progress, everything, fitter.optimisers)
    return progress


def _rows(count: int, size: int, seed: int, start: int, place: tuple[int, int]) -> Iterator[Tensor]:
    """Rows of each step from `start` on; every epoch is a new permutation, shared out among the processes."""
    rank, processes = place
    steps = max(1, count // (size * processes))
    epoch, step = divmod(start, steps)
    while True:
        order = chance.permutation(count, chance.seeded(seed + 7919 * epoch))
        while step < steps:
            first = (step * processes + rank) * size
            yield order[first : first + size]
            step += 1
        epoch, step = epoch + 1, 0


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of the weights, quicker at the start; buffers are copied."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for a, b in zip(average.parameters(), network.parameters(), strict=True):
        a.lerp_(b, weight)
    for a, b in zip(average.buffers(), network.buffers(), strict=True):
        a.copy_(b)


def _check(values: dict[str, float], progress: Progress, plan: Plan) -> None:
    if bad := [name for name, value in values.items() if not math.isfinite(value)]:
        raise UserError(
            f"The fit diverged at step {progress.step} ({bad[0]} is not finite); the last good state is kept beside "
            f"{plan.out}. Run the same command to go on from it, or delete it and use a smaller batch."
        )


def _log(plan: Plan, active: bool):
    path = plan.out.with_suffix(".jsonl")

    def line(progress: Progress, values: dict[str, float]) -> None:
        if active:
            record = {"step": progress.step, "seconds": round(progress.seconds, 1), "images": progress.images_seen}
            with path.open("a") as file:
                file.write(json.dumps(record | {k: round(v, 5) for k, v in values.items()}) + "\n")

    return line


def _bar(plan: Plan, active: bool):
    total = 60 * plan.minutes if plan.minutes else plan.steps
    bar = tqdm(
        total=total,
        desc=plan.out.stem,
        disable=None if active else True,
        bar_format="{desc} {percentage:3.0f} % |{bar}| ETA {remaining}{postfix}",
    )

    def show(progress: Progress) -> None:
        bar.update((progress.seconds if plan.minutes else progress.step) - bar.n)
        bar.set_postfix_str(f"step {progress.step}", refresh=False)

    return show


def _ship(plan: Plan, fitter: Fitter, network: nn.Module, progress: Progress, world: World) -> Card:
    """Whiten, find directions, measure, write."""
    with torch.no_grad():
        fitter.finish(network, world)
        if isinstance(network, DirectedModel):
            network.directions = principal_and_named(network, world)
    card = Card(
        kind=plan.kind,
        arguments=fitter.arguments,
        image_shape=world.image_shape,
        data=world.name,
        classes=world.classes,
        multilabel=world.multilabel,
        command=plan.command,
        seconds=round(progress.seconds, 1),
        device=_device(plan.device),
        images_seen=progress.images_seen,
        licence=f"weights: as the project; data: {world.licence}",
    )
    models.save(plan.out, network, card)
    scores = SCORES[plan.kind](network, world)
    card = replace(card, scores={name: float(f"{value:.4g}") for name, value in scores.items()})
    models.save(plan.out, network, card)
    return card


def _device(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
