"""An experiment is a table of arms times seeds, the figures measured in each, and the claims that they are to judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.models.networks import NetworkSource

Scores = dict[str, list[float]]  # figure to its value for each seed
ArmSettings = dict[str, Any]  # what an arm came down to, ready for JSON


@dataclass(frozen=True)
class Effort:
    """How much is spent: seeds, updates of each training, and images that a measurement looks at."""

    seeds: int
    steps: int
    images: int


@dataclass(frozen=True)
class Figure:
    """What is measured of an arm; a share is written in per cent."""

    title: str
    is_share: bool = True
    higher_is_better: bool = True
    is_plotted: bool = True


@dataclass(frozen=True)
class Claim:
    """`arm` is better than `other` by this figure; one that no paper makes is a control."""

    text: str
    arm: str
    other: str
    figure: str
    is_published: bool = False


@dataclass(frozen=True)
class Cell:
    """One arm with one seed, or with all of them where they are measured together."""

    arm: str
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        first, last = self.seeds[0], self.seeds[-1]
        return re.sub(r"[^\w.-]+", "_", self.arm) + f"-{first}" + (f"-{last}" if last > first else "")


@dataclass(frozen=True)
class Experiment:
    """A paper's claim, tested: `settle_arms` says what each arm is, `measure_cell` measures one."""

    title: str
    paper: str
    full: Effort
    quick: Effort
    figures: Mapping[str, Figure]
    claims: tuple[Claim, ...]
    settle_arms: Callable[[Effort, NetworkSource], dict[str, ArmSettings]]
    measure_cell: Callable[[Cell, ArmSettings, Effort, Path, NetworkSource], Scores]
    derive_figures: Callable[[dict[str, Scores]], dict[str, Scores]] = lambda found: found
    measures_seeds_together: bool = False
    notes: tuple[str, ...] = ()  # what a reader of the table must know

    def list_cells(self, arms: Mapping[str, Any], effort: Effort) -> list[Cell]:
        """List all arms of one seed first: an unfinished table is already fair."""
        if self.measures_seeds_together:
            return [Cell(arm, tuple(range(effort.seeds))) for arm in arms]
        return [Cell(arm, (seed,)) for seed in range(effort.seeds) for arm in arms]
