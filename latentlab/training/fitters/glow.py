"""A Glow learns by the maximum likelihood of dequantised images."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.glow.flow import Glow
from latentlab.models.glow.layers import Coupling
from latentlab.models.image_sizes import count_halvings
from latentlab.models.precision import gains_from_bf16
from latentlab.training import distributed
from latentlab.training.muon import Muon
from latentlab.training.schedule import flip_randomly, set_rate
from latentlab.training.scores import compute_bits_per_dim
from latentlab.types import Images

GLOW_SIZES: dict[str, dict[str, Any]] = {
    "digits": {"levels": 3, "steps": 4, "hidden": 64},
    "faces": {"levels": 4, "steps": 8, "hidden": 128},
}
STANDARD_IMAGES = 2000  # training images by whose codes the scale of a level is set
GRAIN_DEVIATIONS = {
    "digits": 0.02
}  # deviation of the noise added to drawn images: flat areas would make the flow ill-conditioned


def drown_first_image(images: Images, rng: torch.Generator) -> Images:
    """Drown the first image of the batch in noise, so that the flow stays invertible in practice far from the data."""
    noise = chance.draw_uniform(images[:1].shape, rng)
    noise = noise.round() if chance.draw_uniform((1,), rng) < 0.5 else noise
    drowned = images[:1].lerp(noise.to(images), float(chance.draw_uniform((1,), rng)))
    return torch.cat([drowned, images[1:]])


def separate_kernels(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the kernels of the coupling networks, and the rest.

    Muon teaches the kernels in about 0.6 of the images that Adam needs.
    """
    couplings = [module for module in network.modules() if isinstance(module, Coupling)]
    kernels = [p for coupling in couplings for p in coupling.parameters() if p.ndim == 4]
    ours = set(map(id, kernels))
    return kernels, [p for p in network.parameters() if id(p) not in ours]


class GlowFitter:
    batch, average = 64, 0.999
    kernels, rest = 4e-3, 3e-3  # highest rates: of the coupling networks' kernels, and of everything else

    def __init__(self, world: Dataset, device: str) -> None:
        usual = {"levels": 3, "steps": 8, "hidden": 256} if max(world.image_shape) <= 32 else GLOW_SIZES["faces"]
        size = GLOW_SIZES.get(world.name, usual)
        levels = min(size["levels"], max(2, count_halvings(world.image_shape)))
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape, **size, "levels": levels}
        self.network = Glow(**self.arguments)
        self.network.use_fast(gains_from_bf16(torch.device(device).type))
        self.modules = nn.ModuleDict({"network": self.network})
        kernels, rest = separate_kernels(self.network)
        self.optimisers = {
            "muon": Muon(kernels, self.kernels),
            "adam": torch.optim.Adam(rest, self.rest, betas=(0.9, 0.99)),
        }
        self.mirrored = world.allows_mirroring
        self.grain = GRAIN_DEVIATIONS.get(world.name, 0.0)

    def begin(self, images: Images) -> None:
        self.network.initialise_actnorms(images)

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        if self.mirrored:
            images = flip_randomly(images, rng)
        images = drown_first_image(images, rng)
        if self.grain:
            images = (images + self.grain * chance.draw_normal(images.shape, rng).to(images)).clamp(0, 1)
        bits = compute_bits_per_dim(self.network, images, rng).mean()
        self.network.zero_grad(set_to_none=True)
        bits.backward()
        distributed.average_gradients(self.network.parameters())
        length = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for name, peak in (("muon", self.kernels), ("adam", self.rest)):
            set_rate(self.optimisers[name], peak, progress)
            self.optimisers[name].step()
        return {"bits/dim": bits.item(), "gradient": length.item()}

    def finish(self, network: nn.Module, world: Dataset) -> None:
        assert isinstance(network, Glow)
        network.use_fast(False)
        network.standardise(measure_deviations(network, world))


def measure_deviations(network: Glow, world: Dataset) -> dict[str, float]:
    """Measure how far from 0 each part of clean training images' codes is, as a root mean square.

    The grain of the fit leaves them narrower than samples. Of all scales of a level it is the likeliest.
    """
    device = next(network.parameters()).device
    rows = chance.draw_permutation(len(world.train), chance.make_generator(1))[:STANDARD_IMAGES].split(100)
    squares: dict[str, list[Tensor]] = defaultdict(list)
    for few in rows:
        for name, part in network.encode(world.train.take_batch(few)[0].to(device)).parts.items():
            squares[name].append(part.double().square().flatten(1).mean(1))
    return {name: float(torch.cat(means).mean().sqrt()) for name, means in squares.items()}
