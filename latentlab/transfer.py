"""This module takes tensors from the host to the device that computes."""

from __future__ import annotations

import torch
from torch import Tensor


def send_to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return the tensor on the device; an accelerator takes it from page-locked memory, so that the host need not wait
    for the copy.
    """
    if torch.device(device).type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
