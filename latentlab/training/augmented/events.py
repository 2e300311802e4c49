"""The events of a run: plain objects, ready for JSON."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from torch import Tensor

from latentlab.models.checkpoint import write_tensors
from latentlab.training.augmented.run_state import TrainingRun
from latentlab.training.augmented.validation import evaluate_held_out
from latentlab.training.fit_loop import describe_device
from latentlab.training.resume_state import TrainingProgress
from latentlab.types import Images

RunEvent = dict[str, Any]

SAMPLE_IMAGES = 16  # images of a sample


class Throttle:
    """A `Throttle` lets something happen at most once in so many seconds, and for at most a share of the time."""

    def __init__(self, seconds: float, share: float = 1.0) -> None:
        self.seconds, self.share = seconds, share
        self.last, self.pause = time.monotonic(), 0.0

    def is_due(self) -> bool:
        if time.monotonic() - self.last < max(self.seconds, self.pause):
            return False
        self.last = time.monotonic()
        return True

    def __enter__(self) -> None:
        self.started = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self.last = time.monotonic()
        self.pause = (self.last - self.started) / self.share


class Pace:
    """Seconds and images an update, over the last few."""

    WINDOW = 20

    def __init__(self, start: TrainingProgress) -> None:
        self.marks = deque([start], maxlen=self.WINDOW)

    def add_mark(self, progress: TrainingProgress) -> tuple[float, float]:
        """Return seconds an update and images a second, between the marks that are remembered."""
        first = self.marks[0]
        self.marks.append(progress)
        seconds = max(progress.seconds - first.seconds, 1e-9)
        return seconds / max(progress.step - first.step, 1), (progress.images_seen - first.images_seen) / seconds


def make_event(name: str, progress: TrainingProgress, **values: Any) -> RunEvent:
    return {"event": name, "step": progress.step, "seconds": round(progress.seconds, 3), **values}


def report_begin(run: TrainingRun, progress: TrainingProgress) -> RunEvent:
    return make_event(
        "begin",
        progress,
        resumed=progress.step > 0,
        network=run.task.kind,
        parent=run.task.parent,
        device=describe_device(run.device),
        processes=run.place[1],
        images=len(run.task.learned),
        validation=len(run.task.held),
        batch=run.batch_order.batch,
        steps_per_epoch=run.batch_order.steps_per_epoch,
        steps=run.step_limit,
        minutes=run.config.minutes or None,
        classes=list(run.task.world.classes),
    )


def report_step(run: TrainingRun, progress: TrainingProgress, loss: float, rate: float, pace: Pace) -> RunEvent:
    seconds, images = pace.add_mark(progress)
    left = [(run.step_limit - progress.step) * seconds] if run.step_limit else []
    left += [60 * run.config.minutes - progress.seconds] if run.config.minutes else []
    return make_event(
        "step",
        progress,
        loss=round(loss, 5),
        rate=rate,
        images_per_second=round(images, 1),
        eta=round(max(0.0, min(left)), 1),
        done=round(run.compute_spent_share(progress), 4),
    )


def report_evaluation(run: TrainingRun, progress: TrainingProgress) -> RunEvent:
    found = evaluate_held_out(run.learner, run.average_network, run.task.select_split(run.task.held), run.device)
    return make_event("epoch", progress, epoch=round(progress.step / run.batch_order.steps_per_epoch, 3), **found)


def report_sample(run: TrainingRun, progress: TrainingProgress) -> RunEvent:
    """Write the first images of the batch of the last update, as they were learned from, and report them."""
    seen, path = run.learner.seen, run.files.sample
    assert seen is not None
    assert path is not None
    rows = run.task.learned[next(run.batch_order.iterate_rows(progress.step - 1))[:SAMPLE_IMAGES]]
    tensors = {
        "images": _quantise_images(seen.images[:SAMPLE_IMAGES]),
        "originals": run.task.world.train.images[rows],
        "targets": seen.targets[:SAMPLE_IMAGES],
        "rows": rows,
    }
    write_tensors(path, tensors, {"step": str(progress.step)})
    return make_event("sample", progress, rows=rows.tolist(), file=path.name)


def _quantise_images(images: Images) -> Tensor:
    return (images * 255).round().byte()
