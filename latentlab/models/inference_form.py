"""This module alone decides which networks have a fast form, and in which precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from latentlab.models.classifiers.inference import FoldedClassifier
from latentlab.models.classifiers.resnet import LabelledClassifier
from latentlab.models.glow.flow import Glow
from latentlab.models.glow.inference import FoldedGlow
from latentlab.models.precision import gains_from_bf16
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.inference import fold_stylegan2
from latentlab.models.stylegan2.spatial import SpatialStyleGAN2
from latentlab.types import LatentModel


@torch.no_grad()
def make_fast_form(network: Any) -> Any:
    """Fold the constants of a Glow, a StyleGAN2 or a classifier, in bf16 where the device gains from that; return any
    other network as it is. The fast form is frozen; it is to be made again for new weights.
    """
    if not isinstance(network, nn.Module) or not (weights := list(network.parameters())):
        return network
    dtype = torch.bfloat16 if gains_from_bf16(weights[0].device.type) else torch.float32
    if isinstance(network, Glow):
        return FoldedGlow(network, dtype).to(weights[0].device).eval().requires_grad_(False)
    if isinstance(network, StyleGAN2 | SpatialStyleGAN2):
        return fold_stylegan2(network, dtype)
    classifies = isinstance(network, LabelledClassifier) and not isinstance(network, LatentModel)
    return FoldedClassifier(network, dtype) if classifies else network
