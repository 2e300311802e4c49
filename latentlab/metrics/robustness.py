"""These metrics judge on images that were corrupted, attacked or moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.metrics.intervals import (
    Estimate,
    ImageValues,
    Metric,
    estimate_mean,
    estimate_share,
    mark_correct,
    split_into_chunks,
)
from latentlab.models import Pixels
from latentlab.operators import CORRUPTIONS, Adversary, make_operator
from latentlab.operators.classification import compute_logits, compute_losses
from latentlab.types import Batch, Bench, Images, Operator


@tool
class Corrupted(Metric):
    """Accuracy under the 15 corruptions of Hendrycks and Dietterich 2019, mean over them; interval over images."""

    severity: Annotated[int, Knob("severity", 1, 5)] = 3

    label: ClassVar[str] = "accuracy under 15 corruptions"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        rows = {
            name: self._mark_correct(cls(severity=self.severity), batch, bench) for name, cls in CORRUPTIONS.items()
        }
        each = torch.stack(list(rows.values())).mean(0)
        return replace(estimate_mean(each), detail={name: float(hits.mean()) for name, hits in rows.items()})

    def _mark_correct(self, corruption: Operator, batch: Batch, bench: Bench) -> ImageValues:
        return mark_correct(corruption(batch, replace(bench, rng=make_generator(self.severity))), bench)


@tool
class FGSM(Metric):
    """Accuracy after one step of the gradient's sign on pixels (Goodfellow et al. 2015)."""

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255

    label: ClassVar[str] = "accuracy after FGSM"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        attack = Adversary(self.epsilon, "linf", steps=1, step_size=1.0, start="zero", label="true")
        return estimate_attacked(
            attack, batch, replace(bench, model=make_pixel_space(batch)), {"epsilon": self.epsilon}
        )


@tool
class PGD(Metric):
    """Accuracy after projected gradient ascent on pixels, from a random start (Madry et al. 2018)."""

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 10

    label: ClassVar[str] = "accuracy after PGD"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        attack = Adversary(self.epsilon, "linf", steps=self.steps, step_size=0.25, start="random", label="true")
        return estimate_attacked(
            attack, batch, replace(bench, model=make_pixel_space(batch)), {"epsilon": self.epsilon, "steps": self.steps}
        )


@tool
class LatentAttack(Metric):
    """Accuracy after Adversarial-LA (Yuksel et al. 2021) in the latent space of the bench; needs a latent model."""

    radius: Annotated[float, Knob("radius of the ball", 0, 100, unit="σ")] = 1.0
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 3

    label: ClassVar[str] = "accuracy after a latent attack"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        if isinstance(bench.model, Pixels):
            raise UserError("A latent attack needs a latent model, and this is pixels; choose a Glow.")
        attack = make_operator("adversarial-la", {"epsilon": self.radius, "steps": self.steps})
        return estimate_attacked(attack, batch, bench, {"radius": self.radius, "steps": self.steps})


@tool
class Linearity(Metric):
    """Local linearity, smaller is straighter: γ(ε, x) = max over |d|∞ ≤ ε of |L(x+d) − L(x) − dᵀ∇L(x)|, by ascent.

    The best of all steps and starts, a lower bound: on digits 10 steps from 4 starts reach 94 % of 30 steps from 8.
    Qin et al. 2019, arXiv 1907.02610; the ε that VarMixup's authors used is not known.
    """

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 10
    restarts: Annotated[int, Knob("random starts", 1, 20)] = 4

    label: ClassVar[str] = "deviation from local linearity, at least"
    unit: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        parts = [self._measure_gamma(few, bench) for few in split_into_chunks(batch)]
        detail = {"epsilon": self.epsilon, "steps": self.steps, "restarts": self.restarts}
        return replace(estimate_mean(torch.cat(parts)), detail=detail)

    def _measure_gamma(self, batch: Batch, bench: Bench) -> ImageValues:
        x, y = batch.images, batch.targets

        def compute_loss(images: Images) -> ImageValues:
            return compute_losses(compute_logits(bench, images), y)

        with torch.enable_grad():
            still = x.detach().clone().requires_grad_()
            start = compute_loss(still)
            (slope,) = torch.autograd.grad(start.sum(), still)

            def measure_gap(d: Images) -> ImageValues:
                return (compute_loss(x + d) - start.detach() - (d * slope).flatten(1).sum(1)).abs()

            climbs = [self._climb_gap(measure_gap, x, bench.rng) for _ in range(self.restarts)]
        return torch.stack(climbs).amax(0).cpu()

    def _climb_gap(self, measure_gap: Callable[[Images], ImageValues], x: Images, rng: torch.Generator) -> ImageValues:
        """Climb by signs of the gradient, in steps that fall from ε / 2 to 0: equal ones swing to and fro."""
        d = (2 * torch.rand(x.shape, generator=rng).to(x) - 1) * self.epsilon
        best = torch.zeros(len(x), device=x.device)
        for step in range(self.steps + 1):
            d = d.detach().requires_grad_()
            gap = measure_gap(d)
            best = torch.maximum(best, gap.detach())
            (uphill,) = torch.autograd.grad(gap.sum(), d)
            size = self.epsilon / 2 * (1 - step / (self.steps + 1))
            d = (d + size * uphill.sign()).clamp(-self.epsilon, self.epsilon)
        return best


@tool
class LabelPreservation(Metric):
    """The share of images that an independent classifier still gives their label when moved, of those that it knows.

    The bench holds that classifier and the space; a mixed label is the one with the larger share.
    """

    method: Annotated[str, Knob("operator, published method or corruption")] = "randomized-la"
    settings: Annotated[dict[str, Any], Knob("its knobs that differ from its own")] = field(default_factory=dict)

    label: ClassVar[str] = "label preserved"

    def __call__(self, batch: Batch, bench: Bench) -> Estimate:
        operator = make_operator(self.method, self.settings)
        return estimate_preserved(lambda few: operator(few, bench), batch, bench)


def estimate_attacked(attack: Operator, batch: Batch, bench: Bench, detail: dict[str, Any]) -> Estimate:
    """Estimate the accuracy under an attack.

    It can also repair an image: that counts only if the image was known before.
    """
    hits = torch.cat(
        [mark_correct(few, bench) * mark_correct(attack(few, bench), bench) for few in split_into_chunks(batch)]
    )
    return replace(estimate_share(hits), detail=detail)


def estimate_preserved(move: Callable[[Batch], Batch], batch: Batch, bench: Bench) -> Estimate:
    known: Bool[Tensor, " B"] = mark_correct(batch, bench) > 0
    if not known.any():
        raise UserError("The judging classifier knows none of these images; choose a better one.")
    kept = torch.cat([mark_correct(move(few), bench) for few in split_into_chunks(batch)])[known]
    return replace(estimate_share(kept), each=None, detail={"kept": int(kept.sum()), "of": len(kept)})


def corrupt_in_turn(batch: Batch, severity: int, rng: torch.Generator) -> Batch:
    """Return the images under the 15 corruptions in turn: a quick look at all of them."""
    kinds, images = list(CORRUPTIONS.values()), batch.images.clone()
    for place, kind in enumerate(kinds):
        rows = slice(place, None, len(kinds))
        if len(images[rows]):
            part = Batch(images[rows], batch.targets[rows])
            images[rows] = kind(severity=severity)(part, Bench(make_pixel_space(batch), None, rng)).images
    return Batch(images, batch.targets)


def make_pixel_space(batch: Batch) -> Pixels:
    channels, height, width = batch.images.shape[1:]
    return Pixels((channels, height, width))
