"""This module judges a network while it learns, and at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.functional import one_hot

from latentlab import metrics
from latentlab.chance import make_generator
from latentlab.datasets import Split
from latentlab.models import Pixels
from latentlab.training.augmented.learner import Learner
from latentlab.types import Batch, Bench

CLEAN_IMAGES, MOVED_IMAGES, CORRUPTED_IMAGES = 1000, 200, 300  # images at most
CORRUPTED_TEST_IMAGES = 1500  # test images under a corruption
CORRUPTION_SEVERITY = 3


def evaluate_held_out(learner: Learner, network: nn.Module, held: Split, device: str) -> dict[str, Any]:
    """Judge by held-out images: as they are, as training sees them, and corrupted, each by one of 15 in turn."""
    images, labels = held.take_batch(slice(0, CLEAN_IMAGES))
    images, labels = images.to(device), labels.to(device)
    bench, clean = _make_bench(learner, network), _make_batch(learner, held, CLEAN_IMAGES, device)
    moved = [
        learner.move_images(few, numbers, network, bench.rng)
        for few, numbers in zip(
            images[:MOVED_IMAGES].split(metrics.METRIC_CHUNK),
            labels[:MOVED_IMAGES].split(metrics.METRIC_CHUNK),
            strict=True,
        )
    ]
    hits = [metrics.mark_correct(batch, bench) for batch in moved]
    return {
        "nll": metrics.NLL()(clean, bench).value,
        "accuracy": {
            "clean": float(metrics.mark_correct(clean, bench).mean()),
            "moved": sum(float(few.sum()) for few in hits) / sum(map(len, hits)),
            "corrupted": _measure_corrupted(clean, bench, CORRUPTED_IMAGES),
        },
    }


def evaluate_on_test(learner: Learner, network: nn.Module, test: Split, device: str) -> dict[str, float]:
    """Judge by the test images, once, when the run is over."""
    bench, batch = _make_bench(learner, network), _make_batch(learner, test, len(test), device)
    return {
        "accuracy": float(metrics.mark_correct(batch, bench).mean()),
        "nll": metrics.NLL()(batch, bench).value,
        "corrupted": _measure_corrupted(batch, bench, CORRUPTED_TEST_IMAGES),
    }


def _make_bench(learner: Learner, network: nn.Module) -> Bench:
    return Bench(Pixels(learner.task.world.image_shape), network, make_generator(learner.config.seed))


def _make_batch(learner: Learner, half: Split, most: int, device: str) -> Batch:
    images, labels = half.take_batch(slice(0, most))
    return Batch(images.to(device), one_hot(labels, len(learner.task.world.classes)).float().to(device))


def _measure_corrupted(batch: Batch, bench: Bench, most: int) -> float:
    few = Batch(batch.images[:most], batch.targets[:most])
    worse = metrics.corrupt_in_turn(few, CORRUPTION_SEVERITY, bench.rng)
    return float(metrics.mark_correct(worse, replace(bench, rng=make_generator(0))).mean())
