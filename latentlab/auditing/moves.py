"""The moves of an audit, each in its space, at the distance that is asked for, with a recipe and a title of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from latentlab import chance
from latentlab.auditing.config import Audit
from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.models import Pixels
from latentlab.models.networks import NetworkSource
from latentlab.operators import LatentOperator, calibrate_knob, make_operator
from latentlab.operators.attack import Attack
from latentlab.recipe import Recipe
from latentlab.training.augmented import Augmentation
from latentlab.types import Batch, Bench, ImageShape, LatentModel, Operator

BatchTaker = Callable[[], Batch]  # the images by which a move is brought to a distance


@dataclass(frozen=True, eq=False)
class AuditedMove:
    """An operator in its space; `title` tells it from the other moves of the audit."""

    title: str
    method: str
    operator: Operator
    space_name: str
    space: LatentModel
    recipe: Recipe

    def make_bench(self, classifier: nn.Module, rng: torch.Generator) -> Bench:
        return Bench(self.space, classifier, rng)


def derive_generator(*numbers: int) -> torch.Generator:
    """Make the chance of one part of the audit, whoever measures it and whatever was measured before."""
    return chance.make_generator(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))


def resolve_moves(
    config: Audit, shape: ImageShape, classifier: str, networks: NetworkSource, take_batch: BatchTaker
) -> tuple[AuditedMove, ...]:
    """Return the moves of images of this shape; those that look at a classifier look at the one under test."""
    moves = [_resolve_move(step, config, shape, classifier, networks) for step in config.moves]
    if config.distance:
        bench = Bench(moves[0].space, networks.load_fast(classifier), derive_generator(config.seed, 0))
        moves = [_bring_to_distance(move, config.distance, take_batch(), bench) for move in moves]
    return _name_apart(moves)


def _resolve_move(
    step: Augmentation, config: Audit, shape: ImageShape, classifier: str, networks: NetworkSource
) -> AuditedMove:
    name, operator = step.choose_space(config.world), step.build_operator()
    space = Pixels(shape) if name.endswith("-pixels") else networks.load_fast(name)
    if not isinstance(space, LatentModel) or tuple(space.image_shape) != shape:
        raise UserError(f"{name} is no latent model of the images of {config.world}; choose one of that world.")
    settings = list_changed_settings(step.method, operator)
    recipe = Recipe(
        model=name,
        model_digest="" if name.endswith("-pixels") else networks.digest(name),
        classifier=classifier,
        classifier_digest=networks.digest(classifier),
        operator=step.method,
        settings=settings,
        seed=config.seed,
    )
    return AuditedMove(_write_title(step.method, settings), step.method, operator, name, space, recipe)


def list_changed_settings(method: str, operator: Operator) -> dict[str, Any]:
    """Return the knobs that differ from the method's own."""
    own = tool_to_json(make_operator(method))
    return {knob: value for knob, value in tool_to_json(operator).items() if value != own[knob]}


def _write_title(method: str, changed: dict[str, Any]) -> str:
    words = [f"{knob.replace('_', ' ')} {_write_value(value)}" for knob, value in changed.items()]
    return f"{method}, {', '.join(words)}" if words else method


def _write_value(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _name_apart(moves: list[AuditedMove]) -> tuple[AuditedMove, ...]:
    """Name the space of moves that would be called alike, and refuse the same move twice."""
    titles = [move.title for move in moves]
    named = [
        replace(move, title=f"{move.title} in {move.space_name}") if titles.count(move.title) > 1 else move
        for move in moves
    ]
    if twice := [move.title for move in named if [one.title for one in named].count(move.title) > 1]:
        raise UserError(f"{twice[0]} is asked for twice; name each move once.")
    return tuple(named)


def find_distance_knob(operator: Operator) -> str | None:
    """Return the knob that says how far a move goes; unlike on the page, an attack may take its time."""
    if isinstance(operator, Attack):
        return "epsilon"
    if not isinstance(operator, LatentOperator):
        return None
    return "lam" if operator.mixes_labels else operator.distance_knob


def _bring_to_distance(move: AuditedMove, distance: float, batch: Batch, bench: Bench) -> AuditedMove:
    knob, operator = find_distance_knob(move.operator), move.operator
    if knob is None:
        raise UserError(f"{move.method} has no knob that says how far it goes; leave it out, or set distance to 0.")
    if knob == "lam":
        operator = replace(operator, weight="fixed")  # type: ignore[type-var]
    operator = calibrate_knob(operator, knob, distance, batch, replace(bench, model=move.space))
    settings = list_changed_settings(move.method, operator)
    recipe = replace(move.recipe, settings=settings)
    return replace(move, title=_write_title(move.method, settings), operator=operator, recipe=recipe)
