"""An MMD-VAE learns by reconstruction and maximum mean discrepancy."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.image_sizes import count_halvings
from latentlab.models.precision import autocast_bf16
from latentlab.models.vae import MMDVAE, measure_mmd
from latentlab.training import distributed
from latentlab.training.schedule import flip_randomly, set_rate
from latentlab.types import Images

VAE_SIZES: dict[str, dict[str, Any]] = {
    "digits": {"code": 32, "width": 32, "depth": 2},
    "cifar10": {"code": 256, "width": 96, "depth": 2},
    "faces": {"code": 192, "width": 64, "depth": 3},
}
DISCREPANCY_WEIGHT = 1.0  # of the discrepancy against the mean squared error of a pixel (Zhao et al.'s code)


class VAEFitter:
    batch, average = 64, 0.999
    peak = 1e-3

    def __init__(self, world: Dataset, device: str) -> None:
        sizes = VAE_SIZES.get(world.name, VAE_SIZES["faces"])
        depth = min(sizes["depth"], max(1, count_halvings(world.image_shape) - 1))
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape, **sizes, "depth": depth}
        self.network = MMDVAE(**self.arguments)
        self.modules = nn.ModuleDict({"network": self.network})
        self.optimisers = {"adam": torch.optim.AdamW(self.network.parameters(), self.peak, weight_decay=1e-4)}
        self.mirrored = world.allows_mirroring

    def begin(self, images: Images) -> None:
        pass

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        if self.mirrored:
            images = flip_randomly(images, rng)
        with autocast_bf16(images.device.type):
            raw = self.network.encode_raw(images)
            rebuilt = self.network.decode_raw(raw)
        error = F.mse_loss(rebuilt, images)
        discrepancy = measure_mmd(raw, chance.draw_normal((200, raw.shape[1]), rng).to(raw))
        adam = self.optimisers["adam"]
        adam.zero_grad(set_to_none=True)
        (error + DISCREPANCY_WEIGHT * discrepancy).backward()
        distributed.average_gradients(self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        set_rate(adam, self.peak, progress)
        adam.step()
        return {"error": error.item(), "mmd": discrepancy.item()}

    def finish(self, network: nn.Module, world: Dataset) -> None:
        assert isinstance(network, MMDVAE)
        rows = chance.draw_permutation(len(world.train), chance.make_generator(1))[:5000]
        device = network.mean.device
        network.set_whitening(
            torch.cat([network.encode_raw(world.train.take_batch(r)[0].to(device)) for r in rows.split(200)])
        )
