"""The control of every move: noise on the pixels, as far from each image as the move took it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.chance import draw_normal
from latentlab.operators import measure_distance
from latentlab.transfer import send_to_device
from latentlab.types import Images

HALVINGS = 24  # of the scale of the noise; clamping at black and white makes it a search


def add_noise_at_distance(images: Images, distances: Float[Tensor, " B"], rng: torch.Generator) -> Images:
    """Return each image with Gaussian noise, clamped, at its l2 distance; where that is too far, at the farthest."""
    noise = send_to_device(draw_normal(images.shape, rng), images.device)
    low, high = torch.zeros_like(distances), torch.full_like(distances, 2.0)
    scale = distances / measure_distance(noise, torch.zeros_like(noise)).clamp_min(1e-12)
    high = torch.maximum(4 * scale, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        short = measure_distance(_add_noise(images, noise, middle), images) < distances
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return _add_noise(images, noise, torch.where(distances > 0, high, distances))


def _add_noise(images: Images, noise: Images, scale: Float[Tensor, " B"]) -> Images:
    return (images + scale[:, None, None, None] * noise).clamp(0, 1)
