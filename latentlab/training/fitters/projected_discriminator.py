"""A second discriminator with the eye of a classifier (projected GAN, Sauer et al. 2021, arXiv 2111.01007).

The classifier stays as it is; on its features of each resolution a small head learns to tell real from generated. A
young discriminator of pixels sees grain before it sees things, and this one sees things from the first step.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.models import ResNet18, SmallResNet, checkpoint, load_network
from latentlab.models.classifiers.inference import fold_batch_norms
from latentlab.models.modules import use_channels_last
from latentlab.types import Images

HEAD_CHANNELS = 64
PatchLogits = Float[Tensor, "B P"]  # a logit for each place of each resolution


class ProjectedDiscriminator(nn.Module):
    """Heads on the maps of a frozen classifier, which is no part of the state: it does not learn."""

    def __init__(self, classifier: ResNet18 | SmallResNet) -> None:
        super().__init__()
        self._classifier = (use_channels_last(classifier.eval().requires_grad_(False)),)
        with torch.no_grad():
            widths = [len(m[0]) for m in self.extract_maps(classifier.mean.new_zeros(1, *classifier.image_shape))]
        self.heads = nn.ModuleList(build_head(width) for width in widths)

    def extract_maps(self, images: Images) -> list[Tensor]:
        (classifier,) = self._classifier
        return classifier.extract_maps(images)

    def fold_classifier(self) -> ResNet18 | SmallResNet:
        """Return a copy of the classifier, its batch norms in the convolutions before them."""
        bare = fold_batch_norms(self._classifier[0])
        assert isinstance(bare, ResNet18 | SmallResNet)
        return use_channels_last(bare)

    def judge_maps(self, maps: list[Tensor]) -> PatchLogits:
        logits = [head(seen).flatten(1) for head, seen in zip(self.heads, maps, strict=True)]
        return torch.cat(logits, 1).float()


def build_head(width: int) -> nn.Sequential:
    """Build a head that is Lipschitz by the spectral norm of its convolutions, so that no penalty is needed."""
    first, last = nn.Conv2d(width, HEAD_CHANNELS, 3, padding=1), nn.Conv2d(HEAD_CHANNELS, 1, 1)
    return nn.Sequential(spectral_norm(first), nn.LeakyReLU(0.2), spectral_norm(last))


def load_eye(path: Path, world: Dataset, device: str) -> ProjectedDiscriminator:
    card = checkpoint.read_card(path)
    if card.kind not in ("resnet18", "resnet") or card.image_shape != world.image_shape:
        shape = "×".join(map(str, world.image_shape))
        raise UserError(f"{path.name} cannot be the eye of this fit; give a resnet or resnet18 for images of {shape}.")
    network = load_network(path, device)[1]
    assert isinstance(network, ResNet18 | SmallResNet)
    return ProjectedDiscriminator(network).to(device)


def compute_realness_loss(logits: Tensor) -> Tensor:
    """Return what a generator wants of generated images, and a discriminator of real ones: softplus(−logit).

    The mean is over each image's places, then over images.
    """
    return F.softplus(-logits).mean()
