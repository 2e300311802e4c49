"""An evaluation sets what a card states beside the data: each figure measured again on the same test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from latentlab import chance, datasets, models
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.fidelity import measure_fidelity
from latentlab.judges import find_borrowed_classifiers, list_judges
from latentlab.models import Airbench, Card, ResNet18, ResNet20, SmallResNet
from latentlab.models.kinds import KINDS, list_stored_kinds
from latentlab.training import distributed
from latentlab.training.distributed import SINGLE_PROCESS, ProcessPlace
from latentlab.types import Flat, Images, LatentModel, Latents

CARD_SHARE, CARD_SLACK = (
    0.005,
    1e-4,
)  # a card may differ by half a percent, and by this much: machines round differently
LOOSE_SHARES = {"round trip": 1.0, "calibration error": 0.1}  # little but rounding, which differs between machines
CARD_TOLERANCE = f"{CARD_SHARE:.1%} and {CARD_SLACK:g}"
FRECHET_IMAGES, SWAPPED_IMAGES = 2000, 500  # images of which distances are taken; that are swapped
SWAPPED_PART_GROUPS = ("fine", "coarse")
Classifier = Airbench | ResNet18 | ResNet20 | SmallResNet


@dataclass(frozen=True)
class CardFigure:
    """A figure as the card has it and as it was measured again; None where one side does not have it."""

    name: str
    card: float | None
    again: float | None

    @property
    def agrees(self) -> bool:
        """Say whether both sides agree.

        A figure that the card does not state is no contradiction; one that nobody can measure is.
        """
        if self.card is None:
            return True
        share = LOOSE_SHARES.get(self.name, CARD_SHARE)
        return self.again is not None and abs(self.card - self.again) <= share * abs(self.card) + CARD_SLACK


@dataclass(frozen=True)
class Evaluation:
    checkpoint: Path
    data: str
    figures: tuple[CardFigure, ...]

    @property
    def wrong_figures(self) -> tuple[CardFigure, ...]:
        return tuple(figure for figure in self.figures if not figure.agrees)


def evaluate_checkpoint(checkpoint: Path) -> Evaluation:
    """Measure the card's figures; for a generative model with its world's classifier beside it, Fréchet distances.

    Under torchrun every process measures its share of the images, and each has the figures of all.
    """
    device = distributed.choose_device()
    card = models.read_card(checkpoint)
    world = _load_card_world(checkpoint, card)
    card, network = models.load_network(checkpoint, device)
    place = distributed.join_processes(device)
    again = KINDS[card.kind].load_scorer()(network, world, place)
    if KINDS[card.kind].is_latent and (judge := _load_judge(checkpoint, card, device)) is not None:
        assert isinstance(network, LatentModel)
        again |= measure_fidelity(network, judge, world, place)
        again |= measure_frechet_distances(network, judge, world, place=place)
        again |= measure_swaps(network, judge, world, place)
    distributed.leave_processes()
    names = dict.fromkeys([*card.scores, *again])
    figures = tuple(CardFigure(name, card.scores.get(name), again.get(name)) for name in names)
    return Evaluation(checkpoint, card.data, figures)


def write_figures(found: Evaluation) -> None:
    """Let the card state what was measured; a figure that nobody could measure again goes."""
    card, network = models.load_network(found.checkpoint)
    scores = {f.name: float(f"{f.again:.4g}") for f in found.figures if f.again is not None}
    models.save_network(found.checkpoint, network, replace(card, scores=scores))


def _load_card_world(checkpoint: Path, card: Card) -> Dataset:
    if not card.data or card.kind not in list_stored_kinds():
        raise UserError(
            f"The card of {checkpoint.name} names no data; only the figures of a fitted network can be measured."
        )
    world = datasets.load_world(card.data)
    if world.multilabel and not card.multilabel and card.classes:  # a run that learned one attribute as two classes
        world = world.select_attribute(card.classes[-1])
    if world.image_shape != card.image_shape or (card.classes and world.classes != card.classes):
        raise UserError(
            f"{checkpoint.name} was fitted on other data than the {card.data} found here (their image size or classes "
            "differ); set LATENTLAB_DATA to where its own are."
        )
    return world


def _load_judge(checkpoint: Path, card: Card, device: str) -> Classifier | None:
    """Return the first of the world's classifiers that lies beside the checkpoint and had no part in its fit."""
    names = list_judges(card.data, find_borrowed_classifiers(card))
    path = next((path for name in names if (path := checkpoint.with_name(f"{name}.safetensors")).is_file()), None)
    if path is None:
        return None
    network = models.load_network(path, device)[1]
    return network if isinstance(network, Classifier) else None


@torch.no_grad()
def measure_frechet_distances(
    model: LatentModel,
    classifier: Classifier,
    world: Dataset,
    samples: int = FRECHET_IMAGES,
    place: ProcessPlace = SINGLE_PROCESS,
) -> dict[str, float]:
    """Measure how far drawn images are from as many test images, which neither network has seen.

    The distance is one of the classifier's features; that of training images is the yardstick. More images make it
    smaller: compare distances of the same number only.
    """
    count = min(samples, len(world.test), len(world.train))
    rows = chance.draw_permutation(len(world.train), chance.make_generator(0))[:count]

    def extract_features(images: Images) -> Flat:
        return classifier.extract_features(images.to(classifier.mean))

    def draw_images(few: Tensor) -> Images:
        """Draw images; every few have chance of their own, whichever process draws them."""
        return model.decode(model.sample(len(few), chance.make_generator(int(few[0])))).clamp(0, 1)

    def describe_images(images: Callable[[Tensor], Images]) -> Flat:
        return distributed.measure_rows(lambda few: extract_features(images(few)), count, place, width=width)

    width = extract_features(world.test.take_batch([0])[0]).shape[1:]
    test = describe_images(lambda few: world.test.take_batch(few)[0])
    train = describe_images(lambda few: world.train.take_batch(rows[few])[0])
    return {
        f"Fréchet distance of {count} samples": compute_frechet_distance(describe_images(draw_images), test),
        f"Fréchet distance of {count} training images": compute_frechet_distance(train, test),
    }


@torch.no_grad()
def measure_swaps(
    model: LatentModel,
    classifier: Classifier,
    world: Dataset,
    place: ProcessPlace = SINGLE_PROCESS,
) -> dict[str, float]:
    """Return the share of images in which the classifier sees the same class when parts of the code are swapped.

    They are rebuilt test images, of faces the class is the smile; the fine or the coarse parts of another image's code
    stand in for their own. A model with one part has none to swap.
    """
    if len(model.sample(1, chance.make_generator(0)).parts) == 1:
        return {}
    column = world.classes.index("Smiling") if "Smiling" in world.classes else None

    def classify_latents(latents: Latents) -> Tensor:
        logits = classifier(model.decode(latents).clamp(0, 1))
        return logits.argmax(1) if column is None else logits[:, column] > 0

    def compare_swapped(rows: Tensor) -> Tensor:
        codes = model.encode(world.test.take_batch(rows)[0].to(classifier.mean))
        partner, before = codes[torch.arange(len(rows)).roll(-1)], classify_latents(codes)
        return torch.stack(
            [
                classify_latents(codes.swap(partner, codes.select_part_names([group]))) == before
                for group in SWAPPED_PART_GROUPS
            ],
            1,
        ).float()

    shares = distributed.measure_rows(
        compare_swapped, min(SWAPPED_IMAGES, len(world.test)), place, width=(len(SWAPPED_PART_GROUPS),)
    ).mean(0)
    what = "class" if column is None else "smile"
    return {
        f"{what} kept when {group} parts are swapped": share
        for group, share in zip(SWAPPED_PART_GROUPS, shares.tolist(), strict=True)
    }


def compute_frechet_distance(a: Flat, b: Flat) -> float:
    """Return |μ − ν|² + tr(A + B − 2 (A B)^½) of means and covariances of two sets of features (Heusel et al. 2017).

    (A B)^½ has the trace of (A^½ B A^½)^½, which is symmetric.
    """
    (mean_a, A), (mean_b, B) = ((x.mean(0), x.T.cov()) for x in (a.double(), b.double()))
    values, vectors = torch.linalg.eigh(A)
    root = vectors * values.clamp(0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ B @ root).clamp(0).sqrt().sum()
    return ((mean_a - mean_b).square().sum() + A.trace() + B.trace() - 2 * shared).item()
