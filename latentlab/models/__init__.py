"""The networks, by the kind that their card names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from latentlab.errors import UserError
from latentlab.models import checkpoint
from latentlab.models.airbench import Airbench
from latentlab.models.checkpoint import DIRECTION, Card, digest, read_card
from latentlab.models.classifiers import Attribute, Normalised, ResNet18, SmallResNet
from latentlab.models.fast import fast_form
from latentlab.models.folded import FoldedGlow
from latentlab.models.folded_classifier import FoldedClassifier
from latentlab.models.glow import Glow
from latentlab.models.modules import channels_last
from latentlab.models.pixels import Pixels
from latentlab.models.stylegan2 import StyleGAN2
from latentlab.models.vae import MMDVAE
from latentlab.types import DirectedModel

__all__ = [
    "MMDVAE",
    "NETWORKS",
    "Airbench",
    "Attribute",
    "Card",
    "FoldedClassifier",
    "FoldedGlow",
    "Glow",
    "Normalised",
    "Pixels",
    "ResNet18",
    "SmallResNet",
    "StyleGAN2",
    "digest",
    "fast_form",
    "load",
    "read_card",
    "save",
]

NETWORKS: dict[str, type[nn.Module]] = {
    "glow": Glow,
    "vae": MMDVAE,
    "stylegan2": StyleGAN2,
    "airbench": Airbench,
    "resnet18": ResNet18,
    "resnet": SmallResNet,
}
LATENT_KINDS = ("glow", "vae", "stylegan2")


def save(path: Path, network: nn.Module, card: Card) -> None:
    """Weights, directions and card in one file."""
    tensors = dict(network.state_dict())
    tensors |= {DIRECTION + name: vector for name, vector in getattr(network, "directions", {}).items()}
    checkpoint.write(path, card, tensors)


def load(path: Path, device: str | torch.device = "cpu") -> tuple[Card, nn.Module]:
    """The card and the network in eval mode, its weights frozen."""
    card, tensors = checkpoint.read(path)
    if card.kind not in NETWORKS:
        raise UserError(f"{path.name} holds a {card.kind!r}; LatentLab knows {', '.join(NETWORKS)}.")
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(DIRECTION)}
    try:
        network = NETWORKS[card.kind](**card.arguments)
        network.load_state_dict(weights)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(f"{path.name} does not fit its card ({str(error).splitlines()[0]}); fit it again.") from error
    if bad := [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]:
        raise UserError(f"{path.name} holds values that are not finite, in {bad[0]}; fit it again.")
    if isinstance(network, DirectedModel):
        network.directions = {n.removeprefix(DIRECTION): t for n, t in tensors.items() if n.startswith(DIRECTION)}
    return card, channels_last(network.eval().requires_grad_(False).to(device))
