"""How each kind of network is trained from scratch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from latentlab import data
from latentlab.errors import UserError
from latentlab.fit import parallel
from latentlab.fit.airbench import AirbenchFitter
from latentlab.fit.classifier import resnet18, small_resnet
from latentlab.fit.eye import opened
from latentlab.fit.glow import GlowFitter
from latentlab.fit.loop import Plan, run
from latentlab.fit.stylegan2 import StyleGAN2Fitter
from latentlab.fit.vae import VAEFitter
from latentlab.models import Card

# So that no weights are the very numbers that a small seed draws later: a StyleGAN2 whose first layer holds its own z
# answers that z twice as strongly as any other.
WEIGHTS = 1_618_033_989

FITTERS: dict[str, Callable[[data.World, str], Any]] = {
    "glow": GlowFitter,
    "vae": VAEFitter,
    "stylegan2": StyleGAN2Fitter,
    "resnet18": resnet18,
    "resnet": small_resnet,
    "airbench": AirbenchFitter,
}


def fit(
    kind: str,
    world: str,
    out: Path,
    minutes: float | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str | None = None,
    parent: Path | None = None,
    eye: Path | None = None,
) -> Card:
    """Train `kind` on `world` within the budget and write the checkpoint; goes on where a stopped fit was.

    With `parent`, a checkpoint of the same shape, the fit starts from its weights. `eye`, a classifier of the same
    world, helps a stylegan2 to see.
    """
    if kind not in FITTERS:
        raise UserError(f"There is no network of kind {kind!r}; choose {', '.join(FITTERS)}.")
    if not (minutes or steps) or (minutes or 1) <= 0 or (steps or 1) <= 0 or (batch or 1) <= 0:
        raise UserError("A fit needs a budget above 0: --minutes or --steps (and a batch above 0).")
    if eye and kind != "stylegan2":
        raise UserError(f"Only a stylegan2 learns with an eye; leave --eye out for a {kind}.")
    loaded = data.load(world)
    device = parallel.device(device)
    torch.manual_seed(WEIGHTS + seed)  # initial weights; every later draw has its own generator
    flags = {"minutes": minutes, "steps": steps, "batch": batch, "seed": seed}
    budget = "".join(f" --{name} {value}" for name, value in flags.items() if value is not None)
    files = "".join(f" --{name} {path.name}" for name, path in {"from": parent, "eye": eye}.items() if path)
    command = f"latentlab fit {kind} --data {world} --out {out.name}{budget}{files}"
    plan = Plan(kind, out, minutes, steps, batch, seed, device, command, parent)
    fitter = FITTERS[kind](loaded, device)
    if eye:
        fitter.look_with(opened(eye, loaded, device))
    return run(plan, fitter, loaded)
