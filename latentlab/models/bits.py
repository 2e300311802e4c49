"""What a ReLU let through, one bit an entry: all that its gradient needs to know."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from latentlab.models.states import State

Bits = UInt8[Tensor, " bytes"]
GATHER = 0x0102040810204080  # times eight bytes that are 0 or 1: their bits in the highest byte
BYTE = torch.arange(256, dtype=torch.uint8)[:, None]
SPREAD = (BYTE >> torch.arange(8, dtype=torch.uint8) & 1).view(torch.int64)[:, 0]  # a byte's bits as eight bytes


def size_of(entries: int) -> int:
    """Bytes for so many."""
    return -(-entries // 8)


def passed(x: State) -> Bits:
    """Which entries of what comes from a ReLU are not zero."""
    flags = x.to(torch.bool).flatten()
    return (F.pad(flags, (0, -len(flags) % 8)).view(torch.int64) * GATHER >> 56).to(torch.uint8)


def where_passed(gradient: State, bits: Bits) -> State:
    """The gradient before the ReLU, from the one behind it."""
    flags = SPREAD.to(bits.device).take(bits.long()).view(torch.uint8)[: gradient.numel()]
    return gradient * flags.view(gradient.shape)
