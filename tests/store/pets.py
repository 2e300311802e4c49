"""A small untrained classifier of pets, and the card that it is saved with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentlab.models import Card, SmallResNet

CLASSES = ("cat", "dog", "emu")
SHAPE = (3, 16, 16)
CARD = Card("resnet", {"image_shape": SHAPE, "classes": CLASSES, "widths": [4, 4, 4]}, SHAPE, "pets", CLASSES)

WeightEdit = Callable[[dict[str, Tensor]], object]  # changes the tensors of a file


def make_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SmallResNet(**CARD.arguments).eval()
