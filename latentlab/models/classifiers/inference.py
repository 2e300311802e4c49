"""A classifier for attacks and augmentation: batch norms in the convolutions before them, the rest in bf16."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from latentlab.models.classifiers.resnet import LabelledClassifier
from latentlab.models.modules import use_channels_last
from latentlab.types import Images, ImageShape, Logits


class FoldedClassifier(nn.Module):
    """A frozen classifier in eval mode; its gradient points where the classifier's does, to within an angle; made again
    for new weights. Under autocast, weights of bf16 are not converted at each call.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        assert isinstance(network, LabelledClassifier)
        self.image_shape: ImageShape = network.image_shape
        self.classes, self.dtype = tuple(network.classes), dtype
        self.network = use_channels_last(fold_batch_norms(network))
        for layer in self.network.modules():
            if type(layer) in (nn.Conv2d, nn.Linear):
                layer.to(dtype)

    def forward(self, images: Images) -> Logits:
        halved = self.dtype != torch.float32
        with torch.autocast(images.device.type, self.dtype if halved else None, enabled=halved):
            return self.network(images).float()


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Return a frozen copy in which a batch norm right behind a convolution has gone into its weight and bias."""
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    for block in [layer for layer in copied.modules() if isinstance(layer, nn.Sequential)]:
        for (place, conv), (behind, norm) in pairwise(list(block.named_children())):
            if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d:
                block.register_module(place, fuse_conv_bn_eval(conv, norm))
                block.register_module(behind, nn.Identity())
    return copied
