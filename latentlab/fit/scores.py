"""The figures of a card, measured on the test images: what a fit writes and `latentlab evaluate` checks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.data import World
from latentlab.fit import parallel
from latentlab.fit.parallel import ALONE, Place
from latentlab.models import MMDVAE, Glow, StyleGAN2
from latentlab.types import Images, Nats


def flow(network: Glow, world: World, place: Place = ALONE) -> dict[str, float]:
    """Bits a dimension of at most 10,000 test images, dequantised by uniform noise; the worst round trip of 1000."""
    return {
        "bits/dim": bits(network, world, 10_000, place).mean().item(),
        "round trip": round_trip(network, world, 1000, place).max().item(),
    }


def autoencoder(network: MMDVAE, world: World, place: Place = ALONE) -> dict[str, float]:
    return {"PSNR": rebuilt(network, world, 1000, place).mean().item()}


def generator(network: StyleGAN2, world: World, place: Place = ALONE) -> dict[str, float]:
    """What the encoder rebuilds of 256 test images; what optimisation makes of 32, since its steps take long."""
    return {
        "PSNR": rebuilt(network, world, 256, place).mean().item(),
        "PSNR after 100 steps": refined(network, world, 32, place).mean().item(),
    }


def classifier(network: nn.Module, world: World, place: Place = ALONE) -> dict[str, float]:
    classes = (len(world.classes),)
    logits = each(lambda images, rng: network(images), network, world, len(world.test), place, width=classes)
    labels = world.test.labels
    if not world.multilabel:
        return {"accuracy": (logits.argmax(1) == labels).float().mean().item()}
    balanced = balanced_accuracy(logits > 0, labels)
    scores = {"balanced accuracy": balanced.mean().item(), "accuracy": ((logits > 0) == labels).float().mean().item()}
    if "Smiling" in world.classes:
        scores["balanced accuracy Smiling"] = balanced[world.classes.index("Smiling")].item()
    return scores


SCORES: dict[str, Callable[..., dict[str, float]]] = {  # of a network, its world, and a place among processes
    "glow": flow,
    "vae": autoencoder,
    "stylegan2": generator,
    "resnet18": classifier,
    "resnet": classifier,
    "airbench": classifier,
}


@torch.no_grad()
def each(
    measure: Callable[[Images, torch.Generator], Tensor],
    network: nn.Module,
    world: World,
    most: int,
    place: Place,
    size: int = 100,
    width: tuple[int, ...] = (),
) -> Tensor:
    """A value of each of the first test images; every few have chance of their own, whichever process measures them."""
    device = next(network.parameters()).device

    def few(rows: Tensor) -> Tensor:
        return measure(world.test.batch(rows)[0].to(device), chance.seeded(int(rows[0])))

    return parallel.deal(few, min(most, len(world.test)), place, size, width)


def bits(network: Glow, world: World, most: int, place: Place = ALONE) -> Tensor:
    return each(lambda images, rng: bits_per_dim(network, images, rng), network, world, most, place)


def round_trip(network: Glow, world: World, most: int, place: Place = ALONE) -> Tensor:
    """The largest error of a value of each image."""

    def error(images: Images, rng: torch.Generator) -> Tensor:
        return (network.decode(network.encode(images)) - images).abs().flatten(1).amax(1)

    return each(error, network, world, most, place)


def rebuilt(network: MMDVAE | StyleGAN2, world: World, most: int, place: Place = ALONE) -> Tensor:
    """PSNR of each image and what its latents give back."""

    def ratio(images: Images, rng: torch.Generator) -> Tensor:
        return psnr(network.decode(network.encode(images)).clamp(0, 1), images)

    return each(ratio, network, world, most, place)


def refined(network: StyleGAN2, world: World, most: int, place: Place = ALONE) -> Tensor:
    """The same after 100 steps of optimisation; few at a time, or there is nothing to share out."""

    def ratio(images: Images, rng: torch.Generator) -> Tensor:
        return psnr(network.decode(network.refine(images, network.encode(images), 100)), images)

    return each(ratio, network, world, most, place, size=8)


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
