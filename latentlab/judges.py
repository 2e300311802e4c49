"""Which classifier of a world is asked whether a picture is still what it was: one order for the whole project."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from latentlab.errors import UserError
from latentlab.models import Card
from latentlab.models.kinds import list_judge_kinds
from latentlab.models.networks import NetworkSource


def list_judges(world: str, barred: Collection[str] = ()) -> Iterator[str]:
    """Return the world's own classifiers in the order in which they are asked, without those that are parties."""
    return (name for kind in list_judge_kinds() if (name := f"{world}-{kind}") not in barred)


def rank_judge(world: str, name: str) -> int:
    """Return how many of the world's judges are asked before the classifier of this name, or one of its heads."""
    base = name.partition(":")[0]
    return next((rank for rank, judge in enumerate(list_judges(world)) if judge == base), len(list_judge_kinds()))


def find_borrowed_classifiers(card: Card) -> tuple[str, ...]:
    """Return the classifiers whose features the fit of a network looked at, as its command says."""
    return tuple(re.findall(r"--eye ([\w-]+)\.safetensors", card.command))


def find_judge(networks: NetworkSource, world: str, classes: Sequence[str], barred: Collection[str] = ()) -> str | None:
    """Return the first judge that tells these classes apart and is no party; of two classes it may be a head."""
    for name in list_judges(world, barred):
        for asked in (f"{name}:{classes[1]}", name) if len(classes) == 2 else (name,):
            if _tells_apart(networks, asked, tuple(classes)):
                return asked
    return None


def _tells_apart(networks: NetworkSource, name: str, classes: tuple[str, ...]) -> bool:
    try:
        return tuple(getattr(networks.load(name), "classes", ())) == classes
    except UserError:
        return False
