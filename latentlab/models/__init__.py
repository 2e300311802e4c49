"""The networks, by the kind that their card names: latent models, classifiers, and how both are written and read.

A network here maps tensors to tensors. How it learns belongs in `training`, what is done with it in `operators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.models import checkpoint
from latentlab.models.checkpoint import DIRECTION_PREFIX, Card, digest_file, read_card
from latentlab.models.classifiers.airbench import Airbench
from latentlab.models.classifiers.external import NormalisedClassifier
from latentlab.models.classifiers.inference import FoldedClassifier
from latentlab.models.classifiers.resnet import AttributeClassifier, ResNet18, ResNet20, SmallResNet
from latentlab.models.construction_budget import ConstructionBudget
from latentlab.models.glow.flow import Glow
from latentlab.models.glow.inference import FoldedGlow
from latentlab.models.inference_form import make_fast_form
from latentlab.models.kinds import KINDS, list_stored_kinds
from latentlab.models.map_autoencoder import MapAutoencoder
from latentlab.models.modules import use_channels_last
from latentlab.models.network_probe import probe_network
from latentlab.models.pixels import Pixels
from latentlab.models.spatial_vae import SpatialVAE
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.spatial import SpatialStyleGAN2
from latentlab.models.vae import MMDVAE
from latentlab.types import DirectedModel
from latentlab.untrusted import show_value

__all__ = [
    "KINDS",
    "MMDVAE",
    "Airbench",
    "AttributeClassifier",
    "Card",
    "FoldedClassifier",
    "FoldedGlow",
    "Glow",
    "NormalisedClassifier",
    "Pixels",
    "ResNet18",
    "ResNet20",
    "SmallResNet",
    "SpatialStyleGAN2",
    "SpatialVAE",
    "StyleGAN2",
    "construct_network",
    "digest_file",
    "load_network",
    "make_fast_form",
    "read_card",
    "save_network",
]


def construct_network(kind: str, arguments: Mapping[str, Any]) -> Any:
    """Construct a network of this kind, with the arguments of a card."""
    constructor = KINDS[kind].network
    assert constructor is not None, f"a {kind} is not constructed here"
    return constructor(**arguments)


def save_network(path: Path, network: nn.Module, card: Card) -> None:
    """Save weights, directions and card in one file."""
    tensors = dict(network.state_dict())
    if isinstance(network, MapAutoencoder):  # its weights are of half precision already
        tensors |= {name: weight.half() for name, weight in network.named_parameters()}
    tensors |= {DIRECTION_PREFIX + name: vector for name, vector in getattr(network, "directions", {}).items()}
    checkpoint.write_checkpoint(path, card, tensors)


def load_network(path: Path, device: str | torch.device = "cpu") -> tuple[Card, nn.Module]:
    """Return the card and the network in eval mode, its weights frozen.

    The file is anybody's: whatever goes wrong with it is its fault, and said in one line.
    """
    card, tensors = checkpoint.read_checkpoint(path)
    if card.kind not in list_stored_kinds():
        raise UserError(f"{path.name} holds a {card.kind[:40]!r}; LatentLab knows {', '.join(list_stored_kinds())}.")
    if bad := [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]:
        raise UserError(f"{path.name} holds values that are not finite, in {bad[0]}; fit it again.")
    try:
        network = _build_network(card, tensors)
        probe_network(network, len(card.classes))
    except Exception as error:
        reason = show_value((str(error).splitlines() or [type(error).__name__])[0], 200)
        raise UserError(f"{path.name} does not fit its card ({reason}); fit it again.") from error
    return card, use_channels_last(network.to(device))


def _build_network(card: Card, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build the network that the card describes, with these weights and directions."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(DIRECTION_PREFIX)}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    checkpoint.check_arguments(card, shapes)
    with ConstructionBudget(shapes):
        network: nn.Module = construct_network(card.kind, card.arguments)
    network.load_state_dict(weights)
    if isinstance(network, DirectedModel):
        network.directions = {
            n.removeprefix(DIRECTION_PREFIX): t for n, t in tensors.items() if n.startswith(DIRECTION_PREFIX)
        }
    return network.eval().requires_grad_(False)
