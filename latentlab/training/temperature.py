"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599): one number by which logits are divided, so that a classifier
is as often right as it says. It is found on training images that the fit does not learn from."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from latentlab.datasets import Dataset, Split
from latentlab.models.classifiers.airbench import Airbench
from latentlab.models.classifiers.resnet import ResNet18, ResNet20, SmallResNet

HELD_OUT_SHARE = 0.04  # share of the training pictures
LOG_TEMPERATURES = (math.log(0.05), math.log(20.0))
CONFIDENCE_BINS = 15


class CalibratedFitter:
    """A fitter of a classifier keeps some images back, and sets the temperature by them in the end."""

    held_out: Split | None = None

    def hold_out(self, world: Dataset) -> Dataset:
        """Return the world without the last of its training pictures, in all their colours; keep those for the end."""
        each = len(world.train) // world.copies
        kept = torch.arange(len(world.train)) % each < each - max(1, round(HELD_OUT_SHARE * each))
        self.held_out = Split(world.train.images[~kept], world.train.labels[~kept])
        return replace(world, train=Split(world.train.images[kept], world.train.labels[kept]))

    def set_temperature(self, network: Airbench | ResNet18 | ResNet20 | SmallResNet) -> dict[str, float]:
        """Set the network's and return it as an argument of its constructor; none where nothing was kept back."""
        if self.held_out is None:
            return {}
        device = next(network.parameters()).device
        rows = torch.arange(len(self.held_out)).split(200)
        logits = torch.cat([network(self.held_out.take_batch(few)[0].to(device)).cpu() for few in rows])
        found = round(find_temperature(logits, self.held_out.labels), 3)
        network.temperature = found
        return {"temperature": found}


def find_temperature(logits: Float[Tensor, "B K"], labels: Int[Tensor, "B ..."]) -> float:
    """Find the temperature of the least negative log-likelihood of labels, or of 0/1 columns."""
    from scipy.optimize import minimize_scalar

    def compute_nats(log_temperature: float) -> float:
        cooled = logits / math.exp(log_temperature)
        if labels.ndim > 1:
            return F.binary_cross_entropy_with_logits(cooled, labels.float()).item()
        return F.cross_entropy(cooled, labels).item()

    return math.exp(minimize_scalar(compute_nats, bounds=LOG_TEMPERATURES, method="bounded").x)


def measure_calibration_error(logits: Float[Tensor, "B K"], labels: Int[Tensor, "B ..."]) -> float:
    """Measure Σ_b (n_b / n) |accuracy_b − confidence_b| over bins of equal width; of attributes, over every answer."""
    if labels.ndim > 1:
        logits, labels = torch.stack([-logits / 2, logits / 2], -1).flatten(0, 1), labels.flatten()
    confidence, predicted = logits.softmax(1).max(1)
    gaps = (predicted == labels).float() - confidence
    place = (confidence * CONFIDENCE_BINS).long().clamp(max=CONFIDENCE_BINS - 1)
    return float(torch.zeros(CONFIDENCE_BINS).index_add(0, place, gaps).abs().sum() / len(gaps))
