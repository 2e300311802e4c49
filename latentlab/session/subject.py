"""What a lesson looks at: a few pictures, moved and unmoved, as the classifier and the flow of a world find them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from latentlab.errors import UserError
from latentlab.operators import Operator, clean, distance
from latentlab.session import sets
from latentlab.session.desk import Desk, levels
from latentlab.session.sets import Sight
from latentlab.session.state import Session
from latentlab.session.verbs import on_device
from latentlab.types import Batch, DensityModel, Images

WORLD = "digits"  # its networks are small enough for a laptop
COUNT, FEWER, SHOWN = 32, 16, 8  # pictures of it; of other worlds; those that are shown


@dataclass(frozen=True, eq=False)
class Strip:
    """Some pictures of one kind, with what a classifier sees in them; `changed` are those it answers otherwise."""

    title: str
    images: Images
    seen: tuple[Sight, ...]
    changed: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Moved:
    """A batch before and after a move, as the classifier and the flow find them."""

    before: Images
    after: Images

    @property
    def far(self) -> float:
        return float(distance(self.after, self.before).mean())


class Subject:
    """The pictures of a lesson, with its models and its classifier."""

    def __init__(self, desk: Desk, session: Session, count: int | None = None) -> None:
        self.desk, self.session = desk, session
        usual = COUNT if session.world == WORLD else FEWER
        pictures, self.origin = sets.in_hand(desk, session, count or usual)
        images = torch.cat([picture.image for picture in pictures])
        self.batch = on_device(desk, Batch(images, sets.targets_of(desk, session, pictures)))

    @property
    def count(self) -> int:
        return len(self.batch)

    def model(self, kind: str) -> str:
        """The world's model of this kind."""
        desk, world = self.desk, self.session.world
        name = next((name for name in desk.store.models(world) if desk.store.card(name).kind == kind), None)
        if name is None:
            raise UserError(f"This lesson needs a {kind} of {world}, and there is none; choose digits.")
        return name

    def move(self, kind: str, tool: Operator, classifier: str | None = None) -> Moved:
        """All pictures moved in the space of this kind, by the draws of seed 0."""
        name, chosen = self.model(kind), self.session.classifier if classifier is None else classifier
        bench = self.desk.store.bench(name, chosen or None, 0)
        return Moved(levels(clean(self.batch, bench)), levels(tool(self.batch, bench).images))

    def size(self, kind: str) -> float:
        """√D, the typical length of a code."""
        return math.sqrt(self.desk.latents(self.model(kind), self.batch.images[:1]).flat.shape[1])

    @torch.no_grad()
    def surprise(self, moved: Moved) -> float:
        """Mean rise in bits/dim under the world's flow."""
        flow = self.desk.store.load(self.model("glow"))
        assert isinstance(flow, DensityModel)
        before, after = (
            flow.log_prob(images.to(self.desk.store.device)).mean() for images in (moved.before, moved.after)
        )
        return float(before - after) / math.log(2) / moved.before[0].numel()

    def labels(self, images: Images, classifier: str = "") -> tuple[Sight, ...]:
        session = replace(self.session, classifier=classifier or self.session.classifier)
        if not session.classifier:
            raise UserError(f"This lesson needs a classifier, and {session.world} has none; choose digits.")
        return sets.seen(self.desk, session, images)

    def changed(self, moved: Moved, classifier: str = "") -> tuple[bool, ...]:
        """Whose class is another one after the move."""
        both = (self.labels(images, classifier) for images in (moved.before, moved.after))
        return tuple(a.label != b.label for a, b in zip(*both, strict=True))

    def right(self, images: Images, classifier: str = "") -> float:
        """Share of pictures whose class is seen."""
        true = self.batch.targets.argmax(1).tolist()
        return share([s.label == label for s, label in zip(self.labels(images, classifier), true, strict=True)])

    def strip(self, title: str, images: Images, changed: Sequence[bool] = (), classifier: str = "") -> Strip:
        some = images[:SHOWN]
        marks = tuple(changed[:SHOWN]) or (False,) * len(some)
        return Strip(title, some, self.labels(some, classifier), marks)


def share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)
