"""A metric says how good a classifier is, each figure with its 95 % interval over images.

It is a tool: knobs in the object, images and bench in the call. `bench.model` is the space of latent attacks. Which
classifiers are measured on which images is said in `comparison`, what a card promises in `training.scores`.
"""

from __future__ import annotations

from latentlab.metrics.clean import ECE, NLL, Accuracy, estimate_calibration_error
from latentlab.metrics.intervals import METRIC_CHUNK, Estimate, Metric, estimate_mean, estimate_share, mark_correct
from latentlab.metrics.robustness import (
    FGSM,
    PGD,
    Corrupted,
    LabelPreservation,
    LatentAttack,
    Linearity,
    corrupt_in_turn,
    estimate_preserved,
)

__all__ = [
    "ECE",
    "FGSM",
    "METRICS",
    "METRIC_CHUNK",
    "NLL",
    "PGD",
    "Accuracy",
    "Corrupted",
    "Estimate",
    "LabelPreservation",
    "LatentAttack",
    "Linearity",
    "Metric",
    "corrupt_in_turn",
    "estimate_calibration_error",
    "estimate_mean",
    "estimate_preserved",
    "estimate_share",
    "mark_correct",
]

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "nll": NLL,
    "ece": ECE,
    "corruptions": Corrupted,
    "fgsm": FGSM,
    "pgd": PGD,
    "latent-attack": LatentAttack,
    "linearity": Linearity,
    "label-preservation": LabelPreservation,
}
