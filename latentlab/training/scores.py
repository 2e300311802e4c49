"""The figures of a card, measured on the test images: what a fit writes and `latentlab evaluate` checks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models import MMDVAE, Glow, SpatialStyleGAN2, SpatialVAE, StyleGAN2
from latentlab.training import distributed
from latentlab.training.distributed import SINGLE_PROCESS, ProcessPlace
from latentlab.training.temperature import measure_calibration_error
from latentlab.types import Images, Nats

Generator = StyleGAN2 | SpatialStyleGAN2


def score_flow(network: Glow, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    """Rate at most 10,000 dequantised test images (uniform noise) in bits a dimension; the worst round trip of 1000."""
    return {
        "bits/dim": measure_bits(network, world, 10_000, place).mean().item(),
        "round trip": measure_round_trip(network, world, 1000, place).max().item(),
    }


def score_autoencoder(
    network: MMDVAE | SpatialVAE, world: Dataset, place: ProcessPlace = SINGLE_PROCESS
) -> dict[str, float]:
    return {"PSNR": measure_rebuilding(network, world, 1000, place).mean().item()}


def score_generator(network: Generator, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    """Rate what the encoder rebuilds of 256 test images; what optimisation makes of 32, since its steps take long."""
    return {
        "PSNR": measure_rebuilding(network, world, 256, place).mean().item(),
        "PSNR after 100 steps": measure_refinement(network, world, 32, place).mean().item(),
    }


def score_classifier(network: nn.Module, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    classes = (len(world.classes),)
    logits = measure_images(lambda images, rng: network(images), network, world, len(world.test), place, width=classes)
    labels = world.test.labels
    calibration = {"calibration error": measure_calibration_error(logits, labels)}
    if not world.multilabel:
        return {"accuracy": (logits.argmax(1) == labels).float().mean().item()} | calibration
    balanced = compute_balanced_accuracy(logits > 0, labels)
    scores = {"balanced accuracy": balanced.mean().item(), "accuracy": ((logits > 0) == labels).float().mean().item()}
    scores |= calibration
    if "Smiling" in world.classes:
        scores["balanced accuracy Smiling"] = balanced[world.classes.index("Smiling")].item()
    return scores


@torch.no_grad()
def measure_images(
    measure: Callable[[Images, torch.Generator], Tensor],
    network: nn.Module,
    world: Dataset,
    most: int,
    place: ProcessPlace,
    size: int = 100,
    width: tuple[int, ...] = (),
) -> Tensor:
    """Return a value of each of the first test images.

    Every few have chance of their own, whichever process measures them.
    """
    device = next(network.parameters()).device

    def measure_few(rows: Tensor) -> Tensor:
        return measure(world.test.take_batch(rows)[0].to(device), chance.make_generator(int(rows[0])))

    return distributed.measure_rows(measure_few, min(most, len(world.test)), place, size, width)


def measure_bits(network: Glow, world: Dataset, most: int, place: ProcessPlace = SINGLE_PROCESS) -> Tensor:
    return measure_images(lambda images, rng: compute_bits_per_dim(network, images, rng), network, world, most, place)


def measure_round_trip(network: Glow, world: Dataset, most: int, place: ProcessPlace = SINGLE_PROCESS) -> Tensor:
    """Return the largest error of a value of each image."""

    def measure_error(images: Images, rng: torch.Generator) -> Tensor:
        return (network.decode(network.encode(images)) - images).abs().flatten(1).amax(1)

    return measure_images(measure_error, network, world, most, place)


def measure_rebuilding(
    network: MMDVAE | SpatialVAE | Generator, world: Dataset, most: int, place: ProcessPlace = SINGLE_PROCESS
) -> Tensor:
    """Return the PSNR of each image and what its latents give back."""

    def rate_rebuilt(images: Images, rng: torch.Generator) -> Tensor:
        return compute_image_psnr(network.decode(network.encode(images)).clamp(0, 1), images)

    return measure_images(rate_rebuilt, network, world, most, place)


def measure_refinement(network: Generator, world: Dataset, most: int, place: ProcessPlace = SINGLE_PROCESS) -> Tensor:
    """Return the same after 100 steps of optimisation; few at a time, or there is nothing to share out."""

    def rate_refined(images: Images, rng: torch.Generator) -> Tensor:
        return compute_image_psnr(network.decode(network.refine(images, network.encode(images), 100)), images)

    return measure_images(rate_refined, network, world, most, place, size=8)


def compute_bits_per_dim(network: Glow, images: Images, rng: torch.Generator) -> Nats:
    return -network.log_prob(images, rng) / (math.prod(network.image_shape) * math.log(2))


def compute_image_psnr(rebuilt: Images, images: Images) -> Tensor:
    """Return the peak signal-to-noise ratio of each image, in dB."""
    return -10 * torch.log10((rebuilt - images).square().flatten(1).mean(1))


def compute_balanced_accuracy(predicted: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of the two recalls of each column."""
    positive = labels == 1
    sensitivity = (predicted & positive).sum(0) / positive.sum(0).clamp(1)
    specificity = (~predicted & ~positive).sum(0) / (~positive).sum(0).clamp(1)
    return (sensitivity + specificity) / 2
