"""Sets of points in the plane, and what mixing does to them: the simulation of Greenewald et al. 2023 (k-mixup).

Every set is a curve, or a few, made thick, so that it is known exactly whether a mixed point still lies on it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab import chance
from latentlab.errors import UserError
from latentlab.operators import match

THICK = 0.08  # half the width of a curve
Points = Float[Tensor, "N 2"]

RULES = ("mixup", "k-mixup", "random")


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points, and the cluster that each was drawn in."""

    points: Points
    labels: Int[Tensor, " N"]


class Toy(ABC):
    """A set to draw from. `beyond` is the distance to it, 0 inside."""

    title: ClassVar[str]
    clusters: ClassVar[int]

    @abstractmethod
    def sample(self, count: int, rng: torch.Generator) -> Cloud: ...

    @abstractmethod
    def beyond(self, points: Points) -> Float[Tensor, " N"]: ...

    @abstractmethod
    def outline(self, count: int = 400) -> list[Points]:
        """The middle of each of its curves, to be drawn 2 THICK wide."""


class Ring(Toy):
    """The circle of radius 1."""

    title, clusters = "ring", 1

    def sample(self, count: int, rng: torch.Generator) -> Cloud:
        """Evenly over the area: r² is uniform."""
        low, high = (1 - THICK) ** 2, (1 + THICK) ** 2
        radius = (low + (high - low) * chance.uniform((count,), rng)).sqrt()
        angle = 2 * math.pi * chance.uniform((count,), rng)
        return Cloud(radius[:, None] * _turned(angle), torch.zeros(count, dtype=torch.long))

    def beyond(self, points: Points) -> Float[Tensor, " N"]:
        return _outside((points.norm(dim=1) - 1).abs())

    def outline(self, count: int = 400) -> list[Points]:
        return [_turned(torch.linspace(0, 2 * math.pi, count))]


class Bars(Toy):
    """Four upright bars, side by side, of length 2."""

    title, clusters = "four bars", 4
    places = torch.tensor([-1.2, -0.4, 0.4, 1.2])

    def sample(self, count: int, rng: torch.Generator) -> Cloud:
        labels = torch.randint(self.clusters, (count,), generator=rng)
        across, along = (2 * chance.uniform((2, count), rng) - 1).unbind()
        return Cloud(torch.stack([self.places[labels] + THICK * across, along], 1), labels)

    def beyond(self, points: Points) -> Float[Tensor, " N"]:
        across = _outside((points[:, :1] - self.places).abs().amin(1))
        return torch.hypot(across, (points[:, 1].abs() - 1).clamp_min(0))

    def outline(self, count: int = 400) -> list[Points]:
        return [torch.tensor([[place, -1.0], [place, 1.0]]) for place in self.places.tolist()]


class Roll(Toy):
    """The swiss roll: the spiral r = θ / 4π for θ from 1.5π to 4.5π."""

    title, clusters = "swiss roll", 1
    pitch, start, end = 1 / (4 * math.pi), 1.5 * math.pi, 4.5 * math.pi

    def sample(self, count: int, rng: torch.Generator) -> Cloud:
        """Evenly along the curve, nearly: the arc grows as θ²."""
        low, high = self.start**2, self.end**2
        angle = (low + (high - low) * chance.uniform((count,), rng)).sqrt()
        across = THICK * (2 * chance.uniform((count,), rng) - 1)
        return Cloud(self._at(angle) + across[:, None] * self._normal(angle), torch.zeros(count, dtype=torch.long))

    def _at(self, angle: Tensor) -> Points:
        return self.pitch * angle[:, None] * _turned(angle)

    def _normal(self, angle: Tensor) -> Points:
        """Of length 1, across the curve: its slope is pitch (e_r + θ e_θ)."""
        along = _turned(angle) + angle[:, None] * _turned(angle + math.pi / 2)
        return torch.stack([-along[:, 1], along[:, 0]], 1) / along.norm(dim=1, keepdim=True)

    def beyond(self, points: Points) -> Float[Tensor, " N"]:
        """The nearest of the places where the way to the curve stands upright on it, and of its two ends.

        Those places are near θ = r / pitch on the turns inside and outside; Newton's steps find them.
        """
        radius, angle = points.norm(dim=1).double(), torch.atan2(points[:, 1], points[:, 0]).double()
        turns = 2 * math.pi * torch.arange(0, 3, dtype=torch.double)
        theta = ((angle % (2 * math.pi))[:, None] + turns).clamp(self.start, self.end)
        for _ in range(8):
            theta = (theta - self._slope(theta, radius, angle)).clamp(self.start, self.end)
        ends = torch.tensor([[self.start, self.end]], dtype=torch.double).expand(len(points), 2)
        every = torch.cat([theta, ends], 1)
        places = self.pitch * every
        squares = places**2 + radius[:, None] ** 2 - 2 * places * radius[:, None] * torch.cos(every - angle[:, None])
        return _outside(squares.amin(1).clamp_min(0).sqrt()).to(points)

    def _slope(self, theta: Tensor, radius: Tensor, angle: Tensor) -> Tensor:
        """Newton's step on d/dθ ½|s(θ) − x|² = pitch² θ − pitch r (cos(θ−φ) − θ sin(θ−φ))."""
        turn, r = theta - angle[:, None], radius[:, None]
        first = self.pitch * theta - r * (turn.cos() - theta * turn.sin())
        second = self.pitch + r * (2 * turn.sin() + theta * turn.cos())
        return first / second.abs().clamp_min(1e-3)  # downhill, also where the curve bends away

    def outline(self, count: int = 400) -> list[Points]:
        return [self._at(torch.linspace(self.start, self.end, count))]


class Moons(Toy):
    """Two half circles of radius 1 that reach into one another."""

    title, clusters = "two moons", 2
    centres = torch.tensor([[-0.5, -0.25], [0.5, 0.25]])
    sides = torch.tensor([1.0, -1.0])  # the first opens downwards, the second upwards

    def sample(self, count: int, rng: torch.Generator) -> Cloud:
        labels = torch.randint(self.clusters, (count,), generator=rng)
        angle = math.pi * chance.uniform((count,), rng)
        radius = 1 + THICK * (2 * chance.uniform((count,), rng) - 1)
        arc = radius[:, None] * _turned(angle) * torch.stack([torch.ones(count), self.sides[labels]], 1)
        return Cloud(self.centres[labels] + arc, labels)

    def beyond(self, points: Points) -> Float[Tensor, " N"]:
        return torch.stack([_outside(self._to_arc(points, moon)) for moon in range(2)]).amin(0)

    def _to_arc(self, points: Points, moon: int) -> Float[Tensor, " N"]:
        """To the circle where the point is on the arc's side of the centre, else to the nearer of its two ends."""
        x, y = ((points - self.centres[moon]) * torch.stack([torch.ones(()), self.sides[moon]])).unbind(1)
        return torch.where(y >= 0, (torch.hypot(x, y) - 1).abs(), torch.hypot(x.abs() - 1, y))

    def outline(self, count: int = 400) -> list[Points]:
        half = _turned(torch.linspace(0, math.pi, count))
        return [
            centre + half * torch.stack([torch.ones(()), side])
            for centre, side in zip(self.centres, self.sides, strict=True)
        ]


SETS: dict[str, Toy] = {"ring": Ring(), "bars": Bars(), "roll": Roll(), "moons": Moons()}


@dataclass(frozen=True, eq=False)
class Mixed:
    """λ a_i + (1 − λ) b_σ(i): the points, the rows of their two partners, and the λ of each."""

    points: Points
    pairs: Int[Tensor, "M 2"]
    weights: Float[Tensor, " M"]


def mix(points: Points, rule: str, k: int, rng: torch.Generator, lam: float | None = None, alpha: float = 1.0) -> Mixed:
    """Two disjoint halves of the points, drawn at random, are taken apart into batches of k; each is matched with its
    counterpart and mixed at one λ, given or from Beta(α, α).

    mixup: k = 1, partners at random. k-mixup: the match that is nearest in all. random: batches of k, but any match.
    """
    if rule not in RULES:
        raise UserError(f"{rule[:40]!r} is no rule of mixing; choose one of {', '.join(RULES)}.")
    half = len(points) // 2
    if not 1 <= k <= half:
        raise UserError(f"k is {k}; with {len(points)} points it must be from 1 to {half}.")
    size = 1 if rule == "mixup" else k
    a, b = chance.permutation(len(points), rng)[: 2 * half].view(2, half)
    if rule == "k-mixup" and size > 1:
        parts = zip(a.split(size), b.split(size), strict=True)
        b = torch.cat([theirs[match(points[own], points[theirs])] for own, theirs in parts])
    if rule == "random":
        b = torch.cat([theirs[chance.permutation(len(theirs), rng)] for theirs in b.split(size)])
    weights = _weights(-(-half // size), lam, alpha, rng).repeat_interleave(size)[:half]
    return Mixed(torch.lerp(points[b], points[a], weights[:, None]), torch.stack([a, b], 1), weights)


def _weights(count: int, lam: float | None, alpha: float, rng: torch.Generator) -> Float[Tensor, " K"]:
    if lam is not None:
        return torch.full((count,), float(lam))
    return torch.from_numpy(chance.numpy_rng(rng).beta(alpha, alpha, count)).float()


def off_support(toy: Toy, points: Points) -> int:
    """How many lie outside, by more than rounding."""
    return int((toy.beyond(points) > 1e-5).sum())


def crossed(labels: Int[Tensor, " N"], pairs: Int[Tensor, "M 2"]) -> int:
    """How many pairs join points of different clusters."""
    return int((labels[pairs[:, 0]] != labels[pairs[:, 1]]).sum())


def _turned(angle: Tensor) -> Points:
    return torch.stack([angle.cos(), angle.sin()], 1)


def _outside(distance: Tensor) -> Tensor:
    """Of a thick curve, from the distance to its middle."""
    return (distance - THICK).clamp_min(0)
