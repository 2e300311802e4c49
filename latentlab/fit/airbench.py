"""The recipe of Jordan 2024, arXiv 2404.00498: large batches, a triangle of rates, look-ahead averaging."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from latentlab.data import World
from latentlab.fit import parallel
from latentlab.fit.classifier import loss, statistics
from latentlab.fit.schedule import crop, flip
from latentlab.models.airbench import Airbench
from latentlab.models.modules import channels_last
from latentlab.models.precision import autocast
from latentlab.types import Images

MOMENTUM, SMOOTHING = 0.85, 0.2
KILOSTEP = 1024 * (1 + 1 / (1 - MOMENTUM))  # the paper's rates are for 1024 images and for the momentum's sum
RATE, BIAS_RATE = 11.5 / KILOSTEP, 64 * 11.5 / KILOSTEP
DECAY = 0.0153 * 1024 / KILOSTEP
AHEAD = 5  # steps between look-ahead averages
WHITENING = 0.3  # share of the fit in which the first layer's bias learns


class AirbenchFitter:
    batch, average = 1024, 0.0  # the look-ahead weights are the average

    def __init__(self, world: World, device: str) -> None:
        self.arguments: dict[str, Any] = statistics(world)
        self.network = channels_last(Airbench(**self.arguments))
        self.slow = channels_last(Airbench(**self.arguments)).requires_grad_(False)
        self.modules = nn.ModuleDict({"network": self.network, "slow": self.slow})
        learning = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        biases = [p for name, p in learning.items() if name.startswith("blocks") and name.endswith("bias")]
        others = [p for name, p in learning.items() if not (name.startswith("blocks") and name.endswith("bias"))]
        groups = [
            {"params": biases, "lr": BIAS_RATE, "weight_decay": DECAY / BIAS_RATE},
            {"params": others, "lr": RATE, "weight_decay": DECAY / RATE},
        ]
        self.optimisers = {"sgd": torch.optim.SGD(groups, RATE, MOMENTUM, nesterov=True)}
        self.mirrored = world.mirrored
        self.modules.register_buffer(
            "taken", torch.zeros((), dtype=torch.long)
        )  # so that a resumed fit looks ahead at the same steps

    def begin(self, images: Images) -> None:
        self.network.initialise(images)
        self.slow.load_state_dict(self.network.state_dict())

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        images = crop(flip(images, rng) if self.mirrored else images, images.shape[2] // 16, rng)
        with autocast(images.device.type):
            logits = self.network(images)
        total = loss(logits, labels, SMOOTHING) * len(images)
        sgd = self.optimisers["sgd"]
        sgd.zero_grad(set_to_none=True)
        total.backward()
        parallel.reduce(self.network.parameters())
        if progress > WHITENING and self.network.whiten.bias is not None:
            self.network.whiten.bias.grad = None
        for group, rate in zip(sgd.param_groups, (BIAS_RATE, RATE), strict=True):
            group["lr"] = rate * triangle(progress)
        sgd.step()
        taken = self.modules.get_buffer("taken").add_(1)
        if taken % AHEAD == 0:
            self.look_ahead(0.95**AHEAD * progress**3)
        return {"loss": total.item() / len(images)}

    @torch.no_grad()
    def look_ahead(self, decay: float) -> None:
        """The slow weights go part of the way to the quick ones, which then start again from there."""
        quick = self.network.state_dict()
        for name, slow in self.slow.state_dict().items():
            if slow.is_floating_point():
                slow.lerp_(quick[name], 1 - decay)
                quick[name].copy_(slow)

    def finish(self, network: nn.Module, world: World) -> None:
        pass


def triangle(progress: float, start: float = 0.2, peak: float = 0.23, end: float = 0.07) -> float:
    """Share of the highest rate: linearly up, then linearly down."""
    if progress < peak:
        return start + (1 - start) * progress / peak
    return 1 - (1 - end) * (progress - peak) / (1 - peak)
