"""The networks of a new world, fitted one after the other; the same command goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentlab import datasets
from latentlab.errors import UserError
from latentlab.models import read_card
from latentlab.models.kinds import KINDS
from latentlab.training import distributed
from latentlab.training.fit import choose_kind, find_unfit_kinds, fit
from latentlab.training.fit_speed import measure_fit_speed, propose_minutes


def fit_world_networks(
    world: str, kinds: Sequence[str], minutes: Sequence[float] | None, checkpoints: Path, device: str | None
) -> None:
    """Fit every kind that is not there yet, each with its minutes, or with those that a measurement proposes."""
    data = datasets.load_world(world)
    chosen = [choose_kind(kind, data.image_shape) for kind in kinds]
    if unfit := {kind: why for kind, why in find_unfit_kinds(data.image_shape).items() if kind in chosen}:
        raise UserError(next(iter(unfit.values())))
    if any(not KINDS[kind].is_latent for kind in chosen):
        data.require_classes()
    if minutes and len(minutes) not in (1, len(chosen)):
        raise UserError(f"--minutes has {len(minutes)} numbers for {len(chosen)} kinds; give one, or one for each.")
    files = {kind: checkpoints / f"{world}-{kind}.safetensors" for kind in chosen}
    waiting = [kind for kind in chosen if not _is_there(files[kind])]
    budgets = dict(zip(chosen, list(minutes) * len(chosen), strict=False)) if minutes else {}
    for kind in waiting:
        if kind not in budgets:
            pace = measure_fit_speed(kind, data, distributed.choose_device(device))
            budgets[kind] = propose_minutes(kind, pace)
            print(f"{kind}: {pace:,.0f} images/s here, so {budgets[kind]:g} minutes are proposed", flush=True)
    for kind in waiting:
        card = fit(kind, world, files[kind], minutes=budgets[kind], device=device)
        scores = ", ".join(f"{name} {value:g}" for name, value in card.scores.items())
        print(f"{files[kind]}: {card.images_seen:,} images in {card.seconds:.0f} s; {scores}", flush=True)


def _is_there(path: Path) -> bool:
    """Say whether the network is fitted already, and print it."""
    if not path.exists() or path.with_suffix(".resume").exists():
        return False
    print(f"{path}: there already, {read_card(path).images_seen:,} images", flush=True)
    return True
