"""A classifier that learns from moved images: the fitter of a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import SGD, AdamW, Optimizer

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models import Pixels, make_fast_form
from latentlab.models.precision import autocast_bf16
from latentlab.operators import LatentOperator, Standard
from latentlab.training import distributed
from latentlab.training.augmented.config import Config
from latentlab.training.augmented.task import ResolvedAugmentation, Task
from latentlab.training.schedule import schedule_cosine
from latentlab.types import Batch, Bench, Images, Labels, Operator


def schedule_drops(progress: float, factor: float, places: tuple[float, ...]) -> float:
    return factor ** sum(progress >= place for place in places)


SCHEDULES: dict[str, Callable[[float], float]] = {  # progress to the share of the highest rate
    "cosine": partial(schedule_cosine, warmup=0.2),
    "fifths": partial(
        schedule_drops, factor=0.2, places=(0.3, 0.6, 0.8)
    ),  # epochs 60, 120, 160 of 200: Yuksel et al. 2021
    "tenths": partial(schedule_drops, factor=0.1, places=(0.5, 0.75)),  # epochs 100, 150 of 200: Greenewald et al. 2023
    "constant": lambda progress: 1.0,
}


class Learner:
    def __init__(self, config: Config, task: Task) -> None:
        self.config, self.task = config, task
        self.arguments, self.network = task.arguments, task.network.requires_grad_(True)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not name.startswith("whiten.weight"))  # Airbench's patches never learn
        self.modules = nn.ModuleDict({"network": self.network})
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimisers: dict[str, Optimizer] = {config.optimiser: _make_optimiser(config, learning)}
        self.batch, self.average = config.batch, config.average
        self.standard = Standard(padding=task.world.image_shape[1] // 8, flip=task.world.allows_mirroring)
        self.seen: Batch | None = None  # what the last update learned from

    def begin(self, images: Images) -> None:
        pass

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        self.seen = batch = self.move_images(images, labels, self.network, rng)
        with autocast_bf16(images.device.type) if self.config.bf16 else nullcontext():
            logits = self.network(batch.images)
        loss = F.cross_entropy(logits, batch.targets, label_smoothing=self.config.smoothing)
        (optimiser,) = self.optimisers.values()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        distributed.average_gradients(self.network.parameters())
        rate = self.config.rate * SCHEDULES[self.config.schedule](progress)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        return {"loss": loss.item(), "rate": rate}

    def finish(self, network: nn.Module, world: Dataset) -> None:
        pass

    @torch.no_grad()
    def move_images(self, images: Images, labels: Labels, classifier: nn.Module, rng: torch.Generator) -> Batch:
        """Return the images as training sees them, `classifier` being the one that attacks are aimed at."""
        batch = Batch(images, one_hot(labels, len(self.task.world.classes)).float())
        if self.config.standard:
            batch = self.standard(batch, Bench(Pixels(self.task.world.image_shape), None, rng))
        clean = round(self.config.clean * len(batch))
        left, taken = _select_rows(batch, slice(0, clean)), _select_rows(batch, slice(clean, None))
        if self.config.bf16 and any(adapts_to_classifier(move.operator) for move in self.task.moves):
            classifier = make_fast_form(
                classifier
            )  # of these weights; folding is a small part of one step of an attack
        for move in self.task.moves if len(taken) else ():
            taken = _move_by_chance(move, taken, classifier, rng)
        return Batch(torch.cat([left.images, taken.images]), torch.cat([left.targets, taken.targets]))


def _select_rows(batch: Batch, rows: slice | Tensor) -> Batch:
    return Batch(batch.images[rows], batch.targets[rows])


def _move_by_chance(move: ResolvedAugmentation, batch: Batch, classifier: nn.Module, rng: torch.Generator) -> Batch:
    """Send those that chance chooses through the operator together; the others stay.

    One alone would have no partner, so it stays as well.
    """
    chosen = torch.nonzero(chance.draw_uniform((len(batch),), rng) < move.probability).flatten()
    if len(chosen) < min(2, len(batch)):
        return batch
    bench = Bench(move.space, classifier, rng)
    if len(chosen) == len(batch):
        return move.operator(batch, bench)
    chosen = chosen.to(batch.images.device)
    after = move.operator(_select_rows(batch, chosen), bench)
    return Batch(
        batch.images.index_copy(0, chosen, after.images.to(batch.images)),
        batch.targets.index_copy(0, chosen, after.targets),
    )


def _make_optimiser(config: Config, parameters: list[nn.Parameter]) -> Optimizer:
    if config.optimiser == "adamw":
        return AdamW(parameters, config.rate, weight_decay=config.decay)
    return SGD(parameters, config.rate, 0.9, weight_decay=config.decay, nesterov=True)


def adapts_to_classifier(operator: Operator) -> bool:
    """Say whether it looks at the classifier, so that it moves images otherwise from update to update."""
    return isinstance(operator, LatentOperator) and operator.needs_classifier
