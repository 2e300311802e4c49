"""These metrics judge on images as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
import torch

from latentlab.chance import make_generator
from latentlab.knobs import Knob, tool
from latentlab.metrics.intervals import (
    BOOTSTRAP_DRAWS,
    CONFIDENCE_LEVEL,
    Estimate,
    ImageValues,
    Metric,
    estimate_mean,
    estimate_share,
    mark_correct,
    predict_logits,
)
from latentlab.operators.classification import compute_losses
from latentlab.types import Batch, Bench

ECE_BINS = 15  # of a calibration error


@tool
class Accuracy(Metric):
    """Share of images whose largest logit is that of their label."""

    label: ClassVar[str] = "accuracy"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        return estimate_share(mark_correct(batch, bench))


@tool
class NLL(Metric):
    """Mean of −log p(label)."""

    label: ClassVar[str] = "negative log-likelihood"
    unit: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        return estimate_mean(compute_losses(predict_logits(batch, bench), batch.targets.cpu()))


@tool
class ECE(Metric):
    """Expected calibration error: Σ_b (n_b / n) |accuracy_b − confidence_b| (Guo et al. 2017)."""

    bins: Annotated[int, Knob("bins of equal width", 2, 100)] = ECE_BINS

    label: ClassVar[str] = "calibration error"
    higher_is_better: ClassVar[bool] = False

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        found, labels = predict_logits(batch, bench).softmax(1), batch.targets.argmax(1).cpu()
        confidence, predicted = found.max(1)
        hits = (predicted == labels).float()
        estimate = estimate_calibration_error(confidence, hits, self.bins)
        return replace(estimate, detail={"bins": self._make_bins(confidence, hits)})

    def _make_bins(self, confidence: ImageValues, hits: ImageValues) -> list[dict[str, float | int | None]]:
        """Return the reliability diagram; an empty bin has neither confidence nor accuracy."""
        place = (confidence * self.bins).long().clamp(max=self.bins - 1)
        rows = []
        for number in range(self.bins):
            inside = place == number
            count = int(inside.sum())
            means = [float(values[inside].mean()) if count else None for values in (confidence, hits)]
            ends = {"low": number / self.bins, "high": (number + 1) / self.bins}
            rows.append(ends | {"count": count, "confidence": means[0], "accuracy": means[1]})
        return rows


def estimate_calibration_error(confidence: ImageValues, hits: ImageValues, bins: int = ECE_BINS) -> Estimate:
    """Estimate it from what a classifier said of images, with a bootstrap's interval."""
    value = _compute_calibration_error(confidence, hits, bins)
    draws = torch.randint(len(hits), (BOOTSTRAP_DRAWS, len(hits)), generator=make_generator(0))
    again = [_compute_calibration_error(confidence[rows], hits[rows], bins) for rows in draws]
    low, high = np.quantile(again, [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def _compute_calibration_error(confidence: ImageValues, hits: ImageValues, bins: int) -> float:
    place = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins).index_add(0, place, hits - confidence)
    return float(gaps.abs().sum() / len(hits))
