"""What a lesson looks at: a few pictures, moved and unmoved, as the classifier and the flow of a world find them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.operators import Operator, measure_distance, rebuild_images
from latentlab.session import mixing
from latentlab.session.actions import put_batch_on_device
from latentlab.session.mixing import TopClass
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.types import Batch, DensityModel, Images

LESSON_WORLD = "digits"  # its networks are small enough for a laptop
LESSON_PICTURES, OTHER_WORLD_PICTURES, SHOWN_PICTURES = (
    32,
    16,
    8,
)  # pictures of it; of other worlds; those that are shown


@dataclass(frozen=True, eq=False)
class PictureStrip:
    """Some pictures of one kind, with what a classifier sees in them; `changed` are those it answers otherwise."""

    title: str
    images: Images
    seen: tuple[TopClass, ...]
    changed: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class MovedPictures:
    """A batch before and after a move, as the classifier and the flow find them."""

    before: Images
    after: Images

    @property
    def mean_distance(self) -> float:
        return float(measure_distance(self.after, self.before).mean())


class LessonSubject:
    """The pictures of a lesson, with its models and its classifier."""

    def __init__(self, workspace: Workspace, session: Session, count: int | None = None) -> None:
        self.workspace, self.session = workspace, session
        usual = LESSON_PICTURES if session.world == LESSON_WORLD else OTHER_WORLD_PICTURES
        pictures, self.origin = mixing.choose_pictures(workspace, session, count or usual)
        images = torch.cat([picture.image for picture in pictures])
        self.batch = put_batch_on_device(
            workspace, Batch(images, mixing.make_picture_targets(workspace, session, pictures))
        )

    @property
    def picture_count(self) -> int:
        return len(self.batch)

    def find_model(self, kind: str) -> str:
        """Return the name of the world's model of this kind."""
        workspace, world = self.workspace, self.session.world
        name = next(
            (name for name in workspace.store.list_models(world) if workspace.store.card(name).kind == kind), None
        )
        if name is None:
            raise UserError(f"This lesson needs a {kind} of {world}, and there is none; choose digits.")
        return name

    def move_pictures(self, kind: str, tool: Operator, classifier: str | None = None) -> MovedPictures:
        """Move all pictures in the space of this kind, by the draws of seed 0."""
        name, chosen = self.find_model(kind), self.session.classifier if classifier is None else classifier
        bench = self.workspace.store.bench(name, chosen or None, 0)
        return MovedPictures(
            round_levels(rebuild_images(self.batch, bench)), round_levels(tool(self.batch, bench).images)
        )

    def measure_code_length(self, kind: str) -> float:
        """Return √D, the typical length of a code."""
        return math.sqrt(self.workspace.encode_pictures(self.find_model(kind), self.batch.images[:1]).flat.shape[1])

    @torch.no_grad()
    def measure_surprises(self, moved: MovedPictures) -> Float[Tensor, " B"]:
        """Return the rise in bits/dim of each picture under the world's flow."""
        flow = self.workspace.store.load(self.find_model("glow"))
        assert isinstance(flow, DensityModel)
        before, after = (
            flow.log_prob(images.to(self.workspace.store.device)) for images in (moved.before, moved.after)
        )
        return (before - after).cpu() / math.log(2) / moved.before[0].numel()

    def classify_images(self, images: Images, classifier: str = "") -> tuple[TopClass, ...]:
        session = replace(self.session, classifier=classifier or self.session.classifier)
        if not session.classifier:
            raise UserError(f"This lesson needs a classifier, and {session.world} has none; choose digits.")
        return mixing.find_top_classes(self.workspace, session, images)

    def find_changes(self, moved: MovedPictures, classifier: str = "") -> tuple[bool, ...]:
        """Say of each picture whether its class is another one after the move."""
        both = (self.classify_images(images, classifier) for images in (moved.before, moved.after))
        return tuple(a.label != b.label for a, b in zip(*both, strict=True))

    def mark_correct(self, images: Images, classifier: str = "") -> tuple[bool, ...]:
        """Say of each picture whether its class is seen."""
        true = self.batch.targets.argmax(1).tolist()
        return tuple(s.label == label for s, label in zip(self.classify_images(images, classifier), true, strict=True))

    def make_strip(
        self, title: str, images: Images, changed: Sequence[bool] = (), classifier: str = ""
    ) -> PictureStrip:
        some = images[:SHOWN_PICTURES]
        marks = tuple(changed[:SHOWN_PICTURES]) or (False,) * len(some)
        return PictureStrip(title, some, self.classify_images(some, classifier), marks)


def average_flags(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)
