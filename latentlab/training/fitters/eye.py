"""The eye that a classifier lends to a fit: what it sees in rebuilt images, it should see in the originals."""

from __future__ import annotations

from pathlib import Path

from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.models import ResNet18, SmallResNet, checkpoint, load_network
from latentlab.models.classifiers.inference import fold_batch_norms
from latentlab.models.modules import use_channels_last

Eye = ResNet18 | SmallResNet


def load_eye(path: Path, world: Dataset, device: str) -> Eye:
    """Load the classifier, frozen, its batch norms in the convolutions before them."""
    card = checkpoint.read_card(path)
    if card.kind not in ("resnet18", "resnet") or card.image_shape != world.image_shape:
        shape = "×".join(map(str, world.image_shape))
        raise UserError(f"{path.name} cannot be the eye of this fit; give a resnet or resnet18 for images of {shape}.")
    bare = fold_batch_norms(load_network(path, device)[1])
    assert isinstance(bare, Eye)
    return use_channels_last(bare.requires_grad_(False))
