"""The events of a run: plain objects, ready for JSON."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from torch import Tensor

from latentlab.fit.loop import device_name
from latentlab.fit.state import Progress
from latentlab.models.checkpoint import write_tensors
from latentlab.training.judging import look
from latentlab.training.run import Run
from latentlab.types import Images

Event = dict[str, Any]

SHOWN = 16  # images of a sample


class Rhythm:
    """At most once in so many seconds, and at most a share of the time."""

    def __init__(self, seconds: float, share: float = 1.0) -> None:
        self.seconds, self.share = seconds, share
        self.last, self.pause = time.monotonic(), 0.0

    def due(self) -> bool:
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

    def __init__(self, start: Progress) -> None:
        self.marks = deque([start], maxlen=self.WINDOW)

    def add(self, progress: Progress) -> tuple[float, float]:
        """Seconds an update and images a second, between the marks that are remembered."""
        first = self.marks[0]
        self.marks.append(progress)
        seconds = max(progress.seconds - first.seconds, 1e-9)
        return seconds / max(progress.step - first.step, 1), (progress.images_seen - first.images_seen) / seconds


def event(name: str, progress: Progress, **values: Any) -> Event:
    return {"event": name, "step": progress.step, "seconds": round(progress.seconds, 3), **values}


def begin(run: Run, progress: Progress) -> Event:
    return event(
        "begin",
        progress,
        resumed=progress.step > 0,
        network=run.task.kind,
        parent=run.task.parent,
        device=device_name(run.device),
        processes=run.place[1],
        images=len(run.task.learned),
        validation=len(run.task.held),
        batch=run.course.batch,
        steps_per_epoch=run.course.steps_per_epoch,
        steps=run.steps,
        minutes=run.config.minutes or None,
        classes=list(run.task.world.classes),
    )


def step(run: Run, progress: Progress, loss: float, rate: float, pace: Pace) -> Event:
    seconds, images = pace.add(progress)
    left = [(run.steps - progress.step) * seconds] if run.steps else []
    left += [60 * run.config.minutes - progress.seconds] if run.config.minutes else []
    return event(
        "step",
        progress,
        loss=round(loss, 5),
        rate=rate,
        images_per_second=round(images, 1),
        eta=round(max(0.0, min(left)), 1),
        done=round(run.done(progress), 4),
    )


def looked(run: Run, progress: Progress) -> Event:
    found = look(run.learner, run.average, run.task.half(run.task.held), run.device)
    return event("epoch", progress, epoch=round(progress.step / run.course.steps_per_epoch, 3), **found)


def sample(run: Run, progress: Progress) -> Event:
    """The first images of the batch of the last update, as they were learned from."""
    seen, path = run.learner.seen, run.files.sample
    assert seen is not None
    assert path is not None
    rows = run.task.learned[next(run.course.rows(progress.step - 1))[:SHOWN]]
    tensors = {
        "images": _levels(seen.images[:SHOWN]),
        "originals": run.task.world.train.images[rows],
        "targets": seen.targets[:SHOWN],
        "rows": rows,
    }
    write_tensors(path, tensors, {"step": str(progress.step)})
    return event("sample", progress, rows=rows.tolist(), file=path.name)


def _levels(images: Images) -> Tensor:
    return (images * 255).round().byte()
