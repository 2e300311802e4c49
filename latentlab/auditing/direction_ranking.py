"""The directions of a space in the order in which the decision follows them: figures of their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentlab.auditing.sensitivity import PART, DirectionEvent
from latentlab.metrics import Estimate, estimate_mean, estimate_share

FEWEST_OF_CLASS = 5  # images, below which the interval of a class says nothing
MOST_CHANGE = 0.5  # a σ: everything moves between −1 and +1


@dataclass(frozen=True)
class ShownDirection:
    """An image one σ to either side as PNG in base64, the row of its original, and what the classifier sees."""

    row: int
    less: str
    more: str
    words: str


@dataclass(frozen=True, eq=False)
class RankedDirection:
    """What one σ along it does; `toward` and `away` are the classes that gain and lose most in most images."""

    name: str
    kind: str
    change: Estimate  # of the probabilities, half their total variation
    crossed: Estimate  # share of the images whose class differs between −1 and +1 σ
    toward: tuple[str, Estimate]
    away: tuple[str, Estimate]
    by_class: tuple[Estimate | None, ...]  # the change, of the images of each label
    shown: tuple[ShownDirection, ...]  # the most changed first

    @property
    def is_named(self) -> bool:
        """Say whether the page's move along directions knows it."""
        return self.kind != PART


def rank_directions(events: Sequence[DirectionEvent], classes: Sequence[str]) -> dict[str, tuple[RankedDirection, ...]]:
    """Rank the directions of each space by the mean change of the decision."""
    spaces: dict[str, dict[str, list[DirectionEvent]]] = {}
    for event in events:
        spaces.setdefault(event["space"], {}).setdefault(event["direction"], []).append(event)
    return {
        space: tuple(
            sorted((_read_direction(told, classes) for told in found.values()), key=lambda one: -one.change.value)
        )
        for space, found in spaces.items()
    }


def _read_direction(told: Sequence[DirectionEvent], classes: Sequence[str]) -> RankedDirection:
    told = sorted(told, key=lambda event: event["chunk"])
    change, labels = _join(told, "change").double(), _join(told, "label")
    shown = [(_join([event], "change")[one["place"]], event, one) for event in told for one in event["shown"]]
    shown.sort(key=lambda found: -float(found[0]))
    return RankedDirection(
        name=told[0]["direction"],
        kind=told[0]["kind"],
        change=estimate_mean(change),
        crossed=estimate_share((_join(told, "before") != _join(told, "after")).float()),
        toward=_find_commonest(_join(told, "gains"), classes),
        away=_find_commonest(_join(told, "loses"), classes),
        by_class=tuple(_estimate_class(change[labels == number]) for number in range(len(classes))),
        shown=tuple(_read_shown(event, one, classes) for _, event, one in shown),
    )


def _join(told: Sequence[DirectionEvent], name: str) -> Tensor:
    return torch.tensor([value for event in told for value in event[name]])


def _find_commonest(numbers: Tensor, classes: Sequence[str]) -> tuple[str, Estimate]:
    number = int(torch.bincount(numbers).argmax())
    return classes[number], estimate_share((numbers == number).float())


def _estimate_class(values: Tensor) -> Estimate | None:
    if len(values) < FEWEST_OF_CLASS:
        return None
    found = estimate_mean(values)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, MOST_CHANGE))


def _read_shown(event: DirectionEvent, one: Mapping[str, Any], classes: Sequence[str]) -> ShownDirection:
    place = one["place"]
    before, after = (classes[event[name][place]] for name in ("before", "after"))
    words = f"{before} at either side" if before == after else f"{before} → {after}"
    return ShownDirection(event["rows"][place], one["less"], one["more"], words)


def find_most_changed_class(ranked: RankedDirection) -> tuple[int, Estimate] | None:
    """Return the number of the class whose images follow most, and how far; None where no class has an interval."""
    known = [(number, found) for number, found in enumerate(ranked.by_class) if found is not None]
    return max(known, key=lambda pair: pair[1].value, default=None)
