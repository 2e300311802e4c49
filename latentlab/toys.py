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
from latentlab.operators import match_points

HALF_WIDTH = 0.08  # half the width of a curve
PlanePoints = Float[Tensor, "N 2"]

MIXING_RULES = ("mixup", "k-mixup", "random")


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points, and the cluster that each was drawn in."""

    points: PlanePoints
    labels: Int[Tensor, " N"]


class ToySet(ABC):
    """A set to draw from. `measure_distance` gives the distance to it, 0 inside."""

    title: ClassVar[str]
    clusters: ClassVar[int]

    @abstractmethod
    def sample(self, count: int, rng: torch.Generator) -> PointCloud: ...

    @abstractmethod
    def measure_distance(self, points: PlanePoints) -> Float[Tensor, " N"]: ...

    @abstractmethod
    def draw_outline(self, count: int = 400) -> list[PlanePoints]:
        """Return the middle of each of its curves, to be drawn 2 HALF_WIDTH wide."""


class Ring(ToySet):
    """The circle of radius 1."""

    title, clusters = "ring", 1

    def sample(self, count: int, rng: torch.Generator) -> PointCloud:
        """Draw points evenly over the area: r² is uniform."""
        low, high = (1 - HALF_WIDTH) ** 2, (1 + HALF_WIDTH) ** 2
        radius = (low + (high - low) * chance.draw_uniform((count,), rng)).sqrt()
        angle = 2 * math.pi * chance.draw_uniform((count,), rng)
        return PointCloud(radius[:, None] * _make_unit_vectors(angle), torch.zeros(count, dtype=torch.long))

    def measure_distance(self, points: PlanePoints) -> Float[Tensor, " N"]:
        return _measure_outside((points.norm(dim=1) - 1).abs())

    def draw_outline(self, count: int = 400) -> list[PlanePoints]:
        return [_make_unit_vectors(torch.linspace(0, 2 * math.pi, count))]


class Bars(ToySet):
    """Four upright bars, side by side, of length 2."""

    title, clusters = "four bars", 4
    places = torch.tensor([-1.2, -0.4, 0.4, 1.2])

    def sample(self, count: int, rng: torch.Generator) -> PointCloud:
        labels = torch.randint(self.clusters, (count,), generator=rng)
        across, along = (2 * chance.draw_uniform((2, count), rng) - 1).unbind()
        return PointCloud(torch.stack([self.places[labels] + HALF_WIDTH * across, along], 1), labels)

    def measure_distance(self, points: PlanePoints) -> Float[Tensor, " N"]:
        across = _measure_outside((points[:, :1] - self.places).abs().amin(1))
        return torch.hypot(across, (points[:, 1].abs() - 1).clamp_min(0))

    def draw_outline(self, count: int = 400) -> list[PlanePoints]:
        return [torch.tensor([[place, -1.0], [place, 1.0]]) for place in self.places.tolist()]


class Roll(ToySet):
    """The swiss roll: the spiral r = θ / 4π for θ from 1.5π to 4.5π."""

    title, clusters = "swiss roll", 1
    pitch, start, end = 1 / (4 * math.pi), 1.5 * math.pi, 4.5 * math.pi

    def sample(self, count: int, rng: torch.Generator) -> PointCloud:
        """Draw points evenly along the curve, nearly: the arc grows as θ²."""
        low, high = self.start**2, self.end**2
        angle = (low + (high - low) * chance.draw_uniform((count,), rng)).sqrt()
        across = HALF_WIDTH * (2 * chance.draw_uniform((count,), rng) - 1)
        return PointCloud(
            self._place_on_curve(angle) + across[:, None] * self._find_normal(angle),
            torch.zeros(count, dtype=torch.long),
        )

    def _place_on_curve(self, angle: Tensor) -> PlanePoints:
        return self.pitch * angle[:, None] * _make_unit_vectors(angle)

    def _find_normal(self, angle: Tensor) -> PlanePoints:
        """Return the vector of length 1 across the curve, whose slope is pitch (e_r + θ e_θ)."""
        along = _make_unit_vectors(angle) + angle[:, None] * _make_unit_vectors(angle + math.pi / 2)
        return torch.stack([-along[:, 1], along[:, 0]], 1) / along.norm(dim=1, keepdim=True)

    def measure_distance(self, points: PlanePoints) -> Float[Tensor, " N"]:
        """Measure to the nearest of the places where the way to the curve stands upright on it, and of its two ends.

        Those places are near θ = r / pitch on the turns inside and outside; Newton's steps find them.
        """
        radius, angle = points.norm(dim=1).double(), torch.atan2(points[:, 1], points[:, 0]).double()
        turns = 2 * math.pi * torch.arange(0, 3, dtype=torch.double)
        theta = ((angle % (2 * math.pi))[:, None] + turns).clamp(self.start, self.end)
        for _ in range(8):
            theta = (theta - self._find_newton_step(theta, radius, angle)).clamp(self.start, self.end)
        ends = torch.tensor([[self.start, self.end]], dtype=torch.double).expand(len(points), 2)
        every = torch.cat([theta, ends], 1)
        places = self.pitch * every
        squares = places**2 + radius[:, None] ** 2 - 2 * places * radius[:, None] * torch.cos(every - angle[:, None])
        return _measure_outside(squares.amin(1).clamp_min(0).sqrt()).to(points)

    def _find_newton_step(self, theta: Tensor, radius: Tensor, angle: Tensor) -> Tensor:
        """Return Newton's step on d/dθ ½|s(θ) − x|² = pitch² θ − pitch r (cos(θ−φ) − θ sin(θ−φ))."""
        turn, r = theta - angle[:, None], radius[:, None]
        first = self.pitch * theta - r * (turn.cos() - theta * turn.sin())
        second = self.pitch + r * (2 * turn.sin() + theta * turn.cos())
        return first / second.abs().clamp_min(1e-3)  # downhill, also where the curve bends away

    def draw_outline(self, count: int = 400) -> list[PlanePoints]:
        return [self._place_on_curve(torch.linspace(self.start, self.end, count))]


class Moons(ToySet):
    """Two half circles of radius 1 that reach into one another."""

    title, clusters = "two moons", 2
    centres = torch.tensor([[-0.5, -0.25], [0.5, 0.25]])
    sides = torch.tensor([1.0, -1.0])  # the first opens downwards, the second upwards

    def sample(self, count: int, rng: torch.Generator) -> PointCloud:
        labels = torch.randint(self.clusters, (count,), generator=rng)
        angle = math.pi * chance.draw_uniform((count,), rng)
        radius = 1 + HALF_WIDTH * (2 * chance.draw_uniform((count,), rng) - 1)
        arc = radius[:, None] * _make_unit_vectors(angle) * torch.stack([torch.ones(count), self.sides[labels]], 1)
        return PointCloud(self.centres[labels] + arc, labels)

    def measure_distance(self, points: PlanePoints) -> Float[Tensor, " N"]:
        return torch.stack([_measure_outside(self._measure_to_arc(points, moon)) for moon in range(2)]).amin(0)

    def _measure_to_arc(self, points: PlanePoints, moon: int) -> Float[Tensor, " N"]:
        """Measure to the circle if the point is on the arc's side of the centre, else to the nearer of its two ends."""
        x, y = ((points - self.centres[moon]) * torch.stack([torch.ones(()), self.sides[moon]])).unbind(1)
        return torch.where(y >= 0, (torch.hypot(x, y) - 1).abs(), torch.hypot(x.abs() - 1, y))

    def draw_outline(self, count: int = 400) -> list[PlanePoints]:
        half = _make_unit_vectors(torch.linspace(0, math.pi, count))
        return [
            centre + half * torch.stack([torch.ones(()), side])
            for centre, side in zip(self.centres, self.sides, strict=True)
        ]


TOY_SETS: dict[str, ToySet] = {"ring": Ring(), "bars": Bars(), "roll": Roll(), "moons": Moons()}


@dataclass(frozen=True, eq=False)
class MixedPoints:
    """The points λ a_i + (1 − λ) b_σ(i), the rows of their two partners, and the λ of each."""

    points: PlanePoints
    pairs: Int[Tensor, "M 2"]
    weights: Float[Tensor, " M"]


def mix_points(
    points: PlanePoints, rule: str, k: int, rng: torch.Generator, lam: float | None = None, alpha: float = 1.0
) -> MixedPoints:
    """Split the points at random into two disjoint halves, match them in batches of k, and mix the pairs.

    Each batch of one half is matched with its counterpart and mixed at one λ, given or from Beta(α, α).
    mixup: k = 1, partners at random. k-mixup: the match that is nearest in all. random: batches of k, but any match.
    """
    if rule not in MIXING_RULES:
        raise UserError(f"{rule[:40]!r} is no rule of mixing; choose one of {', '.join(MIXING_RULES)}.")
    half = len(points) // 2
    if not 1 <= k <= half:
        raise UserError(f"k is {k}; with {len(points)} points it must be from 1 to {half}.")
    size = 1 if rule == "mixup" else k
    a, b = chance.draw_permutation(len(points), rng)[: 2 * half].view(2, half)
    if rule == "k-mixup" and size > 1:
        parts = zip(a.split(size), b.split(size), strict=True)
        b = torch.cat([theirs[match_points(points[own], points[theirs])] for own, theirs in parts])
    if rule == "random":
        b = torch.cat([theirs[chance.draw_permutation(len(theirs), rng)] for theirs in b.split(size)])
    weights = _draw_weights(-(-half // size), lam, alpha, rng).repeat_interleave(size)[:half]
    return MixedPoints(torch.lerp(points[b], points[a], weights[:, None]), torch.stack([a, b], 1), weights)


def _draw_weights(count: int, lam: float | None, alpha: float, rng: torch.Generator) -> Float[Tensor, " K"]:
    if lam is not None:
        return torch.full((count,), float(lam))
    return torch.from_numpy(chance.make_numpy_rng(rng).beta(alpha, alpha, count)).float()


def count_off_support(toy: ToySet, points: PlanePoints) -> int:
    """Count how many points lie outside, by more than rounding."""
    return int((toy.measure_distance(points) > 1e-5).sum())


def count_crossing_pairs(labels: Int[Tensor, " N"], pairs: Int[Tensor, "M 2"]) -> int:
    """Count how many pairs join points of different clusters."""
    return int((labels[pairs[:, 0]] != labels[pairs[:, 1]]).sum())


def _make_unit_vectors(angle: Tensor) -> PlanePoints:
    return torch.stack([angle.cos(), angle.sin()], 1)


def _measure_outside(distance: Tensor) -> Tensor:
    """Return the distance to a thick curve from the distance to its middle."""
    return (distance - HALF_WIDTH).clamp_min(0)
