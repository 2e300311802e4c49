"""Pixels as the state of a flow, and the way back."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.types import Images

FlowState = Float[Tensor, "B H W C"]
SqueezedState = Float[Tensor, "B h w D"]  # half the size, four times the channels

LOGIT_MARGIN = 0.05  # of the logit transform; keeps black and white finite (Dinh et al. 2017, arXiv 1605.08803)
GREY_LEVELS = 256  # grey levels of the images whose density is modelled


def squeeze_pixels(x: FlowState) -> SqueezedState:
    """Make each 2×2 block of pixels one pixel of four times the channels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 5, 2, 4).reshape(b, h // 2, w // 2, 4 * c)


def unsqueeze_pixels(x: SqueezedState) -> FlowState:
    b, h, w, c = x.shape
    return x.reshape(b, h, w, c // 4, 2, 2).permute(0, 1, 4, 2, 5, 3).reshape(b, 2 * h, 2 * w, c // 4)


def spread_levels(images: Images, noise: float | Tensor) -> Images:
    """Take [0, 1] with 256 grey levels to the open unit interval."""
    return (images * (GREY_LEVELS - 1) + noise) / GREY_LEVELS


def apply_logit(y: Images) -> FlowState:
    inside = (1 - 2 * LOGIT_MARGIN) * y + LOGIT_MARGIN
    return torch.log(inside / (1 - inside)).permute(0, 2, 3, 1)


def invert_logit(x: FlowState) -> Images:
    """Go the way back from `apply_logit` and `spread_levels`, to the middle of each grey level."""
    y = (torch.sigmoid(x.permute(0, 3, 1, 2)) - LOGIT_MARGIN) / (1 - 2 * LOGIT_MARGIN)
    return (y * GREY_LEVELS - 0.5) / (GREY_LEVELS - 1)
