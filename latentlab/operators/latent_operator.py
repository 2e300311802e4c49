"""Every latent operator does this around its move: encode before, decode after; and it says how it is to be shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.knobs import KNOB_LETTERS, Setting, list_settings
from latentlab.operators.move_path import MovePath, grow_knob
from latentlab.torch_modes import copy_inference_tensor
from latentlab.types import Batch, Bench, Images, Labels, LatentModel, Latents, RefinableModel, Targets

if TYPE_CHECKING:
    from latentlab.operators.attack import Attack


@dataclass(frozen=True)
class MoveVariants:
    """`MoveVariants` are other settings of a move that are worth a look beside it, by what people call them."""

    title: str = ""
    moves: Mapping[str, LatentOperator] = field(default_factory=dict)


class LatentOperator(ABC):
    """An operator on latents. A call is encode, move, decode, clamp; who has encoded already calls `move_encoded`.

    An operator says by traits what it needs and how it is shown, so nobody else has to know its class. Their defaults
    hold for a move of one picture along one number.
    """

    needs_partner: ClassVar[bool] = False  # a second picture stands behind the first in the batch
    mixes_labels: ClassVar[bool] = False

    @abstractmethod
    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        """Return where the latents of `batch` go, and the targets that go with them."""

    def find_partners(self, latents: Latents, batch: Batch, bench: Bench) -> Labels | None:
        """Return the row that each row meets in a move by the same chance; None where none is met."""
        return None

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(self, batch: Batch, bench: Bench) -> Batch:
        batch = Batch(copy_inference_tensor(batch.images), copy_inference_tensor(batch.targets))
        return self.move_encoded(encode(bench.model, batch.images), batch, bench)

    @torch.no_grad()
    def move_encoded(self, latents: Latents, batch: Batch, bench: Bench) -> Batch:
        """Return what a call returns, for images whose latents are known."""
        moved, targets = self.move(latents, batch, bench)
        return Batch(decode(bench.model, moved), targets)

    @property
    def needs_classifier(self) -> bool:
        """Say whether it looks at the classifier, so that it moves images otherwise as that learns."""
        return False

    @property
    def distance_knob(self) -> str | None:
        """Name the knob that carries a picture further the larger it is: the first number that can be 0.

        None if there is no such knob, or if to try many values of it would take too long.
        """
        found = _find_distance_setting(self)
        return found.name if found else None

    def make_path(self) -> MovePath | None:
        """Return the path that the move lies on; None for a move with no number to walk along."""
        return grow_knob(self, self.distance_knob) if self.distance_knob else None

    def list_variants(self) -> MoveVariants:
        """List what to look at beside a move that has no path."""
        return MoveVariants()

    def list_terms(self) -> dict[str, float]:
        """Return how far it goes along each direction that has a name."""
        return {}

    def find_attack(self) -> Attack | None:
        """Return the attack in it that can be shown step by step."""
        return None

    def write_caption(self) -> str:
        """Say in a few words what is done."""
        name, setting = type(self).__name__.lower(), _find_distance_setting(self)
        if setting is None:
            return name
        letter = KNOB_LETTERS.get(setting.name) or setting.name.replace("_", " ")
        return f"{name} {letter} {getattr(self, setting.name):g} {setting.knob.unit}".rstrip()


def _find_distance_setting(operator: LatentOperator) -> Setting | None:
    """Return the first number that can be 0 and grows from there."""
    numbers = (setting for setting in list_settings(type(operator)) if setting.type is float)
    return next((one for one in numbers if one.knob.low is not None and one.knob.low <= 0 < (one.knob.high or 0)), None)


@torch.inference_mode(False)
@torch.no_grad()
def encode(model: LatentModel, images: Images, refine: int = 0) -> Latents:
    """Return the images' latents, improved by that many steps of optimisation."""
    if tuple(images.shape[1:]) != tuple(model.image_shape):
        found, allowed = _format_size(images.shape[1:]), _format_size(model.image_shape)
        raise UserError(f"The images are {found}; this model takes {allowed}. Resize them.")
    images = copy_inference_tensor(images)
    latents = model.encode(images)
    if not refine:
        return latents
    if not isinstance(model, RefinableModel):
        raise UserError("This model's encoding cannot be refined; choose a StyleGAN2, or refine by 0 steps.")
    return model.refine(images, latents, refine)


def decode(model: LatentModel, latents: Latents) -> Images:
    return model.decode(latents).clamp(0, 1)


@torch.no_grad()
def rebuild_images(batch: Batch, bench: Bench) -> Images:
    """Return the path without a move: what remains of the images after the model alone."""
    return decode(bench.model, encode(bench.model, batch.images))


def measure_distance(a: Images, b: Images) -> Float[Tensor, " B"]:
    """Return the Euclidean distance of each pair of images, pixels in [0, 1]."""
    return (a - b).flatten(1).norm(dim=1)


def require_classifier(bench: Bench) -> nn.Module:
    if bench.classifier is None:
        raise UserError("This needs a classifier to work against, and none is chosen; choose one.")
    return bench.classifier


def _format_size(shape: torch.Size | tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape)
