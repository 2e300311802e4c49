"""What an operator must be able to do so that its way against a classifier can be shown, and doubted, step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlab.operators.latent_operator import LatentOperator
from latentlab.types import Batch, Bench, Flat, Images, Latents, Targets


@dataclass(frozen=True, eq=False)
class AttackStep:
    """One point of an attack. Loss in nats and margin in logits are of the class to leave or, if aimed, to reach."""

    images: Images
    latents: Latents
    loss: Float[Tensor, " B"]
    margin: Float[Tensor, " B"]
    distance: Float[Tensor, " B"]  # Euclidean, in image space, from the clean path


class Attack(LatentOperator):
    """A move that climbs a classifier's loss inside a ball."""

    epsilon: float
    steps: int
    label: str  # predicted or true, the class to leave; or target
    target: int  # number of the class to reach

    @abstractmethod
    def trace_attack(self, batch: Batch, bench: Bench, latents: Latents | None = None) -> Iterator[AttackStep]:
        """Yield the clean path, the start and every step; the last has the images of a call with the same seed."""

    @abstractmethod
    def choose_goal(self, batch: Batch, bench: Bench) -> Targets:
        """Return the class to leave or to reach, as soft labels."""

    @abstractmethod
    def compute_gradient(self, batch: Batch, bench: Bench) -> Flat:
        """Return the gradient of the loss at the clean path, with respect to the latents."""

    @abstractmethod
    def cut_short(self, place: int) -> Attack:
        """Return the attack that ends at this point of its track: 0 is the clean path, 1 the start, then the steps."""

    @abstractmethod
    def replace_by_chance(self) -> Attack:
        """Return a random move in the same ball, which the attack must beat."""

    @property
    def needs_classifier(self) -> bool:
        return True

    @property
    def distance_knob(self) -> str | None:
        """Name none: to bring one attack to a distance takes a dozen."""
        return None

    def find_attack(self) -> Attack:
        return self
