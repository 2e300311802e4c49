"""The figures of a card, measured on the test images: what a fit writes and `latentlab evaluate` checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.data import World
from latentlab.models import MMDVAE, Glow, StyleGAN2
from latentlab.types import Images, Nats


@torch.no_grad()
def flow(network: Glow, world: World) -> dict[str, float]:
    """Bits a dimension of at most 10,000 test images, dequantised by uniform noise; the worst round trip of 1000."""
    rng, count = chance.seeded(0), min(len(world.test), 10_000)
    total = worst = 0.0
    for place, images in enumerate(batches(network, world, count)):
        total += bits_per_dim(network, images, rng).sum().item()
        if place < 10:
            worst = max(worst, (network.decode(network.encode(images)) - images).abs().max().item())
    return {"bits/dim": total / count, "round trip": worst}


@torch.no_grad()
def autoencoder(network: MMDVAE, world: World) -> dict[str, float]:
    ratios = [
        psnr(network.decode(network.encode(images)).clamp(0, 1), images) for images in batches(network, world, 1000)
    ]
    return {"PSNR": torch.cat(ratios).mean().item()}


@torch.no_grad()
def generator(network: StyleGAN2, world: World) -> dict[str, float]:
    """What the encoder rebuilds of 256 test images; what optimisation makes of 32, since its steps take long."""
    (images,) = batches(network, world, 256, size=256)
    latents, few = network.encode(images), slice(0, 32)
    refined = network.refine(images[few], latents[few], 100)
    return {
        "PSNR": psnr(network.decode(latents), images).mean().item(),
        "PSNR after 100 steps": psnr(network.decode(refined), images[few]).mean().item(),
    }


@torch.no_grad()
def classifier(network: nn.Module, world: World) -> dict[str, float]:
    logits = torch.cat([network(images).cpu() for images in batches(network, world, len(world.test))])
    labels = world.test.labels
    if not world.multilabel:
        return {"accuracy": (logits.argmax(1) == labels).float().mean().item()}
    balanced = balanced_accuracy(logits > 0, labels)
    scores = {"balanced accuracy": balanced.mean().item(), "accuracy": ((logits > 0) == labels).float().mean().item()}
    if "Smiling" in world.classes:
        scores["balanced accuracy Smiling"] = balanced[world.classes.index("Smiling")].item()
    return scores


SCORES: dict[str, Callable[[Any, World], dict[str, float]]] = {
    "glow": flow,
    "vae": autoencoder,
    "stylegan2": generator,
    "resnet18": classifier,
    "resnet": classifier,
    "airbench": classifier,
}


def batches(network: nn.Module, world: World, count: int, size: int = 100) -> Iterator[Images]:
    """The first `count` test images, where the network is."""
    device, end = next(network.parameters()).device, min(count, len(world.test))
    for first in range(0, end, size):
        yield world.test.batch(slice(first, min(first + size, end)))[0].to(device)


def bits_per_dim(network: Glow, images: Images, rng: torch.Generator) -> Nats:
    return -network.log_prob(images, rng) / (math.prod(network.image_shape) * math.log(2))


def psnr(rebuilt: Images, images: Images) -> Tensor:
    """Peak signal-to-noise ratio of each image, in dB."""
    return -10 * torch.log10((rebuilt - images).square().flatten(1).mean(1))


def balanced_accuracy(predicted: Tensor, labels: Tensor) -> Tensor:
    """Mean of the two recalls of each column."""
    positive = labels == 1
    sensitivity = (predicted & positive).sum(0) / positive.sum(0).clamp(1)
    specificity = (~predicted & ~positive).sum(0) / (~positive).sum(0).clamp(1)
    return (sensitivity + specificity) / 2
