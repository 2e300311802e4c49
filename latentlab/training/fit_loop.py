"""One loop for every kind of network: data order, averaging, resuming, log, progress bar, card."""

from __future__ import annotations

import copy
import json
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from latentlab import chance, models
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.models import KINDS, Card, checkpoint
from latentlab.training import distributed, resume_state
from latentlab.training.named_directions import find_directions
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.update_loop import BatchOrder, Fitter, find_divergence, iterate_updates
from latentlab.types import DirectedModel

LOG_EVERY = 5.0  # seconds between lines of the log


@dataclass(frozen=True)
class FitPlan:
    """What a fit was asked to do; its budget is minutes or steps."""

    kind: str
    out: Path
    minutes: float | None
    steps: int | None
    batch: int | None
    seed: int
    device: str
    command: str
    parent: Path | None = None  # a checkpoint whose weights are the first ones
    save_every: float = 60.0  # seconds between resume states

    def compute_spent_share(self, progress: TrainingProgress) -> float:
        """Return the share of the budget that is used up."""
        by_time = progress.seconds / (60 * self.minutes) if self.minutes else 0.0
        by_step = progress.step / self.steps if self.steps else 0.0
        return min(1.0, max(by_time, by_step))


def fit_network(plan: FitPlan, fitter: Fitter, world: Dataset) -> Card:
    """Fit until the budget is used up; go on from the resume state beside `plan.out` if there is one."""
    rank, count = distributed.join_processes(plan.device)
    average = copy.deepcopy(fitter.network).requires_grad_(False)
    everything = nn.ModuleDict({"fit": fitter.modules, "average": average})
    everything.to(plan.device)
    resume = plan.out.with_suffix(".resume")
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    progress = _begin_fit(plan, fitter, everything, resume, world)
    progress = _learn_until_done(
        plan, fitter, everything, progress, world, resume if rank == 0 else None, (rank, count)
    )
    card = _ship_checkpoint(plan, fitter, average.eval(), progress, world) if rank == 0 else None
    distributed.agree_on_largest(1.0)  # the others wait until the first has written what they read
    distributed.leave_processes()
    resume.unlink(missing_ok=True)
    return card or models.read_card(plan.out)


def _begin_fit(
    plan: FitPlan, fitter: Fitter, everything: nn.ModuleDict, resume: Path, world: Dataset
) -> TrainingProgress:
    if resume.exists():
        return resume_state.restore_resume_state(resume, everything, fitter.optimisers)
    if plan.parent:
        _inherit_weights(plan.parent, plan.kind, fitter)
        everything["average"].load_state_dict(fitter.network.state_dict())
        return TrainingProgress()
    images, _ = world.train.take_batch(
        chance.draw_permutation(len(world.train), chance.make_generator(plan.seed))[:256]
    )
    fitter.begin(images.to(plan.device))
    distributed.copy_from_first(everything.state_dict().values())
    everything["average"].load_state_dict(fitter.network.state_dict())
    return TrainingProgress()


def _inherit_weights(parent: Path, kind: str, fitter: Fitter) -> None:
    """Take the weights of a finished fit of the same shape; its optimiser's memory is not kept."""
    card, tensors = checkpoint.read_checkpoint(parent)
    wanted = {name: value for name, value in card.arguments.items() if name != "temperature"}  # set after a fit
    if (card.kind, wanted) != (kind, fitter.arguments):
        raise UserError(f"{parent.name} is a {card.kind} of another shape; go on from a {kind} made for the same data.")
    fitter.network.load_state_dict({name: tensors[name] for name in fitter.network.state_dict()})


def _learn_until_done(
    plan: FitPlan,
    fitter: Fitter,
    everything: nn.ModuleDict,
    progress: TrainingProgress,
    world: Dataset,
    resume: Path | None,
    place: tuple[int, int],
) -> TrainingProgress:
    log, bar = _make_log_writer(plan, resume is not None), _make_progress_bar(plan, resume is not None)
    saved = logged = time.monotonic()
    batch_order = BatchOrder(world.train, plan.batch or fitter.batch, plan.seed, plan.device, place)
    for update in iterate_updates(fitter, everything["average"], batch_order, progress, plan.compute_spent_share):
        progress, values = update
        now = time.monotonic()
        if now - logged > LOG_EVERY or progress.step == 1:
            logged = now
            _refuse_divergence(values, progress, plan)
            log(progress, values)
        bar(progress)
        if resume and now - saved > plan.save_every:
            saved = now
            _refuse_divergence(values, progress, plan)
            resume_state.save_resume_state(resume, progress, everything, fitter.optimisers)
    if resume:
        resume_state.save_resume_state(resume, progress, everything, fitter.optimisers)
    return progress


def _refuse_divergence(values: dict[str, float], progress: TrainingProgress, plan: FitPlan) -> None:
    if bad := find_divergence(values):
        raise UserError(
            f"The fit diverged at step {progress.step} ({bad} is not finite); the last good state is kept beside "
            f"{plan.out}. Run the same command to go on from it, or delete it and use a smaller batch."
        )


def _make_log_writer(plan: FitPlan, active: bool):
    path = plan.out.with_suffix(".jsonl")

    def write_line(progress: TrainingProgress, values: dict[str, float]) -> None:
        if active:
            record = {"step": progress.step, "seconds": round(progress.seconds, 1), "images": progress.images_seen}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record | {k: round(v, 5) for k, v in values.items()}) + "\n")

    return write_line


def _make_progress_bar(plan: FitPlan, active: bool):
    total = 60 * plan.minutes if plan.minutes else plan.steps
    bar = tqdm(
        total=total,
        desc=plan.out.stem,
        disable=None if active else True,
        bar_format="{desc} {percentage:3.0f} % |{bar}| ETA {remaining}{postfix}",
    )

    def show_progress(progress: TrainingProgress) -> None:
        bar.update((progress.seconds if plan.minutes else progress.step) - bar.n)
        bar.set_postfix_str(f"step {progress.step}", refresh=False)

    return show_progress


def _ship_checkpoint(
    plan: FitPlan, fitter: Fitter, network: nn.Module, progress: TrainingProgress, world: Dataset
) -> Card:
    """Whiten the network, find its directions, measure it and write it."""
    with torch.no_grad():
        fitter.finish(network, world)
        if isinstance(network, DirectedModel):
            network.directions = find_directions(network, world)
    before = models.read_card(plan.parent) if plan.parent else None
    card = Card(
        kind=plan.kind,
        arguments=fitter.arguments,
        image_shape=world.image_shape,
        data=world.name,
        classes=world.classes,
        multilabel=world.multilabel,
        command=plan.command,
        seconds=round(progress.seconds + (before.seconds if before else 0.0), 1),
        device=describe_device(plan.device),
        images_seen=progress.images_seen + (before.images_seen if before else 0),
        parent=f"{plan.parent.stem} {checkpoint.digest_file(plan.parent)}" if plan.parent else "",
        licence=f"weights: as the project; data: {world.licence}",
    )
    models.save_network(plan.out, network, card)
    scores = KINDS[plan.kind].load_scorer()(network, world)
    card = replace(card, scores={name: float(f"{value:.4g}") for name, value in scores.items()})
    models.save_network(plan.out, network, card)
    return card


def describe_device(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
