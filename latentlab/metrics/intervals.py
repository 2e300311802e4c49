"""Every metric gives a mean over images with its 95 % interval; this module says how it is found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.chance import make_generator
from latentlab.operators.classification import compute_logits
from latentlab.types import Batch, Bench, Logits

METRIC_CHUNK = 100  # images at a time
CONFIDENCE_LEVEL = 0.95  # of every interval
BOOTSTRAP_DRAWS = 1000  # of a bootstrap
FEWEST_FOR_BOOTSTRAP = 30  # values, from which on a bootstrap is better than a normal law

ImageValues = Float[Tensor, " B"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean with its interval; `each` has the images' own values where there are such."""

    value: float
    low: float
    high: float
    each: ImageValues | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Metric(ABC):
    label: ClassVar[str]
    unit: ClassVar[str] = "%"  # of a share; else as it is named
    higher_is_better: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, batch: Batch, bench: Bench) -> Estimate: ...


def split_into_chunks(batch: Batch) -> Iterator[Batch]:
    for first in range(0, len(batch), METRIC_CHUNK):
        yield Batch(batch.images[first : first + METRIC_CHUNK], batch.targets[first : first + METRIC_CHUNK])


@torch.no_grad()
def predict_logits(batch: Batch, bench: Bench) -> Logits:
    return torch.cat([compute_logits(bench, few.images).cpu() for few in split_into_chunks(batch)])


def mark_correct(batch: Batch, bench: Bench) -> ImageValues:
    """Return 1 where the prediction is the label, 0 elsewhere."""
    return (predict_logits(batch, bench).argmax(1) == batch.targets.argmax(1).cpu()).float()


def estimate_share(hits: ImageValues) -> Estimate:
    """Estimate a proportion, with Wilson's interval."""
    from scipy.stats import binomtest

    ends = binomtest(int(hits.sum()), len(hits)).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return Estimate(float(hits.mean()), float(ends.low), float(ends.high), hits)


def estimate_mean(values: ImageValues) -> Estimate:
    """Estimate a mean.

    Its interval is Student's for few values, for many a bootstrap's, which minds that they are skewed.
    """
    value, count = float(values.double().mean()), len(values)
    if count < FEWEST_FOR_BOOTSTRAP:
        return Estimate(value, *_compute_student_interval(values), values)
    rows = torch.randint(count, (BOOTSTRAP_DRAWS, count), generator=make_generator(0))
    means = torch.stack([values[chosen].double().mean() for chosen in rows])
    low, high = means.quantile(torch.tensor([(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2]).double()).tolist()
    return Estimate(value, low, high, values)


def _compute_student_interval(values: ImageValues) -> tuple[float, float]:
    """Return Student's interval; a single value has none: both ends are itself."""
    from scipy.stats import sem, t

    value = float(values.double().mean())
    half = (
        float(sem(values.double().numpy()) * t.ppf((1 + CONFIDENCE_LEVEL) / 2, len(values) - 1))
        if len(values) > 1
        else 0.0
    )
    return value - half, value + half
