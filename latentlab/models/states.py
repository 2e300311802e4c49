"""Pixels as the state of a flow, and the way back."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.types import Images

State = Float[Tensor, "B H W C"]
Squeezed = Float[Tensor, "B h w D"]  # half the size, four times the channels

MARGIN = 0.05  # of the logit transform; keeps black and white finite (Dinh et al. 2017, arXiv 1605.08803)
LEVELS = 256  # grey levels of the images whose density is modelled


def squeeze(x: State) -> Squeezed:
    """Each 2×2 block of pixels becomes one pixel of four times the channels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 5, 2, 4).reshape(b, h // 2, w // 2, 4 * c)


def unsqueeze(x: Squeezed) -> State:
    b, h, w, c = x.shape
    return x.reshape(b, h, w, c // 4, 2, 2).permute(0, 1, 4, 2, 5, 3).reshape(b, 2 * h, 2 * w, c // 4)


def spread(images: Images, noise: float | Tensor) -> Images:
    """[0, 1] with 256 grey levels to the open unit interval."""
    return (images * (LEVELS - 1) + noise) / LEVELS


def logit(y: Images) -> State:
    inside = (1 - 2 * MARGIN) * y + MARGIN
    return torch.log(inside / (1 - inside)).permute(0, 2, 3, 1)


def unlogit(x: State) -> Images:
    """The way back from `logit` and `spread`, to the middle of each grey level."""
    y = (torch.sigmoid(x.permute(0, 3, 1, 2)) - MARGIN) / (1 - 2 * MARGIN)
    return (y * LEVELS - 0.5) / (LEVELS - 1)
