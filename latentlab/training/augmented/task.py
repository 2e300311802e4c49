"""A run's config with its names resolved: data, first weights, spaces to move in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance, datasets, models
from latentlab.datasets import Dataset, Split
from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.models import Card, Pixels
from latentlab.models.kinds import list_classifier_kinds
from latentlab.models.modules import use_channels_last
from latentlab.models.networks import NetworkSource
from latentlab.training.augmented.config import Config
from latentlab.training.augmented.subset import TrainingRows, split_rows
from latentlab.types import LatentModel, Operator

FAVOURITE_ATTRIBUTE = "Smiling"  # people recognise it, and it is the one most evenly split
STATISTICS_IMAGES = 1000  # images from which a network takes its first statistics


@dataclass(frozen=True, eq=False)
class ResolvedAugmentation:
    """An operator, the space that it moves in, and the chance of an image to go through it."""

    operator: Operator
    space: LatentModel
    probability: float


@dataclass(frozen=True, eq=False)
class Task:
    world: Dataset
    learned: TrainingRows  # of the training images
    held: TrainingRows  # of the training images, to judge by
    moves: tuple[ResolvedAugmentation, ...]
    kind: str
    arguments: dict[str, Any]
    network: nn.Module  # with its first weights, on the CPU
    parent: str  # name and digest, if it has one
    recipe: dict[str, Any]

    def select_split(self, rows: TrainingRows) -> Split:
        return Split(self.world.train.images[rows], self.world.train.labels[rows])


def prepare_task(config: Config, networks: NetworkSource) -> Task:
    """Return everything that a run needs, or refuse it with one line that says what is missing."""
    config.require_budget()
    world = load_training_world(config)
    learned, held = split_rows(world, config.rows, config.fraction, config.validation, config.seed)
    names = [step.choose_space(world.name) for step in config.augmentations]
    spaces = {name: _load_space(name, world, networks) for name in names}
    operators = [step.build_operator() for step in config.augmentations]
    chances = [step.probability for step in config.augmentations]
    kind, arguments, network = _make_network(config, world, learned, networks)
    return Task(
        world=world,
        learned=learned,
        held=held,
        moves=tuple(map(ResolvedAugmentation, operators, (spaces[name] for name in names), chances)),
        kind=kind,
        arguments=arguments,
        network=network,
        parent=f"{config.parent} {networks.digest(config.parent)}" if config.parent else "",
        recipe={"config": tool_to_json(config), "spaces": {name: _digest_space(name, networks) for name in spaces}},
    )


def load_training_world(config: Config) -> Dataset:
    """Load the data; where labels are attributes, with one of them as two classes."""
    world = datasets.load_world(config.world)
    if not world.multilabel:
        if config.attribute:
            raise UserError(f"{world.name} has classes, not attributes; leave attribute empty.")
        world.require_classes()
        return world
    return world.select_attribute(
        config.attribute or (FAVOURITE_ATTRIBUTE if FAVOURITE_ATTRIBUTE in world.classes else world.classes[0])
    )


def _load_space(name: str, world: Dataset, networks: NetworkSource) -> LatentModel:
    space = Pixels(world.image_shape) if name == f"{world.name}-pixels" else networks.load_fast(name)
    if not isinstance(space, LatentModel) or tuple(space.image_shape) != world.image_shape:
        raise UserError(f"{name} is no latent model of {world.name}'s images; choose one of that world.")
    return space


def _digest_space(name: str, networks: NetworkSource) -> str:
    return "" if name.endswith("-pixels") else networks.digest(name)


def _make_network(
    config: Config, world: Dataset, learned: TrainingRows, networks: NetworkSource
) -> tuple[str, dict[str, Any], nn.Module]:
    """Return kind, constructor arguments and first weights: of the parent, or drawn from the seed."""
    if config.parent:
        return _make_child(config.parent, world, networks)
    rows = learned[chance.draw_permutation(len(learned), chance.make_generator(config.seed))][:STATISTICS_IMAGES]
    own = replace(world, train=Split(world.train.images[rows], world.train.labels[rows]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        fitter = models.KINDS[config.network].load_fitter()(own, "cpu")
        fitter.begin(own.train.take_batch(slice(None))[0])
    return config.network, fitter.arguments, fitter.network


def _make_child(name: str, world: Dataset, networks: NetworkSource) -> tuple[str, dict[str, Any], nn.Module]:
    """Take the parent's weights; the last layer too if the classes are the same, or one is an attribute it knows."""
    base, _, attribute = name.partition(":")
    card, parent = networks.card(base), networks.load(base)
    if card.kind not in list_classifier_kinds() or tuple(card.image_shape) != world.image_shape:
        raise UserError(f"{name} is no classifier of {world.name}'s images that LatentLab made; choose another parent.")
    weights = {key: value.cpu() for key, value in parent.state_dict().items()}
    head = _inherit_head(card, world, attribute, weights)
    arguments = card.arguments | {"classes": world.classes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = use_channels_last(models.construct_network(card.kind, arguments))
    body = {key: value for key, value in weights.items() if not key.startswith("head.")}
    network.load_state_dict(body | head, strict=False)
    return card.kind, arguments, network


def _inherit_head(card: Card, world: Dataset, attribute: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the last layer; an attribute's logit l becomes two, −l/2 and l/2, whose softmax is its sigmoid."""
    head = {key: value for key, value in weights.items() if key.startswith("head.")}
    if tuple(card.classes) == world.classes:
        return head
    wanted = attribute or world.classes[-1]
    if card.multilabel and world.classes == (f"not {wanted}", wanted) and wanted in card.classes:
        column = card.classes.index(wanted)
        return {key: torch.stack([-value[column] / 2, value[column] / 2]) for key, value in head.items()}
    return {}
