"""Codes that give a picture, found by optimisation through any decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from latentlab.types import Flat, Images

SEARCH_RATE = 0.05  # Adam's, in prior standard deviations
PRIOR_COST = 1e-4  # of a coordinate's square, beside the pixels' mean square


def search_codes(decode: Callable[[Flat], Images], images: Images, start: Flat, steps: int) -> Iterator[Flat]:
    """Run Adam from these codes and give those of each step; each image alone, and no weight gets a gradient."""
    code = start.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([code], lr=SEARCH_RATE)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = SEARCH_RATE * min(1.0, 4 * (1 - step / steps))
        with torch.enable_grad():
            far = (decode(code) - images).square().flatten(1).mean(1)
            loss = (far + PRIOR_COST * code.square().mean(1)).sum()
            (code.grad,) = torch.autograd.grad(loss, code)
        optimiser.step()
        yield code.detach().clone()
