"""This module puts a recipe to work in somebody else's training loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn
from torch.nn.functional import one_hot

from latentlab import recipe as recipes
from latentlab.errors import UserError
from latentlab.operators import LatentOperator, decode, encode
from latentlab.recipe import Recipe
from latentlab.store import Store
from latentlab.types import Batch, Images, Targets


class Augment:
    """`augment(images, labels) -> images, targets`, both on the device of the images; labels are numbers or soft rows.

    Chance begins at the recipe's seed and goes on from call to call: the same loop gives the same bits. `classifier`
    takes the place of the recipe's: give the network in training and the attack adapts to it, as in the papers.
    `classes` is needed only where neither the classifier nor the model says how many there are.
    """

    def __init__(
        self,
        recipe: str | Path | dict[str, Any] | Recipe,
        store: Store,
        classifier: nn.Module | None = None,
        classes: int | None = None,
    ) -> None:
        self.recipe = _read_recipe(recipe)
        self.operator = self.recipe.make_operator()
        named = store.bench(self.recipe.model, self.recipe.classifier if classifier is None else None, self.recipe.seed)
        self.bench = replace(named, classifier=named.classifier if classifier is None else classifier)
        self.device = store.device
        self.classes = classes or _count_classes(self.bench.classifier, store, self.recipe.model)

    @torch.no_grad()
    def __call__(
        self, images: Num[Tensor, "B C H W"], labels: Int[Tensor, " B"] | Float[Tensor, "B K"]
    ) -> tuple[Images, Targets]:
        batch = Batch(_check_range(images).to(self.device), self._make_targets(labels).to(self.device))
        moved = self._move_refined(batch) if self.recipe.refine else self.operator(batch, self.bench)
        return moved.images.to(images.device), moved.targets.to(images.device)

    def _move_refined(self, batch: Batch) -> Batch:
        """Return the move from an encoding that was improved first, as the recipe says."""
        if not isinstance(self.operator, LatentOperator):
            raise UserError(f"{self.recipe.operator} does not encode; take `refine` out of the recipe.")
        latents, targets = self.operator.move(
            encode(self.bench.model, batch.images, self.recipe.refine), batch, self.bench
        )
        return Batch(decode(self.bench.model, latents), targets)

    def _make_targets(self, labels: Tensor) -> Targets:
        if labels.ndim == 2:
            return labels.float()
        if not self.classes:
            raise UserError("How many classes there are is not known; give Augment(…, classes=10) or soft labels.")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
            raise UserError(f"Labels are {labels.min()} to {labels.max()}; the classes are 0 to {self.classes - 1}.")
        return one_hot(labels.long(), self.classes).float()


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


def _check_range(images: Num[Tensor, "B C H W"]) -> Images:
    if not images.is_floating_point():
        raise UserError("The images are whole numbers; divide them by 255 so that they are from 0 to 1.")
    if len(images) and not 0 <= float(images.min()) <= float(images.max()) <= 1:
        found = f"from {images.min():.3g} to {images.max():.3g}"
        raise UserError(f"The images are {found}; augment them in [0, 1], before normalising.")
    return images
