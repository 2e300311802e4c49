"""What moved: how far each latent coordinate went, part by part."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latentlab.session.actions import encode_input, move_latents
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace


@dataclass(frozen=True, eq=False)
class PartChange:
    """One part's |Δz| in σ, laid out as the part is: a map of places, or a row of coordinates a layer."""

    part: str
    grid: Float[Tensor, "H W"]  # root mean square over channels where there are any
    rms: float  # over the part's coordinates
    share: float  # of the whole move's |Δz|²


def measure_latent_change(workspace: Workspace, session: Session) -> list[PartChange]:
    """Measure the change of each part, coarse to fine."""
    before, (after, _) = encode_input(workspace, session), move_latents(workspace, session, session.result.tool)
    steps = {name: (after.parts[name] - part)[0].detach().cpu().float() for name, part in before.parts.items()}
    whole = sum(float(step.square().sum()) for step in steps.values()) or 1.0
    return [
        PartChange(name, _lay_out_change(step), float(step.square().mean().sqrt()), float(step.square().sum()) / whole)
        for name, step in steps.items()
    ]


def _lay_out_change(step: Tensor) -> Float[Tensor, "H W"]:
    if step.ndim == 3:
        return step.square().mean(0).sqrt()
    return step.abs().reshape(-1, step.shape[-1])
