"""Learning rates and the standard augmentation of fits."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch.optim import Optimizer

from latentlab import chance
from latentlab.types import Images


def set_rate(optimiser: Optimizer, peak: float, progress: float, warmup: float = 0.05) -> None:
    for group in optimiser.param_groups:
        group["lr"] = peak * schedule_cosine(progress, warmup)


def schedule_cosine(progress: float, warmup: float) -> float:
    """Return the share of the highest rate: linear warm-up, then half a cosine down to a hundredth."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def flip_randomly(images: Images, rng: torch.Generator) -> Images:
    """Mirror each image left to right with probability one half."""
    mirrored = (chance.draw_uniform((len(images), 1, 1, 1), rng) < 0.5).to(images.device)
    return torch.where(mirrored, images.flip(3), images)


def crop_randomly(images: Images, margin: int, rng: torch.Generator) -> Images:
    """Move each image by up to `margin` pixels each way, the border reflected."""
    size = images.shape[2]
    padded = F.pad(images, [margin] * 4, mode="reflect")
    corners = torch.randint(2 * margin + 1, (len(images), 2), generator=rng)
    moved = [image[:, y : y + size, x : x + size] for image, (y, x) in zip(padded, corners.tolist(), strict=True)]
    return torch.stack(moved).contiguous(memory_format=torch.channels_last)


def turn_randomly(images: Images, degrees: float, zoom: float, rng: torch.Generator) -> Images:
    """Turn each image by up to `degrees` and scale it by up to the share `zoom`, the border reflected."""
    angle, share = (2 * chance.draw_uniform((2, len(images)), rng) - 1).to(images.device)
    angle, scale = angle * math.radians(degrees), 1 + zoom * share
    cos, sin, none = scale * angle.cos(), scale * angle.sin(), torch.zeros_like(angle)
    maps = torch.stack([cos, -sin, none, sin, cos, none], 1).view(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
