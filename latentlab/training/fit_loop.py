"""One loop for every kind of network: data order, averaging, resuming, log, progress bar, card."""

from __future__ import annotations

import copy
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
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
    resume: Path | None = None  # where the state to go on from lies; beside the checkpoint, if it is not said

    @property
    def resume_file(self) -> Path:
        return self.resume or self.out.with_suffix(".resume")

    def compute_spent_share(self, progress: TrainingProgress) -> float:
        """Return the share of the budget that is used up."""
        by_time = progress.seconds / (60 * self.minutes) if self.minutes else 0.0
        by_step = progress.step / self.steps if self.steps else 0.0
        return min(1.0, max(by_time, by_step))


class NetworkFit:
    """A fit under way: what learns, how far it has come, and what can be made of it at any moment."""

    def __init__(self, plan: FitPlan, fitter: Fitter, world: Dataset) -> None:
        self.plan, self.fitter, self.world = plan, fitter, world
        self.place = distributed.join_processes(plan.device)
        self.average = copy.deepcopy(fitter.network).requires_grad_(False)
        self.everything = nn.ModuleDict({"fit": fitter.modules, "average": self.average}).to(plan.device)
        self.progress = TrainingProgress()
        plan.out.parent.mkdir(parents=True, exist_ok=True)

    @property
    def is_first(self) -> bool:
        return self.place[0] == 0

    def begin_or_resume(self) -> None:
        self.progress = _begin_fit(self.plan, self.fitter, self.everything, self.plan.resume_file, self.world)

    def iterate_updates(self, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[dict[str, float]]:
        """Make updates until the budget is used up or it is to stop; yield what each of them says of itself."""
        log, bar = _make_log_writer(self.plan, self.is_first), _make_progress_bar(self.plan, self.is_first)
        saved = logged = time.monotonic()
        fitter, plan = self.fitter, self.plan
        batch_order = BatchOrder(self.world.train, plan.batch or fitter.batch, plan.seed, plan.device, self.place)

        def compute_share(progress: TrainingProgress) -> float:
            return 1.0 if is_stopped() else plan.compute_spent_share(progress)

        for update in iterate_updates(fitter, self.average, batch_order, self.progress, compute_share):
            self.progress, values = update
            now = time.monotonic()
            if now - logged > LOG_EVERY or self.progress.step == 1:
                logged = now
                _refuse_divergence(values, self.progress, plan)
                log(self.progress, values)
            bar(self.progress)
            if self.is_first and now - saved > plan.save_every:
                saved = now
                _refuse_divergence(values, self.progress, plan)
                self.save_state()
            yield values
        if self.is_first:
            self.save_state()

    def save_state(self) -> None:
        resume_state.save_resume_state(self.plan.resume_file, self.progress, self.everything, self.fitter.optimisers)

    def finish_copy(self, world: Dataset) -> nn.Module:
        """Return a copy of the averaged network, whitened and with directions as these images give them."""
        network = copy.deepcopy(self.average).eval()
        _finish_network(self.fitter, network, world)
        return network

    def ship_unfinished(self, network: nn.Module, scores: dict[str, float]) -> None:
        """Write what has been learned so far as a checkpoint like any other."""
        card = make_fit_card(self.plan, self.fitter, self.progress, self.world)
        models.save_network(self.plan.out, network, replace(card, scores=_round_scores(scores)))

    def ship_checkpoint(self) -> Card:
        return _ship_checkpoint(self.plan, self.fitter, self.average.eval(), self.progress, self.world)


def fit_network(plan: FitPlan, fitter: Fitter, world: Dataset) -> Card:
    """Fit until the budget is used up; go on from the resume state beside `plan.out` if there is one."""
    return complete_fit(NetworkFit(plan, fitter, world))


def complete_fit(running: NetworkFit) -> Card:
    """Begin or go on, learn until the budget is used up, and write the checkpoint."""
    plan = running.plan
    running.begin_or_resume()
    for _ in running.iterate_updates():
        pass
    card = running.ship_checkpoint() if running.is_first else None
    distributed.agree_on_largest(1.0)  # the others wait until the first has written what they read
    distributed.leave_processes()
    plan.resume_file.unlink(missing_ok=True)
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


def _finish_network(fitter: Fitter, network: nn.Module, world: Dataset) -> None:
    """Whiten the network and find its directions."""
    with torch.no_grad():
        fitter.finish(network, world)
        if isinstance(network, DirectedModel):
            network.directions = find_directions(network, world)


def _ship_checkpoint(
    plan: FitPlan, fitter: Fitter, network: nn.Module, progress: TrainingProgress, world: Dataset
) -> Card:
    """Finish the network, measure it and write it."""
    _finish_network(fitter, network, world)
    card = make_fit_card(plan, fitter, progress, world)
    models.save_network(plan.out, network, card)
    card = replace(card, scores=_round_scores(KINDS[plan.kind].load_scorer()(network, world)))
    models.save_network(plan.out, network, card)
    return card


def make_fit_card(plan: FitPlan, fitter: Fitter, progress: TrainingProgress, world: Dataset) -> Card:
    """Return the card of what has been learned so far, without scores."""
    before = models.read_card(plan.parent) if plan.parent else None
    return Card(
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


def _round_scores(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in scores.items()}


def describe_device(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
