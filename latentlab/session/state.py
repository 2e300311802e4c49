"""What a visitor's page remembers: names and small values on the CPU, changed only by making a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from latentlab.images import CropBox, ImageTensor, round_levels
from latentlab.operators.latent_operator import LatentOperator
from latentlab.types import Images


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture and where it came from; `labels` are its true classes where a data set names them."""

    image: Images  # one, of 256 levels, at the world's size
    origin: str
    labels: frozenset[str] | None = None
    name: str = ""  # by which it is found again; empty for one that somebody brought


def make_picture(picture: ImageTensor, origin: str, name: str = "") -> Picture:
    """Make a `Picture` of what was read, rounded to 256 levels."""
    return Picture(round_levels(picture[None]), origin, name=name)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture that somebody brought, larger than the networks' images, and the part of it that is used."""

    picture: Image.Image
    box: CropBox
    told: str = ""  # how the box was found; empty where a hand has chosen it


@dataclass(frozen=True)
class Prediction:
    """What the networks say of one picture: a probability a class, and the flow's bits per dimension."""

    probabilities: tuple[float, ...] = ()
    bits: float | None = None

    @property
    def best_class(self) -> int:
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A model's encoding decoded again, and how near it is in dB."""

    image: Images
    psnr: float


@dataclass(frozen=True, eq=False)
class Result:
    """What the tools made of the input. `distance` is Euclidean in image space, from the input."""

    tool: LatentOperator
    image: Images  # of 256 levels: what is shown is what was read and what is saved
    prediction: Prediction
    distance: float
    label: tuple[float, ...] = ()  # the soft label that training would use


@dataclass(frozen=True, eq=False)
class AttackTrace:
    """One attack so far: a point a step, and where it stands. Distances are from the clean path."""

    losses: tuple[float, ...]  # nats
    margins: tuple[float, ...]  # logits; below 0 the label is lost
    distances: tuple[float, ...]
    steps: tuple[Result, ...]

    @property
    def last_result(self) -> Result:
        return self.steps[-1]


@dataclass(frozen=True, eq=False)
class Refinement:
    """An encoding on its way to a better one: the step that is done, of how many, and how it rebuilds now."""

    step: int
    steps: int
    reconstruction: Reconstruction


@dataclass(frozen=True, eq=False)
class PinnedPicture:
    """A picture kept in sight to compare others with, and what the networks say of it."""

    picture: Picture
    prediction: Prediction


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """A view to come back to: all that it is made from, and a small picture of its result."""

    number: int
    world: str
    model: str
    classifier: str
    source: Picture
    partner: Picture
    tool: LatentOperator
    seed: int
    refined: frozenset[str]
    small: Images


PictureSource = Literal[
    "test", "train", "drawn"
]  # rows of the data set; or samples of the world's model, by their seeds


@dataclass(frozen=True)
class Selection:
    """Pictures chosen together, and a second set to set them against."""

    source: PictureSource = "test"
    rows: tuple[int, ...] = ()  # rising
    others: tuple[int, ...] = ()  # the second set, rising


@dataclass(frozen=True, eq=False)
class Session:
    world: str
    model: str
    classifier: str  # empty where the world has none
    classes: tuple[str, ...]
    source: Picture
    partner: Picture
    before: Prediction
    rebuilt: Mapping[str, Reconstruction | str]  # by every model of the world; or why a model cannot
    result: Result
    seed: int = 0
    second: str = ""  # a classifier that reads beside the first; empty for none
    selection: Selection = Selection()
    pinned: PinnedPicture | None = None
    refined: frozenset[str] = frozenset()  # models in which the input's encoding was improved
    refining: Refinement | None = None
    drawn: int = 99  # seed of the last sample from the prior
    filling: Literal["input", "partner"] = "input"  # where the next picture goes
    trace: tuple[AttackTrace, AttackTrace | None] | None = (
        None  # of the last attack and of its control; none before it has ended
    )
    doubts: tuple[str, ...] = ()  # why not to trust the attack
    photo: Photo | None = None
    history: tuple[HistoryEntry, ...] = ()  # the last views, newest last
    milliseconds: float = 0.0
    notice: str = ""  # a line about what could not be carried over
