"""Cross-entropy, SGD with Nesterov momentum, one learning-rate cycle; in multilabel worlds one sigmoid an attribute."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.classifiers.resnet import ResNet18, ResNet20, SmallResNet
from latentlab.models.modules import use_channels_last
from latentlab.models.precision import autocast_bf16
from latentlab.training import distributed
from latentlab.training.schedule import crop_randomly, flip_randomly, set_rate, turn_randomly
from latentlab.training.temperature import CalibratedFitter
from latentlab.types import Images

BATCH_NORM_IMAGES = 10_000  # images whose statistics stand for all
GREY_LEVEL = 1 / 255  # the least deviation of a channel: one that is black everywhere has none
MIXUP_ALPHA = 0.2  # parameter of mixup's Beta where images are few
SMALL_RESNET_WIDTHS: dict[str, tuple[int, ...]] = {"digits": (16, 32, 64), "cifar10": (64, 128, 256)}


class ClassifierFitter(CalibratedFitter):
    batch, average = 128, 0.998
    peak, decay = 0.1, 5e-4

    def __init__(self, world: Dataset, device: str, kind: type[nn.Module]) -> None:
        self.arguments = make_classifier_arguments(world)
        if kind is SmallResNet:
            self.arguments["widths"] = SMALL_RESNET_WIDTHS.get(world.name, (32, 64, 128))
        elif kind is ResNet20:
            self.arguments["mirrors"] = world.allows_mirroring
        elif kind is ResNet18 and world.image_shape[1] > 32:
            self.arguments |= {"stem": 2, "width": 48}
        self.network = use_channels_last(kind(**self.arguments))
        self.modules = nn.ModuleDict({"network": self.network})
        sgd = torch.optim.SGD(self.network.parameters(), self.peak, 0.9, weight_decay=self.decay, nesterov=True)
        self.optimisers = {"sgd": sgd}
        self.mirrored, self.few = world.allows_mirroring, world.multilabel

    def begin(self, images: Images) -> None:
        pass

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        images = flip_randomly(images, rng) if self.mirrored else images
        images = turn_randomly(images, 10, 0.1, rng) if self.few else images  # faces: 40 labels an image and few images
        images = crop_randomly(images, images.shape[2] // 10, rng)
        if self.few:
            images, labels = apply_mixup(images, labels, rng)
        with autocast_bf16(images.device.type):
            logits = self.network(images)
        error = compute_label_loss(logits, labels)
        sgd = self.optimisers["sgd"]
        sgd.zero_grad(set_to_none=True)
        error.backward()
        distributed.average_gradients(self.network.parameters())
        set_rate(sgd, self.peak, progress, warmup=0.2)
        sgd.step()
        return {"loss": error.item()}

    def finish(self, network: nn.Module, world: Dataset) -> None:
        recompute_batch_norms(network, world)
        assert isinstance(network, ResNet18 | ResNet20 | SmallResNet)
        self.arguments |= self.set_temperature(network)


def apply_mixup(images: Images, labels: Tensor, rng: torch.Generator) -> tuple[Images, Tensor]:
    """Mix each row with the one before (mixup, Zhang et al. 2018, arXiv 1710.09412).

    Binary cross-entropy is linear in its labels, so theirs are mixed by the same share.
    """
    share = chance.draw_beta(MIXUP_ALPHA, MIXUP_ALPHA, rng)
    return torch.lerp(images.roll(1, 0), images, share), torch.lerp(labels.roll(1, 0).float(), labels.float(), share)


def recompute_batch_norms(network: nn.Module, world: Dataset) -> None:
    """Compute the batch norms' statistics of averaged weights.

    Those met on the way belong to the weights before averaging, and cost faces half a percent (Izmailov et al. 2018,
    arXiv 1803.05407).
    """
    device = next(network.parameters()).device
    rows = chance.draw_permutation(len(world.train), chance.make_generator(1))[:BATCH_NORM_IMAGES]
    update_bn((world.train.take_batch(few)[0] for few in rows.split(200)), network, device)


def compute_label_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of class numbers, or of a 0/1 column an attribute."""
    if labels.ndim > 1:
        return F.binary_cross_entropy_with_logits(logits, labels.float())
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def make_classifier_arguments(world: Dataset) -> dict[str, Any]:
    """Return the constructor arguments that every classifier of a world shares."""
    world.require_classes()
    pixels = world.train.images[:5000].float() / 255
    return {
        "image_shape": world.image_shape,
        "classes": world.classes,
        "mean": tuple(round(v, 4) for v in pixels.mean((0, 2, 3)).tolist()),
        "std": tuple(round(max(v, GREY_LEVEL), 4) for v in pixels.std((0, 2, 3)).tolist()),
    }


def make_resnet18_fitter(world: Dataset, device: str) -> ClassifierFitter:
    return ClassifierFitter(world, device, ResNet18)


def make_resnet20_fitter(world: Dataset, device: str) -> ClassifierFitter:
    return ClassifierFitter(world, device, ResNet20)


def make_small_resnet_fitter(world: Dataset, device: str) -> ClassifierFitter:
    return ClassifierFitter(world, device, SmallResNet)
