"""Maximum likelihood of dequantised images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.data import World
from latentlab.fit import parallel
from latentlab.fit.schedule import flip, set_rate
from latentlab.fit.scores import bits_per_dim
from latentlab.models.glow import Glow
from latentlab.models.precision import gains_from_bf16
from latentlab.types import Images

SIZES: dict[str, dict[str, Any]] = {
    "digits": {"levels": 3, "steps": 4, "hidden": 64},
    "faces": {"levels": 4, "steps": 8, "hidden": 128},
}
GRAIN = {"digits": 0.02}  # deviation of the noise added to drawn images: flat areas would make the flow ill-conditioned


def stray(images: Images, rng: torch.Generator) -> Images:
    """The first image of the batch drowns in noise, so that the flow stays invertible in practice far from the data."""
    noise = chance.uniform(images[:1].shape, rng)
    noise = noise.round() if chance.uniform((1,), rng) < 0.5 else noise
    drowned = images[:1].lerp(noise.to(images), float(chance.uniform((1,), rng)))
    return torch.cat([drowned, images[1:]])


class GlowFitter:
    batch, average = 64, 0.999
    peak = 1.5e-3

    def __init__(self, world: World, device: str) -> None:
        size = SIZES.get(world.name, {"levels": 3, "steps": 8, "hidden": 256})
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape, **size}
        self.network = Glow(**self.arguments)
        self.network.use_fast(gains_from_bf16(torch.device(device).type))
        self.modules = nn.ModuleDict({"network": self.network})
        self.optimisers = {"adam": torch.optim.Adam(self.network.parameters(), self.peak, betas=(0.9, 0.99))}
        self.mirrored = world.mirrored
        self.grain = GRAIN.get(world.name, 0.0)

    def begin(self, images: Images) -> None:
        self.network.initialise(images)

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        if self.mirrored:
            images = flip(images, rng)
        images = stray(images, rng)
        if self.grain:
            images = (images + self.grain * chance.normal(images.shape, rng).to(images)).clamp(0, 1)
        bits = bits_per_dim(self.network, images, rng).mean()
        adam = self.optimisers["adam"]
        adam.zero_grad(set_to_none=True)
        bits.backward()
        parallel.reduce(self.network.parameters())
        length = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        set_rate(adam, self.peak, progress)
        adam.step()
        return {"bits/dim": bits.item(), "gradient": length.item()}

    def finish(self, network: nn.Module, world: World) -> None:
        assert isinstance(network, Glow)
        network.use_fast(False)
