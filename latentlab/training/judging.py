"""What a network knows while it learns, and at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.functional import one_hot

from latentlab import metrics
from latentlab.chance import seeded
from latentlab.data import Split
from latentlab.models import Pixels
from latentlab.training.learner import Learner
from latentlab.types import Batch, Bench

SEEN, MOVED, CORRUPTED = 1000, 200, 300  # images at most
LAST = 1500  # test images under a corruption
SEVERITY = 3


def look(learner: Learner, network: nn.Module, held: Split, device: str) -> dict[str, Any]:
    """On images that are held out: as they are, as training sees them, and corrupted, each by one of 15 in turn."""
    images, labels = held.batch(slice(0, SEEN))
    images, labels = images.to(device), labels.to(device)
    bench, clean = _bench(learner, network), _batch(learner, held, SEEN, device)
    moved = [
        learner.moved(few, numbers, network, bench.rng)
        for few, numbers in zip(images[:MOVED].split(metrics.CHUNK), labels[:MOVED].split(metrics.CHUNK), strict=True)
    ]
    hits = [metrics.right(batch, bench) for batch in moved]
    return {
        "nll": metrics.NLL()(clean, bench).value,
        "accuracy": {
            "clean": float(metrics.right(clean, bench).mean()),
            "moved": sum(float(few.sum()) for few in hits) / sum(map(len, hits)),
            "corrupted": _corrupted(clean, bench, CORRUPTED),
        },
    }


def judge(learner: Learner, network: nn.Module, test: Split, device: str) -> dict[str, float]:
    """On the test images, once, when the run is over."""
    bench, batch = _bench(learner, network), _batch(learner, test, len(test), device)
    return {
        "accuracy": float(metrics.right(batch, bench).mean()),
        "nll": metrics.NLL()(batch, bench).value,
        "corrupted": _corrupted(batch, bench, LAST),
    }


def _bench(learner: Learner, network: nn.Module) -> Bench:
    return Bench(Pixels(learner.task.world.image_shape), network, seeded(learner.config.seed))


def _batch(learner: Learner, half: Split, most: int, device: str) -> Batch:
    images, labels = half.batch(slice(0, most))
    return Batch(images.to(device), one_hot(labels, len(learner.task.world.classes)).float().to(device))


def _corrupted(batch: Batch, bench: Bench, most: int) -> float:
    few = Batch(batch.images[:most], batch.targets[:most])
    worse = metrics.one_corruption_each(few, SEVERITY, bench.rng)
    return float(metrics.right(worse, replace(bench, rng=seeded(0))).mean())
