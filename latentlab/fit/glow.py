"""Maximum likelihood of dequantised images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.data import World
from latentlab.fit import parallel
from latentlab.fit.muon import Muon
from latentlab.fit.schedule import flip, set_rate
from latentlab.fit.scores import bits_per_dim
from latentlab.models.glow import Coupling, Glow
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


def parted(network: Glow) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The kernels of the coupling networks, which Muon teaches in about 0.6 of the images that Adam needs; the rest."""
    couplings = [module for module in network.modules() if isinstance(module, Coupling)]
    kernels = [p for coupling in couplings for p in coupling.parameters() if p.ndim == 4]
    ours = set(map(id, kernels))
    return kernels, [p for p in network.parameters() if id(p) not in ours]


class GlowFitter:
    batch, average = 64, 0.999
    kernels, rest = 4e-3, 3e-3  # highest rates: of the coupling networks' kernels, and of everything else

    def __init__(self, world: World, device: str) -> None:
        size = SIZES.get(world.name, {"levels": 3, "steps": 8, "hidden": 256})
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape, **size}
        self.network = Glow(**self.arguments)
        self.network.use_fast(gains_from_bf16(torch.device(device).type))
        self.modules = nn.ModuleDict({"network": self.network})
        kernels, rest = parted(self.network)
        self.optimisers = {
            "muon": Muon(kernels, self.kernels),
            "adam": torch.optim.Adam(rest, self.rest, betas=(0.9, 0.99)),
        }
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
        self.network.zero_grad(set_to_none=True)
        bits.backward()
        parallel.reduce(self.network.parameters())
        length = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for name, peak in (("muon", self.kernels), ("adam", self.rest)):
            set_rate(self.optimisers[name], peak, progress)
            self.optimisers[name].step()
        return {"bits/dim": bits.item(), "gradient": length.item()}

    def finish(self, network: nn.Module, world: World) -> None:
        assert isinstance(network, Glow)
        network.use_fast(False)
