"""Everything of a run that learns, where it is kept, and when it is over."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.training import distributed, resume_state
from latentlab.training.augmented.config import Config
from latentlab.training.augmented.learner import Learner
from latentlab.training.augmented.task import Task
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.update_loop import BatchOrder


@dataclass(frozen=True)
class RunFiles:
    """The files in which a run leaves what it makes."""

    resume: Path
    out: Path
    sample: Path | None = None


@dataclass(eq=False)
class TrainingRun:
    """Everything that learns, and the clockwork around it."""

    config: Config
    task: Task
    files: RunFiles
    device: str
    place: tuple[int, int]
    learner: Learner = field(init=False)
    everything: nn.ModuleDict = field(init=False)
    batch_order: BatchOrder = field(init=False)

    def __post_init__(self) -> None:
        self.learner = Learner(self.config, self.task)
        average = copy.deepcopy(self.learner.network).requires_grad_(False).eval()
        self.everything = nn.ModuleDict({"fit": self.learner.modules, "average": average}).to(self.device)
        self.batch_order = order_batches(self.config, self.task, self.device, self.place)

    @property
    def average_network(self) -> nn.Module:
        return self.everything["average"]

    @property
    def config_json(self) -> str:
        return json.dumps(tool_to_json(self.config), sort_keys=True)

    @property
    def step_limit(self) -> int | None:
        """Return the updates that the budget allows; None where only time ends the run."""
        by_epochs = round(self.config.epochs * self.batch_order.steps_per_epoch) if self.config.epochs else 0
        limits = [limit for limit in (max(by_epochs, 1) if self.config.epochs else 0, self.config.steps) if limit]
        return min(limits) if limits else None

    def compute_spent_share(self, progress: TrainingProgress) -> float:
        by_time = progress.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        by_step = progress.step / self.step_limit if self.step_limit else 0.0
        return min(1.0, max(by_time, by_step))

    def begin_or_resume(self) -> TrainingProgress:
        if self.files.resume.exists():
            return resume_state.restore_resume_state(
                self.files.resume, self.everything, self.learner.optimisers, self.config_json
            )
        distributed.copy_from_first(self.everything.state_dict().values())
        return TrainingProgress()

    def save_state(self, progress: TrainingProgress) -> None:
        """Save only weights that can be gone on from."""
        if self.place[0] == 0 and all(bool(p.isfinite().all()) for p in self.learner.network.parameters()):
            resume_state.save_resume_state(
                self.files.resume, progress, self.everything, self.learner.optimisers, self.config_json
            )


def order_batches(config: Config, task: Task, device: str, place: tuple[int, int]) -> BatchOrder:
    """Return the order of the data, with fewer images an update where there are not enough for one batch a process."""
    size = min(config.batch, len(task.learned) // place[1])
    if not size:
        raise UserError(f"{len(task.learned)} images are too few for {place[1]} processes; give more images.")
    return BatchOrder(task.select_split(task.learned), size, config.seed, device, place)
