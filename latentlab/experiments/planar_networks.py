"""Small networks in the plane, one for each seed, trained side by side: each as if it were alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance

HIDDEN = 64
LEARNING_RATE = 0.01
PointSets = Float[Tensor, "S B 2"]  # S seeds
PointTargets = Float[Tensor, "S B K"]


class PlanarNetworks(nn.Module):
    """Networks 2–64–64–K with ReLU, whose first weights are those that torch's Linear would draw."""

    def __init__(self, classes: int, generators: list[torch.Generator]) -> None:
        super().__init__()
        sizes = [(2, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, classes)]
        self.weights = nn.ParameterList(_draw_layer((size[0], size[1]), size[0], generators) for size in sizes)
        self.biases = nn.ParameterList(_draw_layer((1, size[1]), size[0], generators) for size in sizes)

    def forward(self, points: PointSets) -> PointTargets:
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            points = torch.baddbmm(bias, F.relu(points) if place else points, weight)
        return points


def _draw_layer(shape: tuple[int, int], inputs: int, generators: list[torch.Generator]) -> nn.Parameter:
    """Draw uniformly within ±1/√inputs, for each seed from its own generator."""
    drawn = torch.stack([chance.draw_uniform(shape, rng) for rng in generators])
    return nn.Parameter((2 * drawn - 1) / inputs**0.5)


def train_planar_networks(
    networks: PlanarNetworks, batches: Iterable[tuple[PointSets, PointTargets]], steps: int
) -> None:
    """Make so many updates by Adam at a rate that falls to 0 as a cosine; the sum of the seeds' losses divides into
    their own, and so does Adam.
    """
    optimiser = torch.optim.Adam(networks.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _, (points, targets) in zip(range(steps), batches, strict=False):
        logits = networks(points)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1), reduction="sum") / points.shape[1]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
