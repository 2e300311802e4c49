"""The kinds of networks: one table, a row a kind, that says all that others need to know of it.

What a network can do is asked of the network itself, by the protocols of `types`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from latentlab.models.classifiers.airbench import Airbench
from latentlab.models.classifiers.resnet import ResNet18, ResNet20, SmallResNet
from latentlab.models.glow.flow import Glow
from latentlab.models.pixels import Pixels
from latentlab.models.spatial_vae import SpatialVAE
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.spatial import SpatialStyleGAN2
from latentlab.models.vae import MMDVAE

LazyPart = str | Callable[..., Any]  # itself, or "module:name" of what lies above this layer

MAP_DRAWING_RANK = 1
PIXELS_KIND, BROUGHT_KIND = "pixels", "brought"


@dataclass(frozen=True)
class ModelKind:
    """What is known of a kind before any of its networks is loaded."""

    network: Callable[..., Any] | None  # its constructor, with the card's arguments
    title: str = ""  # empty: each goes by its own name
    meaning: str = ""
    is_latent: bool = True  # a space to move in; else a classifier
    is_stored: bool = True  # in checkpoints
    fitter: LazyPart = ""  # of a world and a device
    scorer: LazyPart = ""  # of a network, its world, and a place among processes
    drawing_rank: int = 1  # the higher, the better its samples look; 0 if there is no prior to draw from
    judging_rank: int = 0  # the higher, the better it says what is in a picture
    eye_fitter: LazyPart = ""  # the fitter that a classifier can help to see; empty where none can
    useful_images: int = 100_000  # that the first useful network of the kind has seen
    unit: str = "σ"  # of a latent coordinate; empty for intensities

    def load_fitter(self, with_eye: bool = False) -> Callable[..., Any]:
        """Return what makes the fitter, or the one that a classifier helps to see."""
        return load_part(self.eye_fitter if with_eye else self.fitter)

    def load_scorer(self) -> Callable[..., dict[str, float]]:
        """Return what measures the figures of a card."""
        return load_part(self.scorer)


def build_vae(**arguments: Any) -> MMDVAE | SpatialVAE:
    """Build the MMD-VAE of the paper, or the one whose code is a map, which alone has a stride."""
    return SpatialVAE(**arguments) if "stride" in arguments else MMDVAE(**arguments)


def build_stylegan2(**arguments: Any) -> StyleGAN2 | SpatialStyleGAN2:
    """Build the published StyleGAN2, or the one that starts from a map, which alone has a stride."""
    return SpatialStyleGAN2(**arguments) if "stride" in arguments else StyleGAN2(**arguments)


KINDS: dict[str, ModelKind] = {
    "glow": ModelKind(
        Glow,
        "Glow",
        "Glow, a normalizing flow: invertible, so it rebuilds every image exactly and knows its density.",
        fitter="latentlab.training.fitters.glow:GlowFitter",
        scorer="latentlab.training.scores:score_flow",
        drawing_rank=2,
    ),
    "vae": ModelKind(
        build_vae,
        "MMD-VAE",
        "MMD-VAE: an autoencoder with one short code; what does not fit into the code is blurred.",
        fitter="latentlab.training.fitters.vae:VAEFitter",
        scorer="latentlab.training.scores:score_autoencoder",
        eye_fitter="latentlab.training.fitters.spatial_vae:SpatialVAEFitter",
        useful_images=40_000,
    ),
    "stylegan2": ModelKind(
        build_stylegan2,
        "StyleGAN2",
        "StyleGAN2: an encoder finds styles, coarse to fine; one that learned to rebuild has a map for content, too.",
        fitter="latentlab.training.fitters.stylegan2:StyleGAN2Fitter",
        scorer="latentlab.training.scores:score_generator",
        drawing_rank=3,
        eye_fitter="latentlab.training.fitters.spatial_stylegan2:SpatialStyleGAN2Fitter",
    ),
    "airbench": ModelKind(
        Airbench,
        is_latent=False,
        fitter="latentlab.training.fitters.airbench:AirbenchFitter",
        scorer="latentlab.training.scores:score_classifier",
        judging_rank=3,
        useful_images=500_000,
    ),
    "resnet18": ModelKind(
        ResNet18,
        is_latent=False,
        fitter="latentlab.training.fitters.classifier:make_resnet18_fitter",
        scorer="latentlab.training.scores:score_classifier",
        judging_rank=2,
        useful_images=160_000,
    ),
    "resnet20": ModelKind(
        ResNet20,
        is_latent=False,
        fitter="latentlab.training.fitters.classifier:make_resnet20_fitter",
        scorer="latentlab.training.scores:score_classifier",
        judging_rank=4,
        useful_images=200_000,
    ),
    "resnet": ModelKind(
        SmallResNet,
        is_latent=False,
        fitter="latentlab.training.fitters.classifier:make_small_resnet_fitter",
        scorer="latentlab.training.scores:score_classifier",
        judging_rank=1,
    ),
    PIXELS_KIND: ModelKind(
        Pixels,
        "Pixels",
        "Pixels: the identity. The control for every move in a latent space.",
        is_stored=False,
        drawing_rank=0,
        unit="",
    ),
    BROUGHT_KIND: ModelKind(None, meaning="A model that was brought; it is called by its own name.", is_stored=False),
}


def rank_drawing(kind: str, arguments: Mapping[str, Any]) -> int:
    """Return how good the samples of such a network look; of a map for a code they are fog, whatever the kind."""
    rank = KINDS[kind].drawing_rank
    return min(rank, MAP_DRAWING_RANK) if "stride" in arguments else rank


def load_part(part: LazyPart) -> Callable[..., Any]:
    """Return the part that a row names; it is imported when it is first used."""
    return resolve_name(part) if isinstance(part, str) else part


def list_stored_kinds() -> list[str]:
    """List the kinds that checkpoints hold."""
    return [name for name, kind in KINDS.items() if kind.is_stored]


def list_classifier_kinds() -> list[str]:
    """List the kinds of classifiers, the quickest first."""
    return [name for name in list_stored_kinds() if not KINDS[name].is_latent]


def list_judge_kinds() -> list[str]:
    """List the kinds of classifiers, the best judge first."""
    return sorted(list_classifier_kinds(), key=lambda name: -KINDS[name].judging_rank)


def holds_latent_model(name: str) -> bool:
    """Say whether checkpoints of this kind are spaces to move in."""
    return name in KINDS and KINDS[name].is_latent
