"""Two classifiers trained while one waits: on the biased digits as they are, and with RandMix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from latentlab import datasets, models
from latentlab.datasets import Split
from latentlab.session.runs.designs import BIASED
from latentlab.store import Store
from latentlab.training.augmented import Config, RunFiles, train_classifier

RACE_SEEDS = (0, 1, 2)  # paired: both classifiers of a seed begin alike and see the same digits
COLOURED_COUNT = 512  # digits of the biased set
PART_SIZE = 128  # digits classified at a time


@dataclass(frozen=True, eq=False)
class RaceResult:
    """The share of digits that each classifier reads, a number a seed: on test digits of any hue, and on digits in the
    hue of their class.
    """

    standard: Tensor
    swapped: Tensor
    standard_coloured: Tensor
    swapped_coloured: Tensor


def run_race(store: Store) -> Iterator[RaceResult | None]:
    """Yield None while the classifiers learn, at last what they read."""
    rows: dict[str, list[tuple[float, float]]] = {"standard": [], "swapped": []}
    for seed in RACE_SEEDS:
        for name, config in (("standard", replace(BIASED, augmentations=())), ("swapped", BIASED)):
            for network in _train_network(replace(config, seed=seed), store):
                yield None
                if network is not None:
                    rows[name].append(_measure_network(network, store.device))
    plain, coloured = zip(*(torch.tensor(rows[name]).T for name in ("standard", "swapped")), strict=True)
    yield RaceResult(*plain, *coloured)


def _train_network(config: Config, store: Store) -> Iterator[nn.Module | None]:
    with TemporaryDirectory() as folder:
        files = RunFiles(resume=Path(folder) / "state", out=Path(folder) / "classifier.safetensors")
        for _ in train_classifier(config, store, files):
            yield None
        yield models.load_network(files.out, store.device)[1]


def _measure_network(network: nn.Module, device: torch.device) -> tuple[float, float]:
    test, coloured = datasets.load_world("digits").test, datasets.load_world(BIASED.world).train
    return _read_digits(network, test, len(test), device), _read_digits(network, coloured, COLOURED_COUNT, device)


@torch.no_grad()
def _read_digits(network: nn.Module, split: Split, count: int, device: torch.device) -> float:
    """Return the share of the first so many digits that the network reads."""
    right = 0
    for start in range(0, count, PART_SIZE):
        images, labels = split.take_batch(slice(start, min(count, start + PART_SIZE)))
        right += int((network(images.to(device)).argmax(1).cpu() == labels).sum())
    return right / count
