"""Arms that train a classifier: moves as published, or brought to the distance that another arm travels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import one_hot

from latentlab import chance, datasets, metrics
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.experiments.experiment import ArmSettings, Cell, Effort, Scores
from latentlab.knobs import tool_from_json, tool_to_json
from latentlab.models import Pixels
from latentlab.models.networks import NetworkSource
from latentlab.operators import calibrate_knob, measure_distance, rebuild_images
from latentlab.runs import layout
from latentlab.training.augmented import Augmentation, Config, RunFiles, train_classifier
from latentlab.training.augmented.learner import adapts_to_classifier
from latentlab.types import Batch, Bench, Images, LatentModel

TRAVEL_DRAWS = 16  # draws of chance for each image by which a distance is measured
JUDGE = "digits-resnet"  # attacks aim at it where no classifier is in training yet, and it says what keeps its class


@dataclass(frozen=True)
class TrainingArm:
    """Moves, one after the other, on a world; the first that has `knob` goes as far as the arm `equal_to`."""

    moves: tuple[Augmentation, ...] = ()
    world: str = "digits"
    equal_to: str = ""
    knob: str = ""
    distance: str = "moved"  # from the clean path, or "from image"


def settle_training_arms(
    arms: Mapping[str, TrainingArm], effort: Effort, networks: NetworkSource
) -> dict[str, ArmSettings]:
    """Settle each arm's moves and measure how far they carry a picture, and how many keep their class on the way."""
    settled: dict[str, ArmSettings] = {}
    for name, arm in arms.items():
        world = datasets.load_world(arm.world)
        batch, moves = _take_batch(world, effort.images, networks), arm.moves
        if arm.equal_to:
            moves = _bring_to_distance(arm, settled[arm.equal_to][arm.distance], batch, world, networks)
        plain = {"world": arm.world, "augmentations": [tool_to_json(move) for move in moves]}
        settled[name] = {"config": plain, **_measure_travel(moves, batch, world, networks)}
    return settled


def train_arm(arm: ArmSettings, protocol: Mapping[str, Any], seed: int, place: Path, networks: NetworkSource) -> Scores:
    """Train the arm's classifier into the folder and return its scores on the test images; half-done, it goes on."""
    config = tool_from_json(Config, {**protocol, **arm["config"], "seed": seed})
    place.mkdir(parents=True, exist_ok=True)
    files = RunFiles(resume=place / layout.RESUME_FILE, out=place / layout.RESULT_FILE)
    scores: dict[str, float] = {}
    for event in train_classifier(config, networks, files):
        scores = event.get("scores", scores)
    return {name: [value] for name, value in scores.items()}


def measure_training_cell(
    protocol: Mapping[str, Any], cell: Cell, arm: ArmSettings, effort: Effort, place: Path, networks: NetworkSource
) -> Scores:
    """Train one arm with one seed; the budget is the effort's updates."""
    (seed,) = cell.seeds
    return train_arm(arm, {**protocol, "epochs": 0, "steps": effort.steps}, seed, place, networks)


def _take_batch(world: Dataset, count: int, networks: NetworkSource) -> Batch:
    rows = chance.draw_permutation(len(world.train), chance.make_generator(0))[:count]
    images, labels = world.train.take_batch(rows)
    targets = one_hot(labels, len(world.classes)).float()
    return Batch(images.to(networks.device), targets.to(networks.device))


def _bring_to_distance(
    arm: TrainingArm, distance: float, batch: Batch, world: Dataset, networks: NetworkSource
) -> tuple[Augmentation, ...]:
    place, operator = next(
        (place, operator)
        for place, move in enumerate(arm.moves)
        if hasattr(operator := move.build_operator(), arm.knob)
    )
    move = arm.moves[place]
    found = calibrate_knob(operator, arm.knob, distance, batch, _make_bench(move, world, networks))
    settled = replace(move, settings={**move.settings, arm.knob: getattr(found, arm.knob)})
    return (*arm.moves[:place], settled, *arm.moves[place + 1 :])


def _measure_travel(
    moves: tuple[Augmentation, ...], batch: Batch, world: Dataset, networks: NetworkSource
) -> dict[str, float | None]:
    """Measure mean distances from the clean path and from the image, and the share whose class the judge still sees."""
    if not moves:
        return {"moved": 0.0, "from image": 0.0, "kept": None}
    benches = [_make_bench(move, world, networks) for move in moves]
    operators = [move.build_operator() for move in moves]
    clean = rebuild_images(batch, benches[0])

    def apply_moves(few: Batch) -> Batch:
        for operator, bench in zip(operators, benches, strict=True):
            few = operator(few, bench)
        return few

    draws = [apply_moves(batch) for _ in range(TRAVEL_DRAWS)]
    travel = {"moved": _average_distance(draws, clean), "from image": _average_distance(draws, batch.images)}
    if any(adapts_to_classifier(operator) for operator in operators):
        return {**travel, "kept": None}  # aimed at the judge, who is then none
    return {**travel, "kept": round(metrics.estimate_preserved(apply_moves, batch, benches[0]).value, 3)}


def _average_distance(draws: list[Batch], origin: Images) -> float:
    return round(float(torch.stack([measure_distance(draw.images, origin).mean() for draw in draws]).mean()), 3)


def _make_bench(move: Augmentation, world: Dataset, networks: NetworkSource) -> Bench:
    name = move.choose_space(world.name)
    space = Pixels(world.image_shape) if name == f"{world.name}-pixels" else networks.load_fast(name)
    if not isinstance(space, LatentModel):
        raise UserError(f"{name} is no latent model; the experiment needs the checkpoints that are shipped.")
    return Bench(space, networks.load(JUDGE), chance.make_generator(0))
