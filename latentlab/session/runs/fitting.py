"""Fits as runs: which kinds a world can have, how long each is proposed to take, and what a fit has told so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from latentlab.errors import UserError
from latentlab.models.kinds import KINDS
from latentlab.runs import layout
from latentlab.session.runs.progress import EventRecord, RunMeasurement
from latentlab.session.workspace import Workspace
from latentlab.training.fit import ANY_CLASSIFIER, choose_kind, find_unfit_kinds
from latentlab.training.fit_config import FitConfig
from latentlab.training.fit_speed import measure_fit_speed, propose_minutes
from latentlab.untrusted import is_number_within

OFFERED_KINDS = (ANY_CLASSIFIER, "vae", "glow", "stylegan2")
MAX_FIT_MINUTES = 1440


@dataclass(frozen=True)
class FitProgress:
    """A fit so far; each look has figures of the network at that moment."""

    begin: EventRecord = field(default_factory=dict)
    step: EventRecord = field(default_factory=dict)  # the last of its kind
    looks: tuple[RunMeasurement, ...] = ()
    end: EventRecord = field(default_factory=dict)


def add_fit_events(story: FitProgress, events: Iterable[EventRecord]) -> FitProgress:
    """Return the progress with these events; the end of an earlier part is forgotten when a fit goes on."""
    for event in events:
        match event.get("event"):
            case "begin":
                story = replace(story, begin=event, end={})
            case "step":
                story = replace(story, step=event)
            case "look":
                look = RunMeasurement(event["step"], event["seconds"], event["scores"])
                story = replace(story, looks=(*story.looks, look))
            case "end":
                story = replace(story, end=event)
    return story


@dataclass(frozen=True)
class FitProposal:
    """A kind of network for a world, and the minutes in which a measurement says that it becomes useful."""

    kind: str
    minutes: int
    images_per_second: float

    def describe(self) -> str:
        return f"{self.kind} {format_minutes(self.minutes)} ({self.images_per_second:,.0f} images/s)"


def propose_fits(workspace: Workspace, world: str, kinds: Sequence[str]) -> list[FitProposal]:
    """Measure how fast each kind learns from the world here, and propose how long; a classifier is first, as a judge of
    the others.
    """
    if not kinds or any(kind not in OFFERED_KINDS for kind in kinds):
        raise UserError(f"Choose at least one of {', '.join(OFFERED_KINDS)}.")
    data = workspace.load_dataset(world)
    chosen = [choose_kind(kind, data.image_shape) for kind in OFFERED_KINDS if kind in kinds]
    if unfit := {kind: why for kind, why in find_unfit_kinds(data.image_shape).items() if kind in chosen}:
        raise UserError(next(iter(unfit.values())))
    if any(not KINDS[kind].is_latent for kind in chosen):
        data.require_classes()
    paces = {kind: measure_fit_speed(kind, data, str(workspace.store.device)) for kind in chosen}
    return [FitProposal(kind, propose_minutes(kind, pace), pace) for kind, pace in paces.items()]


def plan_fits(world: str, proposals: Sequence[FitProposal], minutes: float) -> list[FitConfig]:
    """Return what each fit is asked to do: the minutes that a visitor has said, or with 0 those that are proposed."""
    if not is_number_within(minutes, 0, MAX_FIT_MINUTES):
        raise UserError(f"minutes must be a number from 0, which is as proposed, to {MAX_FIT_MINUTES}.")
    return [FitConfig(world=world, kind=one.kind, minutes=minutes or float(one.minutes)) for one in proposals]


def format_minutes(minutes: float) -> str:
    whole = round(minutes)
    return f"{whole} min" if whole < 90 else f"{minutes / 60:.1f} h"


def read_sheet(folder: Path) -> bytes | None:
    """Return the contact sheet of a fit as a PNG, None where there is none yet."""
    path = folder / layout.SHEET_FILE
    return path.read_bytes() if path.is_file() else None
