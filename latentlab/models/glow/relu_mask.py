"""A mask says what a ReLU let through, one bit an entry: all that its gradient needs to know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from latentlab.models.glow.squeeze import FlowState

PackedMask = UInt8[Tensor, " bytes"]
GATHER_FACTOR = 0x0102040810204080  # times eight bytes that are 0 or 1: their bits in the highest byte
ALL_BYTES = torch.arange(256, dtype=torch.uint8)[:, None]
SPREAD_BITS = (ALL_BYTES >> torch.arange(8, dtype=torch.uint8) & 1).view(torch.int64)[
    :, 0
]  # a byte's bits as eight bytes


def count_mask_bytes(entries: int) -> int:
    """Return how many bytes hold a bit for each of so many entries."""
    return -(-entries // 8)


def pack_relu_mask(x: FlowState) -> PackedMask:
    """Say which entries of what comes from a ReLU are not zero."""
    flags = x.to(torch.bool).flatten()
    return (F.pad(flags, (0, -len(flags) % 8)).view(torch.int64) * GATHER_FACTOR >> 56).to(torch.uint8)


def mask_gradient(gradient: FlowState, bits: PackedMask) -> FlowState:
    """Return the gradient before the ReLU, from the one behind it."""
    flags = SPREAD_BITS.to(bits.device).take(bits.long()).view(torch.uint8)[: gradient.numel()]
    return gradient * flags.view(gradient.shape)
