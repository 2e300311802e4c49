"""On images that were corrupted, attacked or moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from latentlab.chance import seeded
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.metrics.measuring import Each, Measured, Metric, chunks, mean, right, share
from latentlab.models import Pixels
from latentlab.operators import CORRUPTIONS, Adversary, make
from latentlab.operators.scoring import logits_of, loss_of
from latentlab.types import Batch, Bench, Images, Operator


@tool
class Corrupted(Metric):
    """Accuracy under the 15 corruptions of Hendrycks and Dietterich 2019, mean over them; interval over images."""

    severity: Annotated[int, Knob("severity", 1, 5)] = 3

    label: ClassVar[str] = "accuracy under 15 corruptions"

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        rows = {name: self._right(cls(severity=self.severity), batch, bench) for name, cls in CORRUPTIONS.items()}
        each = torch.stack(list(rows.values())).mean(0)
        return replace(mean(each), detail={name: float(hits.mean()) for name, hits in rows.items()})

    def _right(self, corruption: Operator, batch: Batch, bench: Bench) -> Each:
        return right(corruption(batch, replace(bench, rng=seeded(self.severity))), bench)


@tool
class FGSM(Metric):
    """Accuracy after one step of the gradient's sign on pixels (Goodfellow et al. 2015)."""

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255

    label: ClassVar[str] = "accuracy after FGSM"

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        attack = Adversary(self.epsilon, "linf", steps=1, step_size=1.0, start="zero", label="true")
        return attacked(attack, batch, replace(bench, model=pixels(batch)), {"epsilon": self.epsilon})


@tool
class PGD(Metric):
    """Accuracy after projected gradient ascent on pixels, from a random start (Madry et al. 2018)."""

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 10

    label: ClassVar[str] = "accuracy after PGD"

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        attack = Adversary(self.epsilon, "linf", steps=self.steps, step_size=0.25, start="random", label="true")
        return attacked(
            attack, batch, replace(bench, model=pixels(batch)), {"epsilon": self.epsilon, "steps": self.steps}
        )


@tool
class LatentAttack(Metric):
    """Accuracy after Adversarial-LA (Yuksel et al. 2021) in the latent space of the bench; needs a latent model."""

    radius: Annotated[float, Knob("radius of the ball", 0, 100, unit="σ")] = 1.0
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 3

    label: ClassVar[str] = "accuracy after a latent attack"

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        if isinstance(bench.model, Pixels):
            raise UserError("A latent attack needs a latent model, and this is pixels; choose a Glow.")
        attack = make("adversarial-la", {"epsilon": self.radius, "steps": self.steps})
        return attacked(attack, batch, bench, {"radius": self.radius, "steps": self.steps})


@tool
class Linearity(Metric):
    """Local linearity, smaller is straighter: γ(ε, x) = max over |d|∞ ≤ ε of |L(x+d) − L(x) − dᵀ∇L(x)|, by ascent.

    Qin et al. 2019, arXiv 1907.02610; the ε that VarMixup's authors used is not known.
    """

    epsilon: Annotated[float, Knob("largest change of a pixel", 0, 1)] = 8 / 255
    steps: Annotated[int, Knob("gradient steps", 1, 200)] = 10

    label: ClassVar[str] = "deviation from local linearity"
    unit: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        parts = [self._gamma(few, bench) for few in chunks(batch)]
        return replace(mean(torch.cat(parts)), detail={"epsilon": self.epsilon, "steps": self.steps})

    def _gamma(self, batch: Batch, bench: Bench) -> Each:
        x, y = batch.images, batch.targets

        def loss(images: Images) -> Each:
            return loss_of(logits_of(bench, images), y)

        with torch.enable_grad():
            still = x.detach().clone().requires_grad_()
            start = loss(still)
            (slope,) = torch.autograd.grad(start.sum(), still)
            drawn = torch.rand(x.shape, generator=bench.rng).to(x)
            d = (2 * drawn - 1) * self.epsilon
            best = torch.zeros(len(x), device=x.device)
            for _ in range(self.steps + 1):
                d = d.detach().requires_grad_()
                gap = (loss(x + d) - start.detach() - (d * slope).flatten(1).sum(1)).abs()
                best = torch.maximum(best, gap.detach())
                (uphill,) = torch.autograd.grad(gap.sum(), d)
                d = (d + self.epsilon / 4 * uphill.sign()).clamp(-self.epsilon, self.epsilon)
        return best.cpu()


@tool
class LabelPreservation(Metric):
    """Of the images that an independent classifier knows, the share that it still gives their label when moved.

    The bench holds that classifier and the space; a mixed label is the one with the larger share.
    """

    method: Annotated[str, Knob("operator, published method or corruption")] = "randomized-la"
    settings: Annotated[dict[str, Any], Knob("its knobs that differ from its own")] = field(default_factory=dict)

    label: ClassVar[str] = "label preserved"

    def __call__(self, batch: Batch, bench: Bench) -> Measured:
        operator = make(self.method, self.settings)
        return preserved(lambda few: operator(few, bench), batch, bench)


def attacked(attack: Operator, batch: Batch, bench: Bench, detail: dict[str, Any]) -> Measured:
    """An attack can also repair an image: it counts only if the image was known before."""
    hits = torch.cat([right(few, bench) * right(attack(few, bench), bench) for few in chunks(batch)])
    return replace(share(hits), detail=detail)


def preserved(move: Callable[[Batch], Batch], batch: Batch, bench: Bench) -> Measured:
    known: Bool[Tensor, " B"] = right(batch, bench) > 0
    if not known.any():
        raise UserError("The judging classifier knows none of these images; choose a better one.")
    kept = torch.cat([right(move(few), bench) for few in chunks(batch)])[known]
    return replace(share(kept), each=None, detail={"kept": int(kept.sum()), "of": len(kept)})


def one_corruption_each(batch: Batch, severity: int, rng: torch.Generator) -> Batch:
    """The images under the 15 corruptions in turn: a quick look at all of them."""
    kinds, images = list(CORRUPTIONS.values()), batch.images.clone()
    for place, kind in enumerate(kinds):
        rows = slice(place, None, len(kinds))
        if len(images[rows]):
            part = Batch(images[rows], batch.targets[rows])
            images[rows] = kind(severity=severity)(part, Bench(pixels(batch), None, rng)).images
    return Batch(images, batch.targets)


def pixels(batch: Batch) -> Pixels:
    channels, height, width = batch.images.shape[1:]
    return Pixels((channels, height, width))
