"""This module makes torch what it is by default, whatever the caller's program has set for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def use_plain_modes() -> Iterator[None]:
    """Compute in float32, make tensors on the CPU, and outside of inference mode, whose tensors have no gradients."""
    before = torch.get_default_dtype()
    if before != torch.float32:
        torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), torch.inference_mode(False):
            yield
    finally:
        if before != torch.float32:
            torch.set_default_dtype(before)


def copy_inference_tensor(tensor: Tensor) -> Tensor:
    """Return a tensor that gradients may go through: a copy of one that was made in inference mode, else itself."""
    return tensor.clone() if tensor.is_inference() and not torch.is_inference_mode_enabled() else tensor
