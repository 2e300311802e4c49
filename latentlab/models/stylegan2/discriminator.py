"""StyleGAN2's residual discriminator: real or generated, one logit an image. It is used in fits and never shipped."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.stylegan2.encoder import Trunk
from latentlab.models.stylegan2.layers import EqualConv, EqualLinear, Features, apply_leaky_relu
from latentlab.types import Images

DEVIATION_GROUP = 4  # images that share one standard deviation


def measure_batch_deviation(x: Features) -> Float[Tensor, "B 1 H W"]:
    """Measure how much the images of a group differ: their mean standard deviation, as one more channel.

    Karras et al. 2018. The groups are strided through the batch; images that fill no group are compared with the whole
    batch.
    """
    size = DEVIATION_GROUP if len(x) % DEVIATION_GROUP == 0 else len(x)
    groups = x.float().reshape(size, -1, *x.shape[1:])
    deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3), keepdim=True)
    return deviation.repeat(size, 1, *x.shape[2:]).to(x.dtype)


class Discriminator(nn.Module):
    """The discriminator; `channels` go from 4×4 up, as in the generator."""

    def __init__(self, image_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        width = channels[0]
        self.trunk = Trunk(image_channels, channels)
        self.last = EqualConv(width + 1, width, 3)
        self.hidden = EqualLinear(width * 16, width)
        self.out = EqualLinear(width, 1)

    def forward(self, images: Images) -> Float[Tensor, " B"]:
        return self.judge_features(self.trunk(images)[-1])

    def judge_features(self, coarse: Features) -> Float[Tensor, " B"]:
        """Return logits from the trunk's coarsest features."""
        x = self.last(torch.cat([coarse, measure_batch_deviation(coarse)], 1))
        return self.out(apply_leaky_relu(self.hidden(x.flatten(1)))).float()[:, 0]
