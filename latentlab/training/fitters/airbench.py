"""The recipe of Jordan 2024, arXiv 2404.00498: large batches, a triangle of rates, look-ahead averaging."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from latentlab.datasets import Dataset
from latentlab.models.classifiers.airbench import Airbench
from latentlab.models.modules import use_channels_last
from latentlab.models.precision import autocast_bf16
from latentlab.training import distributed
from latentlab.training.fitters.classifier import compute_label_loss, make_classifier_arguments
from latentlab.training.schedule import crop_randomly, flip_randomly
from latentlab.training.temperature import CalibratedFitter
from latentlab.types import Images

MOMENTUM, LABEL_SMOOTHING = 0.85, 0.2
KILOSTEP = 1024 * (1 + 1 / (1 - MOMENTUM))  # the paper's rates are for 1024 images and for the momentum's sum
HIGHEST_RATE, HIGHEST_BIAS_RATE = 11.5 / KILOSTEP, 64 * 11.5 / KILOSTEP
WEIGHT_DECAY = 0.0153 * 1024 / KILOSTEP
LOOKAHEAD_STEPS = 5  # steps between look-ahead averages
WHITENING_BIAS_SHARE = 0.3  # share of the fit in which the first layer's bias learns


class AirbenchFitter(CalibratedFitter):
    batch, average = 1024, 0.0  # the look-ahead weights are the average

    def __init__(self, world: Dataset, device: str) -> None:
        self.arguments: dict[str, Any] = make_classifier_arguments(world)
        self.network = use_channels_last(Airbench(**self.arguments))
        self.slow = use_channels_last(Airbench(**self.arguments)).requires_grad_(False)
        self.modules = nn.ModuleDict({"network": self.network, "slow": self.slow})
        learning = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        biases = [p for name, p in learning.items() if name.startswith("blocks") and name.endswith("bias")]
        others = [p for name, p in learning.items() if not (name.startswith("blocks") and name.endswith("bias"))]
        groups = [
            {"params": biases, "lr": HIGHEST_BIAS_RATE, "weight_decay": WEIGHT_DECAY / HIGHEST_BIAS_RATE},
            {"params": others, "lr": HIGHEST_RATE, "weight_decay": WEIGHT_DECAY / HIGHEST_RATE},
        ]
        self.optimisers = {"sgd": torch.optim.SGD(groups, HIGHEST_RATE, MOMENTUM, nesterov=True)}
        self.mirrored = world.allows_mirroring
        self.modules.register_buffer(
            "taken", torch.zeros((), dtype=torch.long)
        )  # so that a resumed fit looks ahead at the same steps

    def begin(self, images: Images) -> None:
        self.network.initialise_whitening(images)
        self.slow.load_state_dict(self.network.state_dict())

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        images = crop_randomly(flip_randomly(images, rng) if self.mirrored else images, images.shape[2] // 16, rng)
        with autocast_bf16(images.device.type):
            logits = self.network(images)
        total = compute_label_loss(logits, labels, LABEL_SMOOTHING) * len(images)
        sgd = self.optimisers["sgd"]
        sgd.zero_grad(set_to_none=True)
        total.backward()
        distributed.average_gradients(self.network.parameters())
        if progress > WHITENING_BIAS_SHARE and self.network.whiten.bias is not None:
            self.network.whiten.bias.grad = None
        for group, rate in zip(sgd.param_groups, (HIGHEST_BIAS_RATE, HIGHEST_RATE), strict=True):
            group["lr"] = rate * schedule_triangle(progress)
        sgd.step()
        taken = self.modules.get_buffer("taken").add_(1)
        if taken % LOOKAHEAD_STEPS == 0:
            self.look_ahead(0.95**LOOKAHEAD_STEPS * progress**3)
        return {"loss": total.item() / len(images)}

    @torch.no_grad()
    def look_ahead(self, decay: float) -> None:
        """Move the slow weights part of the way to the quick ones, which then start again from there."""
        quick = self.network.state_dict()
        for name, slow in self.slow.state_dict().items():
            if slow.is_floating_point():
                slow.lerp_(quick[name], 1 - decay)
                quick[name].copy_(slow)

    def finish(self, network: nn.Module, world: Dataset) -> None:
        assert isinstance(network, Airbench)
        self.arguments |= self.set_temperature(network)


def schedule_triangle(progress: float, start: float = 0.2, peak: float = 0.23, end: float = 0.07) -> float:
    """Return the share of the highest rate: it goes linearly up, then linearly down."""
    if progress < peak:
        return start + (1 - start) * progress / peak
    return 1 - (1 - end) * (progress - peak) / (1 - peak)
