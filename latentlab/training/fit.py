"""This package trains each kind of network from scratch."""

from __future__ import annotations

from pathlib import Path

import torch

from latentlab import datasets
from latentlab.errors import UserError
from latentlab.models import Card, read_card
from latentlab.models.kinds import KINDS, list_stored_kinds
from latentlab.training import distributed
from latentlab.training.fit_loop import FitPlan, NetworkFit, complete_fit
from latentlab.training.fitters.eye import load_eye
from latentlab.training.temperature import CalibratedFitter
from latentlab.types import ImageShape

# So that no weights are the very numbers that a small seed draws later: a StyleGAN2 whose first layer holds its own z
# answers that z twice as strongly as any other.
WEIGHT_SEED_OFFSET = 1_618_033_989
ANY_CLASSIFIER, SMALL_SIDE = "classifier", 32  # up to so many pixels a small network sees enough


def choose_kind(kind: str, shape: ImageShape) -> str:
    """Return the kind of this name; `classifier` is the one that suits the pictures' size."""
    if kind == ANY_CLASSIFIER:
        return "resnet" if max(shape[1:]) <= SMALL_SIDE else "resnet18"
    if kind not in list_stored_kinds():
        known = ", ".join([*list_stored_kinds(), ANY_CLASSIFIER])
        raise UserError(f"There is no network of kind {kind[:40]!r}; choose {known}.")
    return kind


def find_unfit_kinds(shape: ImageShape) -> dict[str, str]:
    """Find the kinds of latent models that cannot have images of this shape, and why."""
    blank = datasets.Split(torch.zeros(1, *shape, dtype=torch.uint8), torch.zeros(1, dtype=torch.long))
    world = datasets.Dataset("", blank, blank, (), False, "")
    unfit = {}
    for kind in (name for name in list_stored_kinds() if KINDS[name].is_latent):
        try:
            with torch.random.fork_rng(devices=[]):
                KINDS[kind].load_fitter()(world, "cpu")
        except UserError as error:
            unfit[kind] = str(error)
    return unfit


def describe_unfit_kinds(shape: ImageShape) -> list[str]:
    """Say which kinds of network cannot have images of this shape, with the nearest shape that they can."""
    return [f"{kind} cannot be fitted: {reason}" for kind, reason in find_unfit_kinds(shape).items()]


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
    """Train `kind` on `world` within the budget, going on where a stopped fit was, and write the checkpoint.

    With `parent`, a checkpoint of the same shape, the fit starts from its weights. `eye`, a classifier of the same
    world, makes a vae or a stylegan2 one whose code is a map, and rebuilt images are to look the same to it.
    """
    return complete_fit(prepare_fit(kind, world, out, minutes, steps, batch, seed, device, parent, eye))


def prepare_fit(
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
    resume: Path | None = None,
) -> NetworkFit:
    """Check what is asked for and build what is to learn; `resume` is where its state lies, if not beside `out`."""
    if not (minutes or steps) or (minutes or 1) <= 0 or (steps or 1) <= 0 or (batch or 1) <= 0:
        raise UserError("A fit needs a budget above 0: --minutes or --steps (and a batch above 0).")
    loaded = datasets.load_world(world)
    kind = choose_kind(kind, loaded.image_shape)
    if eye and not KINDS[kind].eye_fitter:
        able = " or ".join(name for name in list_stored_kinds() if KINDS[name].eye_fitter)
        raise UserError(f"Only a {able} learns with an eye; leave --eye out for a {kind}.")
    device = distributed.choose_device(device)
    torch.manual_seed(WEIGHT_SEED_OFFSET + seed)  # initial weights; every later draw has its own generator
    flags = {"minutes": minutes, "steps": steps, "batch": batch, "seed": seed}
    budget = "".join(f" --{name} {value}" for name, value in flags.items() if value is not None)
    files = "".join(f" --{name} {path.name}" for name, path in {"from": parent, "eye": eye}.items() if path)
    before = f"{read_card(parent).command} && " if parent else ""
    command = f"{before}latentlab fit {kind} --data {world} --out {out.name}{budget}{files}"
    plan = FitPlan(kind, out, minutes, steps, batch, seed, device, command, parent, resume=resume)
    fitter = KINDS[kind].load_fitter(with_eye=eye is not None)(loaded, device)
    if eye:
        fitter.attach_eye(load_eye(eye, loaded, device))
    return NetworkFit(plan, fitter, fitter.hold_out(loaded) if isinstance(fitter, CalibratedFitter) else loaded)
