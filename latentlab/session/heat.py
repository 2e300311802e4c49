"""What moved: how far each latent coordinate went, part by part."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlab.session.desk import Desk
from latentlab.session.state import Session
from latentlab.session.verbs import code, moved


@dataclass(frozen=True, eq=False)
class Heat:
    """One part's |Δz| in σ, laid out as the part is: a map of places, or a row of coordinates a layer."""

    part: str
    grid: Float[Tensor, "H W"]  # root mean square over channels where there are any
    rms: float  # over the part's coordinates
    share: float  # of the whole move's |Δz|²


def heat(desk: Desk, session: Session) -> list[Heat]:
    """Coarse to fine."""
    before, (after, _) = code(desk, session), moved(desk, session, session.result.tool)
    steps = {name: (after.parts[name] - part)[0].detach().cpu().float() for name, part in before.parts.items()}
    whole = sum(float(step.square().sum()) for step in steps.values()) or 1.0
    return [
        Heat(name, _grid(step), float(step.square().mean().sqrt()), float(step.square().sum()) / whole)
        for name, step in steps.items()
    ]


def _grid(step: Tensor) -> Float[Tensor, "H W"]:
    if step.ndim == 3:
        return step.square().mean(0).sqrt()
    return step.abs().reshape(-1, step.shape[-1])
