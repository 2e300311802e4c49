"""Differentiable augmentation of what a discriminator sees (Zhao et al. 2020), adaptive (Karras et al. 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab import chance
from latentlab.types import Images

OVERFITTING_SIGN = 0.6  # the mean sign of the logits of real images above which the discriminator is overfitting
RAMP_IMAGES = 100_000  # images in which the probability would go from 0 to 1
HIGHEST_PROBABILITY = 0.8  # above it augmentations leak into the samples
GREY_LEVEL = 0.5


class DiffAugment(nn.Module):
    """Colour, translation and cutout, each with probability `p` for each image; `p` follows the overfitting."""

    p: Tensor

    def __init__(self, colour: bool = True) -> None:
        super().__init__()
        self.colour = colour
        self.register_buffer("p", torch.tensor(0.0))

    def forward(self, images: Images, rng: torch.Generator) -> Images:
        if self.p == 0:
            return images
        if self.colour:
            images = recolour_images(images, self._choose_images(images, rng), rng)
        images = translate_images(images, self._choose_images(images, rng), rng)
        return cut_out_square(images, self._choose_images(images, rng), rng)

    @torch.no_grad()
    def adapt_probability(self, real_logits: Tensor) -> None:
        """Raise the probability while the discriminator overfits on real images, else lower it."""
        step = (real_logits.sign().mean() - OVERFITTING_SIGN).sign() * len(real_logits) / RAMP_IMAGES
        self.p.add_(step).clamp_(0, HIGHEST_PROBABILITY)

    def _choose_images(self, images: Images, rng: torch.Generator) -> Tensor:
        """Return 1 for the images that are changed, 0 for the others: B 1 1 1."""
        return (_draw_uniform(images, rng) < self.p).to(images.dtype)


def recolour_images(images: Images, chosen: Tensor, rng: torch.Generator) -> Images:
    """Change the brightness by ±0.25, the saturation by 0 to 2, the contrast by 0.5 to 1.5."""
    images = images + chosen * (_draw_uniform(images, rng) - 0.5) * 0.5
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + chosen * (2 * _draw_uniform(images, rng) - 1))
    level = images.mean((1, 2, 3), keepdim=True)
    return level + (images - level) * (1 + chosen * (_draw_uniform(images, rng) - 0.5))


def translate_images(images: Images, chosen: Tensor, rng: torch.Generator) -> Images:
    """Move the images by up to an eighth of the size each way; grey comes in."""
    size = images.shape[2]
    margin = size // 8
    padded = F.pad(images, [margin] * 4, value=GREY_LEVEL)
    moves = torch.randint(-margin, margin + 1, (len(images), 2), generator=rng).to(images.device)
    corners = (margin + moves * chosen.flatten(1).long()).tolist()
    cut = [image[:, y : y + size, x : x + size] for image, (y, x) in zip(padded, corners, strict=True)]
    return torch.stack(cut).contiguous(memory_format=torch.channels_last)


def cut_out_square(images: Images, chosen: Tensor, rng: torch.Generator) -> Images:
    """Cover a square of half the size with grey, its centre anywhere."""
    size = images.shape[2]
    place = torch.arange(size, device=images.device)
    inside_y = (place[:, None] - _draw_uniform(images, rng) * size).abs() < size / 4
    inside_x = (place - _draw_uniform(images, rng) * size).abs() < size / 4
    hole = (inside_y & inside_x) * chosen
    return images * (1 - hole) + GREY_LEVEL * hole


def _draw_uniform(images: Images, rng: torch.Generator) -> Tensor:
    return chance.draw_uniform((len(images), 1, 1, 1), rng).to(images.device)
