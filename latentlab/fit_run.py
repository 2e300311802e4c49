"""A fit as a run: its story as events, a contact sheet that grows, and at any moment a network that can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from latentlab.chance import make_generator
from latentlab.datasets import Dataset, Split
from latentlab.fidelity import measure_survival, rebuild_test_images
from latentlab.images import png
from latentlab.judges import find_judge
from latentlab.models import Glow
from latentlab.models.kinds import KINDS
from latentlab.sheets import SHEET_COLUMNS, draw_sheet
from latentlab.store import Store
from latentlab.training.augmented.events import Pace, RunEvent, Throttle, make_event
from latentlab.training.fit import prepare_fit
from latentlab.training.fit_config import FitConfig
from latentlab.training.fit_loop import NetworkFit, describe_device
from latentlab.training.scores import compute_bits_per_dim, compute_image_psnr
from latentlab.types import LatentModel

STEP_SECONDS = 2.0  # between two lines of the story
FIRST_LOOK_SECONDS, LOOK_SHARE = 15.0, 0.1  # before the first look; of the time that looks may take
LOOK_TRAIN_IMAGES, LOOK_TEST_IMAGES = 600, 200  # with which an unfinished network is whitened, and judged
INTERRUPT, SAVE_WORDS = "interrupt", ("stop", "save")


@dataclass(frozen=True)
class FitFiles:
    """The files in which the run of a fit leaves what it makes."""

    resume: Path
    out: Path
    sheet: Path


def iterate_fit_events(
    config: FitConfig, store: Store, files: FitFiles, asked: Callable[[], str] = lambda: ""
) -> Iterator[RunEvent]:
    """Fit until the budget is used up or `asked` says stop, save or interrupt; go on from `files.resume`."""
    fit = prepare_fit(
        config.kind,
        config.world,
        files.out,
        minutes=config.minutes,
        seed=config.seed,
        device=str(store.device),
        resume=files.resume,
    )
    fit.begin_or_resume()
    yield report_fit_begin(fit)
    said = ""

    def is_stopped() -> bool:
        nonlocal said
        said = said or asked()
        return bool(said)

    judge = find_judge(store, config.world, fit.world.classes)
    watch = FitWatch(fit, files, store.load(judge) if judge else None)
    yield from watch.iterate_events(is_stopped)
    if said == INTERRUPT:
        return
    if said in SAVE_WORDS:
        yield watch.take_look()
        cause = f"Stopped on request after {fit.progress.step:,} updates; the network so far can be used."
        yield make_event("end", fit.progress, state="stopped", cause=cause)
        return
    card = fit.ship_checkpoint()
    yield watch.take_look(card.scores)
    cause = f"The budget was used up after {fit.progress.step:,} updates."
    yield make_event("end", fit.progress, state="finished", cause=cause, scores=card.scores)
    files.resume.unlink(missing_ok=True)


class FitWatch:
    """It looks at a fit from time to time: what has been learned is drawn, measured and made a checkpoint."""

    def __init__(self, fit: NetworkFit, files: FitFiles, judge: nn.Module | None) -> None:
        self.fit, self.files, self.judge = fit, files, judge
        self.shown = choose_shown_images(fit.world)

    def iterate_events(self, is_stopped: Callable[[], bool]) -> Iterator[RunEvent]:
        """Make the updates; at times yield a line on how far it is, or a look."""
        tell, look, pace = Throttle(STEP_SECONDS), Throttle(FIRST_LOOK_SECONDS, LOOK_SHARE), Pace(self.fit.progress)
        for values in self.fit.iterate_updates(is_stopped):
            if tell.is_due():
                yield report_fit_step(self.fit, values, pace)
            if look.is_due():
                with look:
                    event = self.take_look()
                yield event

    def take_look(self, scores: dict[str, float] | None = None) -> RunEvent:
        """Write the network so far and its contact sheet, and report its figures; of a finished one both are known."""
        network = self.fit.finish_copy(self.shown) if scores is None else self.fit.average
        found = measure_network(network, self.shown, self.judge) | (scores or {})
        if scores is None:
            self.fit.ship_unfinished(network, found)
        if isinstance(network, LatentModel):
            with torch.no_grad():
                originals = self.shown.test.take_batch(slice(0, SHEET_COLUMNS))[0]
                self.files.sheet.write_bytes(png(draw_sheet(network, originals.to(self.fit.plan.device))))
        rounded = {name: round(value, 4) for name, value in found.items()}
        return make_event("look", self.fit.progress, images=self.fit.progress.images_seen, scores=rounded)


def choose_shown_images(world: Dataset) -> Dataset:
    """Return the same world with few images: looks are short."""

    def take_first(half: Split, count: int) -> Split:
        return Split(half.images[:count], half.labels[:count])

    train, test = take_first(world.train, LOOK_TRAIN_IMAGES), take_first(world.test, LOOK_TEST_IMAGES)
    return replace(world, train=train, test=test, copies=1)


@torch.no_grad()
def measure_network(network: nn.Module, world: Dataset, judge: nn.Module | None) -> dict[str, float]:
    """Measure on these test images what tells best how far a network of its kind is."""
    device = next(network.parameters()).device
    images = world.test.take_batch(slice(None))[0].to(device)
    if not isinstance(network, LatentModel):
        logits = network(images).cpu()
        right = (logits > 0 if world.multilabel else logits.argmax(1)) == world.test.labels
        return {"accuracy": right.float().mean().item()}
    rebuilt = torch.cat([rebuild_test_images(network, few) for few in images.split(50)])
    found = {"PSNR": compute_image_psnr(rebuilt, images).clamp(max=99).mean().item()}
    if isinstance(network, Glow):  # what it rebuilds is exact
        rng = make_generator(0)
        found = {"bits/dim": torch.cat([compute_bits_per_dim(network, f, rng) for f in images.split(50)]).mean().item()}
    if judge is None:
        return found
    kept = measure_survival(lambda few: rebuild_test_images(network, few), judge, world)
    return found | {"kept": kept["kept"]}


def report_fit_begin(fit: NetworkFit) -> RunEvent:
    return make_event(
        "begin",
        fit.progress,
        resumed=fit.progress.step > 0,
        network=fit.plan.kind,
        title=KINDS[fit.plan.kind].title or fit.plan.kind,
        device=describe_device(fit.plan.device),
        images=len(fit.world.train),
        batch=fit.fitter.batch,
        minutes=fit.plan.minutes,
    )


def report_fit_step(fit: NetworkFit, values: dict[str, float], pace: Pace) -> RunEvent:
    _, images = pace.add_mark(fit.progress)
    assert fit.plan.minutes is not None
    told: dict[str, Any] = {name: round(value, 5) for name, value in values.items()}
    return make_event(
        "step",
        fit.progress,
        values=told,
        images_per_second=round(images, 1),
        eta=round(max(0.0, 60 * fit.plan.minutes - fit.progress.seconds), 1),
        done=round(fit.plan.compute_spent_share(fit.progress), 4),
    )
