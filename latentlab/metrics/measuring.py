"""What every metric gives, and how it is found: a mean over images with its 95 % interval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.chance import seeded
from latentlab.operators.scoring import logits_of
from latentlab.types import Batch, Bench, Logits

CHUNK = 100  # images at a time
LEVEL = 0.95  # of every interval
DRAWS = 1000  # of a bootstrap
MANY = 30  # values, from which on a bootstrap is better than a normal law

Each = Float[Tensor, " B"]


@dataclass(frozen=True, eq=False)
class Measured:
    """A mean with its interval; `each` has the images' own values where there are such."""

    value: float
    low: float
    high: float
    each: Each | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Metric(ABC):
    label: ClassVar[str]
    unit: ClassVar[str] = "%"  # of a share; else as it is named
    higher_is_better: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, batch: Batch, bench: Bench) -> Measured: ...


def chunks(batch: Batch) -> Iterator[Batch]:
    for first in range(0, len(batch), CHUNK):
        yield Batch(batch.images[first : first + CHUNK], batch.targets[first : first + CHUNK])


@torch.no_grad()
def logits(batch: Batch, bench: Bench) -> Logits:
    return torch.cat([logits_of(bench, few.images).cpu() for few in chunks(batch)])


def right(batch: Batch, bench: Bench) -> Each:
    """1 where the prediction is the label, 0 elsewhere."""
    return (logits(batch, bench).argmax(1) == batch.targets.argmax(1).cpu()).float()


def share(hits: Each) -> Measured:
    """A proportion with Wilson's interval."""
    from scipy.stats import binomtest

    ends = binomtest(int(hits.sum()), len(hits)).proportion_ci(LEVEL, method="wilson")
    return Measured(float(hits.mean()), float(ends.low), float(ends.high), hits)


def mean(values: Each) -> Measured:
    """A mean; its interval is Student's for few values, for many a bootstrap's, which minds that they are skewed."""
    value, count = float(values.double().mean()), len(values)
    if count < MANY:
        return Measured(value, *_student(values), values)
    rows = torch.randint(count, (DRAWS, count), generator=seeded(0))
    means = torch.stack([values[chosen].double().mean() for chosen in rows])
    low, high = means.quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2]).double()).tolist()
    return Measured(value, low, high, values)


def _student(values: Each) -> tuple[float, float]:
    """A single value has no interval: both ends are itself."""
    from scipy.stats import sem, t

    value = float(values.double().mean())
    half = float(sem(values.double().numpy()) * t.ppf((1 + LEVEL) / 2, len(values) - 1)) if len(values) > 1 else 0.0
    return value - half, value + half
