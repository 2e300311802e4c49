"""Designs of runs that answer a question by themselves: a move and its baseline, small enough for a minute.

They are arms of the experiments behind docs/findings.md, which `latentlab reproduce` runs in full.
"""

from __future__ import annotations

from dataclasses import dataclass

from latentlab.errors import UserError
from latentlab.session.runs.training import plan_runs
from latentlab.training.augmented import Augmentation, Config


@dataclass(frozen=True)
class RunDesign:
    """A run with a move; its baseline is the same without."""

    title: str
    about: str
    config: Config
    seeds: tuple[int, ...] = (0,)


BIASED = Config(
    world="digits-biased",
    network="resnet",
    augmentations=(Augmentation("randmix"),),
    fraction=0.2,
    validation=0.0,
    batch=32,
    epochs=0.0,
    steps=100,
)
MISLABELLED = Config(
    world="digits-mislabelled",
    network="resnet",
    augmentations=(Augmentation("k-mixup", {"k": 16}),),
    fraction=0.1,
    validation=0.0,
    batch=128,
    epochs=0.0,
    steps=150,
)
DESIGNS: dict[str, RunDesign] = {
    "biased": RunDesign(
        "the biased digits, in one minute",
        "Nine of ten training digits wear their class's hue; RandMix against standard training, 100 updates each.",
        BIASED,
    ),
    "mislabelled": RunDesign(
        "wrong labels",
        "Four of ten training labels are wrong; k-mixup against standard training, 150 updates each.",
        MISLABELLED,
    ),
}


def find_design(name: object) -> RunDesign:
    if name not in DESIGNS:
        raise UserError(f"There is no design {str(name)[:40]!r}; choose one of {', '.join(DESIGNS)}.")
    return DESIGNS[str(name)]


def plan_design(design: RunDesign) -> list[tuple[str, Config]]:
    """Return the design's runs with their names, each beside its baseline."""
    method = ", then ".join(move.method for move in design.config.augmentations)
    return plan_runs(design.config, design.seeds, True, f"{design.title}: {method}")
