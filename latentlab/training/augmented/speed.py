"""How fast a run would learn: some updates are made, timed and thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.models.networks import NetworkSource
from latentlab.training.augmented.config import Config
from latentlab.training.augmented.run_state import RunFiles, TrainingRun
from latentlab.training.augmented.task import prepare_task
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.update_loop import iterate_updates

MEASURE_SECONDS = 2.0


@dataclass(frozen=True)
class TrainingSpeed:
    """Updates a second, images in each of them, and how many updates the budget buys at that speed."""

    updates_per_second: float
    batch: int
    updates: int
    seconds: float  # that they take

    @property
    def images_per_second(self) -> float:
        return self.updates_per_second * self.batch


def measure_training_speed(config: Config, networks: NetworkSource, seconds: float = MEASURE_SECONDS) -> TrainingSpeed:
    """Measure it for so long, two updates at least: the first takes longer than all others and is not counted."""
    run = TrainingRun(config, prepare_task(config, networks), RunFiles(Path(), Path()), str(networks.device), (0, 1))
    seen: list[TrainingProgress] = []

    def is_enough(now: TrainingProgress) -> float:
        return float(now.step >= 2 and now.seconds >= seconds)

    for progress, _ in iterate_updates(
        run.learner, run.average_network, run.batch_order, TrainingProgress(), is_enough
    ):
        seen.append(progress)
    pace = (len(seen) - 1) / max(seen[-1].seconds - seen[0].seconds, 1e-6)
    by_time = int(60 * config.minutes * pace) if config.minutes else None
    limits = [limit for limit in (by_time, run.step_limit) if limit is not None]
    updates = max(1, min(limits)) if limits else 0
    return TrainingSpeed(pace, run.batch_order.batch, updates, updates / pace)
