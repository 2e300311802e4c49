"""A run's config with its names resolved: data, first weights, spaces to move in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from latentlab import chance, data, models
from latentlab.data import Split, World
from latentlab.errors import UserError
from latentlab.fit import FITTERS
from latentlab.knobs import to_json
from latentlab.models import Card, Pixels
from latentlab.models.modules import channels_last
from latentlab.models.networks import Networks
from latentlab.training.config import Config
from latentlab.training.subset import Rows, split
from latentlab.types import LatentModel, Operator

FAVOURITE = "Smiling"  # people recognise it, and it is the one most evenly split
FIRST = 1000  # images from which a network takes its first statistics


@dataclass(frozen=True, eq=False)
class Move:
    """An operator, the space that it moves in, and the chance of an image to go through it."""

    operator: Operator
    space: LatentModel
    probability: float


@dataclass(frozen=True, eq=False)
class Task:
    world: World
    learned: Rows  # of the training images
    held: Rows  # of the training images, to judge by
    moves: tuple[Move, ...]
    kind: str
    arguments: dict[str, Any]
    network: nn.Module  # with its first weights, on the CPU
    parent: str  # name and digest, if it has one
    recipe: dict[str, Any]

    def half(self, rows: Rows) -> Split:
        return Split(self.world.train.images[rows], self.world.train.labels[rows])


def prepare(config: Config, networks: Networks) -> Task:
    """Everything that a run needs, or one line that says what is missing."""
    config.budget()
    world = world_of(config)
    learned, held = split(world, config.rows, config.fraction, config.validation, config.seed)
    names = [step.where(config.world) for step in config.augmentations]
    spaces = {name: _space(name, world, networks) for name in names}
    operators = [step.operator() for step in config.augmentations]
    chances = [step.probability for step in config.augmentations]
    kind, arguments, network = _network(config, world, learned, networks)
    return Task(
        world=world,
        learned=learned,
        held=held,
        moves=tuple(map(Move, operators, (spaces[name] for name in names), chances)),
        kind=kind,
        arguments=arguments,
        network=network,
        parent=f"{config.parent} {networks.digest(config.parent)}" if config.parent else "",
        recipe={"config": to_json(config), "spaces": {name: _digest(name, networks) for name in spaces}},
    )


def world_of(config: Config) -> World:
    """The data; where labels are attributes, with one of them as two classes."""
    world = data.load(config.world)
    if not world.multilabel:
        if config.attribute:
            raise UserError(f"{world.name} has classes, not attributes; leave attribute empty.")
        return world
    return world.about(config.attribute or (FAVOURITE if FAVOURITE in world.classes else world.classes[0]))


def _space(name: str, world: World, networks: Networks) -> LatentModel:
    space = Pixels(world.image_shape) if name == f"{world.name}-pixels" else networks.fast(name)
    if not isinstance(space, LatentModel) or tuple(space.image_shape) != world.image_shape:
        raise UserError(f"{name} is no latent model of {world.name}'s images; choose one of that world.")
    return space


def _digest(name: str, networks: Networks) -> str:
    return "" if name.endswith("-pixels") else networks.digest(name)


def _network(config: Config, world: World, learned: Rows, networks: Networks) -> tuple[str, dict[str, Any], nn.Module]:
    """Kind, constructor arguments and first weights: of the parent, or drawn from the seed."""
    if config.parent:
        return _child(config.parent, world, networks)
    rows = learned[chance.permutation(len(learned), chance.seeded(config.seed))][:FIRST]
    own = replace(world, train=Split(world.train.images[rows], world.train.labels[rows]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        fitter = FITTERS[config.network](own, "cpu")
        fitter.begin(own.train.batch(slice(None))[0])
    return config.network, fitter.arguments, fitter.network


def _child(name: str, world: World, networks: Networks) -> tuple[str, dict[str, Any], nn.Module]:
    """The parent's weights; the last layer too if the classes are the same, or one is an attribute that it knows."""
    base, _, attribute = name.partition(":")
    card, parent = networks.card(base), networks.load(base)
    if card.kind not in FITTERS or card.kind in models.LATENT_KINDS or tuple(card.image_shape) != world.image_shape:
        raise UserError(f"{name} is no classifier of {world.name}'s images that LatentLab made; choose another parent.")
    weights = {key: value.cpu() for key, value in parent.state_dict().items()}
    head = _head(card, world, attribute, weights)
    arguments = card.arguments | {"classes": world.classes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = channels_last(models.NETWORKS[card.kind](**arguments))
    body = {key: value for key, value in weights.items() if not key.startswith("head.")}
    network.load_state_dict(body | head, strict=False)
    return card.kind, arguments, network


def _head(card: Card, world: World, attribute: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The last layer; an attribute's logit l becomes the two logits −l/2 and l/2, whose softmax is its sigmoid."""
    head = {key: value for key, value in weights.items() if key.startswith("head.")}
    if tuple(card.classes) == world.classes:
        return head
    wanted = attribute or world.classes[-1]
    if card.multilabel and world.classes == (f"not {wanted}", wanted) and wanted in card.classes:
        column = card.classes.index(wanted)
        return {key: torch.stack([-value[column] / 2, value[column] / 2]) for key, value in head.items()}
    return {}
