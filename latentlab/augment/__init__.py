"""This module puts a recipe to work in somebody else's training loop."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import get_worker_info

from latentlab import recipe as recipes
from latentlab.augment.inputs import prepare_images, prepare_targets
from latentlab.errors import UserError
from latentlab.operators import LatentOperator, decode, encode
from latentlab.recipe import Recipe
from latentlab.store import Store
from latentlab.torch_modes import use_plain_modes
from latentlab.types import Batch, Targets

SEED_STRIDE = 0x9E3779B97F4A7C15  # recipes of neighbouring seeds do not meet each other's workers


class Augment:
    """`augment(images, labels) -> images, targets`, both on the device of the images; labels are numbers or soft rows.

    Images come back in their own float type. Labels may be `(N,)` or `(N, 1)` class numbers, one-hot or soft rows.
    Chance begins at the recipe's seed and goes on from call to call: the same loop gives the same bits. In the workers
    of a `DataLoader` it begins at the recipe's seed and the worker's own, which the loader draws anew each epoch:
    workers and epochs differ, and the same `torch.manual_seed` (or the loader's `generator`) repeats them. `classifier`
    takes the place of the recipe's: give the network in training and the attack adapts to it, as in the papers.
    `classes` is needed only where neither the classifier nor the model says how many there are. A network that is not
    the one of the recipe, by its digest, is warned of.
    """

    def __init__(
        self,
        recipe: str | Path | dict[str, Any] | Recipe,
        store: Store,
        classifier: nn.Module | None = None,
        classes: int | None = None,
    ) -> None:
        self.recipe, self.store, self.own_classifier = _read_recipe(recipe), store, classifier
        self.operator = self.recipe.make_operator()
        named = store.bench(self.recipe.model, self.recipe.classifier if classifier is None else None, self.recipe.seed)
        self.bench = replace(named, classifier=named.classifier if classifier is None else classifier)
        self.device = store.device
        self.classes = classes or _count_classes(self.bench.classifier, store, self.recipe.model)
        self.worker_seed: int | None = None
        _compare_digests(self.recipe, store, own_classifier=classifier is not None)

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Targets]:
        with use_plain_modes(), torch.no_grad():
            self._follow_worker()
            given = prepare_images(images)
            targets = prepare_targets(labels, len(images), self.classes)
            if not len(images):
                return images.clone(), targets.to(images.device)
            batch = Batch(given.to(self.device), targets.to(self.device))
            moved = self._move_refined(batch) if self.recipe.refine else self.operator(batch, self.bench)
            return moved.images.to(images.device, images.dtype), moved.targets.to(images.device)

    def __getstate__(self) -> dict[str, Any]:
        """Send the recipe and where the networks lie: a worker that is spawned reads them itself."""
        return {
            "made of": (self.recipe, self.store, self.own_classifier, self.classes),
            "chance": self.bench.rng.get_state().numpy().tobytes(),  # a tensor would be shared, not sent
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it was said where the first was made
            self.__init__(*state["made of"])
        self.bench.rng.set_state(torch.frombuffer(bytearray(state["chance"]), dtype=torch.uint8))

    def _follow_worker(self) -> None:
        """Begin chance anew where a worker of a loader has begun: each has a copy of the same generator."""
        worker = get_worker_info()
        if worker is not None and worker.seed != self.worker_seed:
            self.worker_seed = worker.seed
            self.bench.rng.manual_seed((self.recipe.seed * SEED_STRIDE + worker.seed) % 2**63)

    def _move_refined(self, batch: Batch) -> Batch:
        """Return the move from an encoding that was improved first, as the recipe says."""
        if not isinstance(self.operator, LatentOperator):
            raise UserError(f"{self.recipe.operator} does not encode; take `refine` out of the recipe.")
        latents, targets = self.operator.move(
            encode(self.bench.model, batch.images, self.recipe.refine), batch, self.bench
        )
        return Batch(decode(self.bench.model, latents), targets)


def _read_recipe(recipe: str | Path | dict[str, Any] | Recipe) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, dict):
        return recipes.parse_recipe(json.dumps(recipe))
    try:
        return recipes.parse_recipe(Path(recipe).read_bytes())
    except OSError as error:
        raise UserError(f"{recipe} cannot be read: {error.strerror}. Give a recipe exported from LatentLab.") from error


def _count_classes(classifier: nn.Module | None, store: Store, model: str) -> int:
    return len(getattr(classifier, "classes", ()) or store.card(model).classes)


def _compare_digests(recipe: Recipe, store: Store, own_classifier: bool) -> None:
    """Warn of a network that has other weights than the one with which the recipe was made."""
    pairs = [(recipe.model, recipe.model_digest)]
    if recipe.classifier and not own_classifier:
        pairs.append((recipe.classifier, recipe.classifier_digest or ""))
    for name, digest in pairs:
        if digest and (found := store.digest(name)) != digest:
            warnings.warn(
                f"{name} is not the network of the recipe: its digest is {found}, the recipe's {digest}; moves differ.",
                stacklevel=3,
            )
