"""Moves that a classifier finds hard: projected gradient ascent in latent space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from latentlab.chance import draw_uniform
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.operators.attack import Attack, AttackStep
from latentlab.operators.classification import compute_logits, compute_losses, compute_margins
from latentlab.operators.latent_operator import decode, encode, measure_distance
from latentlab.torch_modes import copy_inference_tensor
from latentlab.transfer import send_to_device
from latentlab.types import PART_GROUPS, Batch, Bench, BoundedModel, Flat, Images, LatentModel, Latents, Logits, Targets


@dataclass(frozen=True, eq=False)
class _AttackPoint:
    latents: Latents
    images: Images
    logits: Logits
    gradient: Flat  # of the loss, with respect to the latents; 0 where it was not asked for


@tool
class Adversary(Attack):
    """z' = z + δ, δ ← Proj(δ + αε g/|g|) or Proj(δ + αε sign g), g the gradient of f's loss on D(z + δ).

    Yuksel et al. 2021 (Adversarial-LA: the predicted class is the one to leave); on pixels, PGD of Madry et al. 2018.
    A zero gradient moves nothing. Where the latents have a range, as pixels do, δ never leaves it.
    """

    epsilon: Annotated[float, Knob("radius of the ball around the image", 0, 100, unit="σ")] = 1.0
    norm: Annotated[Literal["l2", "linf"], Knob("shape of the ball")] = "l2"
    steps: Annotated[int, Knob("gradient steps; 0 for the start alone", 0, 200)] = 3
    step_size: Annotated[float, Knob("length of a step, as a share of the radius", 0.001, 2)] = 0.5
    start: Annotated[Literal["random", "zero"], Knob("where in the ball the ascent begins")] = "random"
    label: Annotated[Literal["predicted", "true", "target"], Knob("class to leave, or target to reach")] = "predicted"
    target: Annotated[int, Knob("number of the class to reach, if label is target", 0, 9999)] = 0
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS

    @torch.no_grad()
    def move(self, latents: Latents, batch: Batch, bench: Bench) -> tuple[Latents, Targets]:
        moved = latents.flat
        for delta, _ in self._climb_loss(latents, self.choose_goal(batch, bench), bench):
            moved = latents.flat + delta
        return latents.unflat(moved), batch.targets

    @torch.inference_mode(False)
    def trace_attack(self, batch: Batch, bench: Bench, latents: Latents | None = None) -> Iterator[AttackStep]:
        batch = Batch(copy_inference_tensor(batch.images), copy_inference_tensor(batch.targets))
        latents = encode(bench.model, batch.images) if latents is None else latents
        goal = self.choose_goal(batch, bench)
        still = _evaluate_offset(latents, torch.zeros_like(latents.flat), goal, bench)
        yield _make_step(still, goal, still.images)
        for delta, point in self._climb_loss(latents, goal, bench):
            yield _make_step(point or _evaluate_offset(latents, delta, goal, bench), goal, still.images)

    @torch.no_grad()
    def choose_goal(self, batch: Batch, bench: Bench) -> Targets:
        if self.label == "true":
            return batch.targets
        logits = compute_logits(bench, batch.images)
        classes = logits.shape[1]
        if self.label == "target" and self.target >= classes:
            raise UserError(f"target is {self.target}; this classifier has the classes 0 to {classes - 1}.")
        label = logits.argmax(1) if self.label == "predicted" else torch.full_like(logits[:, 0], self.target).long()
        return torch.zeros_like(logits).scatter(1, label[:, None], 1)  # one_hot would look at the numbers on the host

    def compute_gradient(self, batch: Batch, bench: Bench) -> Flat:
        latents = encode(bench.model, batch.images)
        return _evaluate_offset(
            latents, torch.zeros_like(latents.flat), self.choose_goal(batch, bench), bench, gradient=True
        ).gradient

    def cut_short(self, place: int) -> Adversary:
        return replace(self, steps=place - 1) if place else replace(self, epsilon=0.0, steps=0)

    def replace_by_chance(self) -> Adversary:
        return replace(self, start="random", steps=0)

    def write_caption(self) -> str:
        return f"attacked, ε {self.epsilon:.3g}, {self.steps} steps"

    def _climb_loss(self, latents: Latents, goal: Targets, bench: Bench) -> Iterator[tuple[Flat, _AttackPoint | None]]:
        """Give each offset and what was seen there; at the last one nobody has looked yet."""
        z, mask = latents.flat, latents.make_mask(self.parts)
        delta = self._confine_offset(self._draw_start(z, bench.rng) * mask, z, bench.model)
        for _ in range(self.steps):
            point = _evaluate_offset(latents, delta, goal, bench, gradient=True)
            yield delta, point
            uphill = self._point_uphill(point.gradient * mask)
            delta = self._confine_offset(delta + self.step_size * self.epsilon * uphill, z, bench.model)
        yield delta, None

    def _draw_start(self, z: Flat, rng: torch.Generator) -> Flat:
        """Draw uniformly in the cube; l2 then scales it into the ball: in hundreds of dimensions, onto its surface."""
        if self.start == "zero":
            return torch.zeros_like(z)
        return (2 * send_to_device(draw_uniform(z.shape, rng), z.device).to(z.dtype) - 1) * self.epsilon

    def _point_uphill(self, gradient: Flat) -> Flat:
        """Return the direction of a step, of length 1 in the norm of the ball; 0 where the gradient is 0."""
        gradient = -gradient if self.label == "target" else gradient
        if self.norm == "linf":
            return gradient.sign()
        tiny = torch.finfo(gradient.dtype).tiny
        return normalize(gradient / gradient.abs().amax(1, keepdim=True).clamp_min(tiny), dim=1)

    def _confine_offset(self, delta: Flat, z: Flat, model: LatentModel) -> Flat:
        """Return the nearest offset inside the ball, then inside the range of the latents if they have one."""
        if self.norm == "linf":
            delta = delta.clamp(-self.epsilon, self.epsilon)
        else:
            delta = delta * (self.epsilon / delta.norm(dim=1, keepdim=True).clamp_min(1e-30)).clamp_max(1)
        return (z + delta).clamp(*model.bounds) - z if isinstance(model, BoundedModel) else delta


def _evaluate_offset(
    latents: Latents, delta: Flat, goal: Targets, bench: Bench, gradient: bool = False
) -> _AttackPoint:
    with torch.set_grad_enabled(gradient):
        delta = delta.detach().requires_grad_(gradient)
        moved = latents.unflat(latents.flat + delta)
        images = decode(bench.model, moved)
        logits = compute_logits(bench, images)
        slope = (
            torch.autograd.grad(compute_losses(logits, goal).sum(), delta)[0] if gradient else torch.zeros_like(delta)
        )
    return _AttackPoint(moved.map(Tensor.detach), images.detach(), logits.detach(), slope)


def _make_step(point: _AttackPoint, goal: Targets, origin: Images) -> AttackStep:
    return AttackStep(
        images=point.images,
        latents=point.latents,
        loss=compute_losses(point.logits, goal),
        margin=compute_margins(point.logits, goal),
        distance=measure_distance(point.images, origin),
    )
