"""Optimisation-based inversion of a style-based generator, as AdvMix needs it (Gowal et al. 2020, section 3).

The code must rebuild the image, and must still be swappable: mixed with a drawn code it has to give an image that
resembles this one, so it may not leave the range of the mapping.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from latentlab import chance
from latentlab.types import Images

if TYPE_CHECKING:
    from latentlab.models.stylegan2.generator import StyleCodes, StyleGAN2

INVERSION_RATE = 0.05  # Adam's, in prior standard deviations
FEATURE_COST, MIXING_COST, PRIOR_COST = 0.1, 0.02, 1e-4  # weights beside the pixels' mean square


def invert_images(model: StyleGAN2, images: Images, white: StyleCodes, steps: int) -> Iterator[StyleCodes]:
    """Run Adam on pixels, features, mixing and prior, and give a code a step; same bits for the same input, each image
    alone.
    """
    rng = chance.make_generator(0)
    code = white.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([code], lr=INVERSION_RATE, betas=(0.9, 0.99))
    target = [feature.detach() for feature in _describe_images(model, images)]
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = INVERSION_RATE * _schedule_rate(step / steps)
        partner = model.join_parts(model.sample(1, rng)).expand_as(code)
        cut = int(torch.randint(1, model.layers, (1,), generator=rng))
        with torch.enable_grad():
            loss = _compute_loss(model, images, target, code, partner, cut)
            (code.grad,) = torch.autograd.grad(loss, code)
        optimiser.step()
        yield code.detach().clone()


def _schedule_rate(progress: float) -> float:
    """Return the step size's course: up within the first twentieth, down along a cosine in the last quarter."""
    return min(1.0, 0.2 + progress / 0.05) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - progress) / 0.25)))


def _compute_loss(
    model: StyleGAN2, images: Images, target: list[Tensor], code: Tensor, partner: Tensor, cut: int
) -> Float[Tensor, ""]:
    """Return the sum over the images, so that no image's step depends on its neighbours."""
    mixed = torch.cat([code[:, :cut], partner[:, cut:]], 1)
    rebuilt, swapped = model.synthesise_images(model.colour_codes(torch.cat([code, mixed]))).chunk(2)
    close = _compare_features(_describe_images(model, rebuilt), target)
    alike = _compare_features(_describe_images(model, swapped)[-2:], target[-2:]) * (cut / model.layers)
    pull = code.square().mean((1, 2))
    pixels = (rebuilt - images).square().mean((1, 2, 3))
    return (pixels + FEATURE_COST * close + MIXING_COST * alike + PRIOR_COST * pull).sum()


def _describe_images(model: StyleGAN2, images: Tensor) -> list[Tensor]:
    """Describe images ever more coarsely: by the encoder's features, or averaged pixels where there is no encoder."""
    if model.encoder is None:
        return [F.avg_pool2d(images, 2**level) for level in range(1, 4)]
    return model.encoder.trunk(images)


def _compare_features(features: list[Tensor], target: list[Tensor]) -> Float[Tensor, " B"]:
    """Return the mean square per scale, relative to the target's own size."""
    terms = [
        (a.float() - b.float()).square().mean((1, 2, 3)) / b.float().square().mean((1, 2, 3)).clamp_min(1e-4)
        for a, b in zip(features, target, strict=True)
    ]
    return torch.stack(terms).mean(0)
