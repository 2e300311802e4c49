"""How good a classifier is, each figure with its 95 % interval over images.

A metric is a tool: knobs in the object, images and bench in the call. `bench.model` is the space of latent attacks.
"""

from __future__ import annotations

from latentlab.metrics.hard import (
    FGSM,
    PGD,
    Corrupted,
    LabelPreservation,
    LatentAttack,
    Linearity,
    one_corruption_each,
    preserved,
)
from latentlab.metrics.measuring import CHUNK, Measured, Metric, mean, right, share
from latentlab.metrics.plain import ECE, NLL, Accuracy

__all__ = [
    "CHUNK",
    "ECE",
    "FGSM",
    "METRICS",
    "NLL",
    "PGD",
    "Accuracy",
    "Corrupted",
    "LabelPreservation",
    "LatentAttack",
    "Linearity",
    "Measured",
    "Metric",
    "mean",
    "one_corruption_each",
    "preserved",
    "right",
    "share",
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
