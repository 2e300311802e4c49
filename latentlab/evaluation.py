"""What a card states against what the data say: every figure measured again, on the same test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab import chance, data, models
from latentlab.data import World
from latentlab.errors import UserError
from latentlab.fit import parallel
from latentlab.fit.parallel import ALONE, Place
from latentlab.fit.scores import SCORES
from latentlab.models import LATENT_KINDS, Airbench, Card, ResNet18, SmallResNet
from latentlab.types import Flat, Images, LatentModel, Latents

SHARE, SLACK = 0.005, 1e-4  # a card may differ by half a percent, and by this much: machines round differently
LOOSE = {"round trip": 1.0}  # nothing but rounding, so it may double from one machine to the next
TOLERANCE = f"{SHARE:.1%} and {SLACK:g}"
SAMPLES, SWAPS = 2000, 500  # images of which distances are taken; that are swapped
PARTS = ("fine", "coarse")
CLASSIFIERS = ("airbench", "resnet18", "resnet")  # in whose features distances are taken, the better one first


@dataclass(frozen=True)
class Figure:
    """As the card has it and as it was measured again; None where one side does not have it."""

    name: str
    card: float | None
    again: float | None

    @property
    def agrees(self) -> bool:
        """A figure that the card does not state is no contradiction; one that nobody can measure is."""
        if self.card is None:
            return True
        share = LOOSE.get(self.name, SHARE)
        return self.again is not None and abs(self.card - self.again) <= share * abs(self.card) + SLACK


@dataclass(frozen=True)
class Evaluation:
    checkpoint: Path
    data: str
    figures: tuple[Figure, ...]

    @property
    def wrong(self) -> tuple[Figure, ...]:
        return tuple(figure for figure in self.figures if not figure.agrees)


def evaluate(checkpoint: Path) -> Evaluation:
    """The card's figures; for a generative model, with a classifier of its world beside it, the Fréchet distances.

    Under torchrun every process measures its share of the images, and each has the figures of all.
    """
    device = parallel.device()
    card = models.read_card(checkpoint)
    world = _world(checkpoint, card)
    card, network = models.load(checkpoint, device)
    place = parallel.start(device)
    again = SCORES[card.kind](network, world, place)
    if card.kind in LATENT_KINDS and (describe := _classifier(checkpoint, card, device)) is not None:
        assert isinstance(network, LatentModel)
        again |= frechet(network, describe, world, place=place) | swapped(network, describe, world, place)
    parallel.stop()
    names = dict.fromkeys([*card.scores, *again])
    figures = tuple(Figure(name, card.scores.get(name), again.get(name)) for name in names)
    return Evaluation(checkpoint, card.data, figures)


def _world(checkpoint: Path, card: Card) -> World:
    if not card.data or card.kind not in SCORES:
        raise UserError(
            f"The card of {checkpoint.name} names no data; only the figures of a fitted network can be measured."
        )
    world = data.load(card.data)
    if world.multilabel and not card.multilabel and card.classes:  # a run that learned one attribute as two classes
        world = world.about(card.classes[-1])
    if world.image_shape != card.image_shape or (card.classes and world.classes != card.classes):
        raise UserError(
            f"{checkpoint.name} was fitted on other data than the {card.data} found here (their image size or classes "
            "differ); set LATENTLAB_DATA to where its own are."
        )
    return world


def _classifier(checkpoint: Path, card: Card, device: str) -> Airbench | ResNet18 | SmallResNet | None:
    """That of the same world, if it lies beside the checkpoint."""
    paths = [checkpoint.with_name(f"{card.data}-{kind}.safetensors") for kind in CLASSIFIERS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    network = models.load(path, device)[1]
    return network if isinstance(network, Airbench | ResNet18 | SmallResNet) else None


@torch.no_grad()
def frechet(
    model: LatentModel,
    classifier: Airbench | ResNet18 | SmallResNet,
    world: World,
    samples: int = SAMPLES,
    place: Place = ALONE,
) -> dict[str, float]:
    """Distance of drawn images to as many test images, which neither network has seen, in the classifier's features;
    that of training images is the yardstick. More images make it smaller: compare distances of the same number only.
    """
    count = min(samples, len(world.test), len(world.train))
    rows = chance.permutation(len(world.train), chance.seeded(0))[:count]

    def features(images: Images) -> Flat:
        return classifier.features(images.to(classifier.mean))

    def drawn(few: Tensor) -> Images:
        """Every few have chance of their own, whichever process draws them."""
        return model.decode(model.sample(len(few), chance.seeded(int(few[0])))).clamp(0, 1)

    def described(images: Callable[[Tensor], Images]) -> Flat:
        return parallel.deal(lambda few: features(images(few)), count, place, width=width)

    width = features(world.test.batch([0])[0]).shape[1:]
    test = described(lambda few: world.test.batch(few)[0])
    train = described(lambda few: world.train.batch(rows[few])[0])
    return {
        f"Fréchet distance of {count} samples": frechet_distance(described(drawn), test),
        f"Fréchet distance of {count} training images": frechet_distance(train, test),
    }


@torch.no_grad()
def swapped(
    model: LatentModel, classifier: Airbench | ResNet18 | SmallResNet, world: World, place: Place = ALONE
) -> dict[str, float]:
    """The share of rebuilt test images in which the classifier sees the same class, of faces the same smile, when the
    fine or the coarse parts of another image's code stand in for their own. A model with one part has none to swap."""
    if len(model.sample(1, chance.seeded(0)).parts) == 1:
        return {}
    column = world.classes.index("Smiling") if "Smiling" in world.classes else None

    def seen(latents: Latents) -> Tensor:
        logits = classifier(model.decode(latents).clamp(0, 1))
        return logits.argmax(1) if column is None else logits[:, column] > 0

    def same(rows: Tensor) -> Tensor:
        codes = model.encode(world.test.batch(rows)[0].to(classifier.mean))
        partner, before = codes[torch.arange(len(rows)).roll(-1)], seen(codes)
        return torch.stack([seen(codes.swap(partner, codes.named([group]))) == before for group in PARTS], 1).float()

    shares = parallel.deal(same, min(SWAPS, len(world.test)), place, width=(len(PARTS),)).mean(0)
    what = "class" if column is None else "smile"
    return {
        f"{what} kept when {group} parts are swapped": share
        for group, share in zip(PARTS, shares.tolist(), strict=True)
    }


def frechet_distance(a: Flat, b: Flat) -> float:
    """|μ − ν|² + tr(A + B − 2 (A B)^½) of the means and covariances of two sets of features (Heusel et al. 2017).

    (A B)^½ has the trace of (A^½ B A^½)^½, which is symmetric.
    """
    (mean_a, A), (mean_b, B) = ((x.mean(0), x.T.cov()) for x in (a.double(), b.double()))
    values, vectors = torch.linalg.eigh(A)
    root = vectors * values.clamp(0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ B @ root).clamp(0).sqrt().sum()
    return ((mean_a - mean_b).square().sum() + A.trace() + B.trace() - 2 * shared).item()
