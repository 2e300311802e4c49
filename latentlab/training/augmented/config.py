"""A config says what a run is asked to do: knobs, so that form, flags and JSON follow."""

from __future__ import annotations

import json
import shlex
from dataclasses import field
from typing import Annotated, Any, Literal

from latentlab.errors import UserError
from latentlab.knobs import Knob, list_changed_knobs, tool
from latentlab.models.kinds import list_classifier_kinds
from latentlab.operators import METHODS, make_operator
from latentlab.types import Operator

TRAINABLE_NETWORKS = tuple(reversed(list_classifier_kinds()))


@tool
class Augmentation:
    """One move that a share of the images of every batch goes through."""

    method: Annotated[str, Knob("operator, published method or corruption")] = "randomized-la"
    settings: Annotated[dict[str, Any], Knob("its knobs that differ from its own")] = field(default_factory=dict)
    space: Annotated[str, Knob("latent model; empty for the one that the method was made for")] = ""
    probability: Annotated[float, Knob("that an image goes through it", 0, 1)] = 1.0

    def build_operator(self) -> Operator:
        return make_operator(self.method, self.settings)

    def choose_space(self, world: str) -> str:
        """Return the name of its latent model in the world of this name, a `Dataset.name`: that of the networks."""
        made_for = METHODS[self.method].space if self.method in METHODS else "any"
        return self.space or f"{world}-{'pixels' if made_for == 'any' else made_for}"


@tool
class Config:
    """A classifier, what it learns from, and how; the first budget that is used up ends the run."""

    world: Annotated[str, Knob("data set")] = "digits"
    attribute: Annotated[str, Knob("if labels are attributes, the one to learn; empty for the best known")] = ""
    network: Annotated[str, Knob("classifier from scratch", choices=TRAINABLE_NETWORKS)] = "resnet"
    parent: Annotated[str, Knob("checkpoint to go on from instead; empty for none")] = ""
    augmentations: Annotated[tuple[Augmentation, ...], Knob("moves, one after the other", 0, 8)] = ()
    standard: Annotated[bool, Knob("crop every image first, and mirror it where the data allow")] = True
    clean: Annotated[float, Knob("share of every batch that the moves leave alone", 0, 1)] = 0.0
    fraction: Annotated[float, Knob("share of the training images, the same of every class", 0.001, 1)] = 1.0
    rows: Annotated[tuple[int, ...], Knob("training images to learn from; none for all")] = ()
    validation: Annotated[float, Knob("share of those that is held out to judge by", 0, 0.5)] = 0.1
    optimiser: Annotated[Literal["sgd", "adamw"], Knob("SGD with Nesterov momentum 0.9, or AdamW")] = "adamw"
    rate: Annotated[float, Knob("highest learning rate", 0.00001, 1)] = 0.003
    decay: Annotated[float, Knob("weight decay", 0, 0.1)] = 5e-4
    schedule: Annotated[
        Literal["cosine", "fifths", "tenths", "constant"],
        Knob("of the rate: a cycle; ×0.2 at 30, 60, 80 % (Yuksel); ×0.1 at 50, 75 % (k-mixup); none"),
    ] = "cosine"
    epochs: Annotated[float, Knob("budget of passes through the data; 0 for no limit", 0, 1000)] = 10.0
    steps: Annotated[int, Knob("budget of updates; 0 for no limit", 0, 10_000_000)] = 0
    minutes: Annotated[float, Knob("budget of time; 0 for no limit", 0, 10_000, unit="min")] = 0.0
    batch: Annotated[int, Knob("images an update", 1, 4096)] = 64
    average: Annotated[float, Knob("decay of the moving average of the weights; 0 for none", 0, 0.9999)] = 0.99
    smoothing: Annotated[float, Knob("label smoothing", 0, 0.5)] = 0.0
    bf16: Annotated[bool, Knob("half precision where the device gains from it")] = True
    seed: Annotated[int, Knob("of everything that is drawn", 0, 2**31 - 1)] = 0

    def require_budget(self) -> None:
        """Refuse a run without an end."""
        if not (self.epochs or self.steps or self.minutes):
            raise UserError("The run has no budget; give epochs, steps or minutes above 0.")


def format_train_command(config: Config) -> str:
    """Return the line that asks for the same; which rows were chosen is left to the recipe."""
    words = ["latentlab", "train", "--data", config.world]
    for name, value in list_changed_knobs(config).items():
        flag = f"--{name.replace('_', '-')}"
        if name == "augmentations":
            words += [word for step in config.augmentations for word in ("--augment", _format_augmentation(step))]
        elif isinstance(value, bool):
            words.append(flag if value else f"--no-{name}")
        elif name not in ("rows", "world"):
            words += [flag, str(value)]
    return shlex.join(words)


def _format_augmentation(step: Augmentation) -> str:
    return json.dumps(list_changed_knobs(step)) if set(list_changed_knobs(step)) - {"method"} else step.method
