"""An attack as it goes, its control in pixels at the same distance, and what makes its numbers doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from latentlab import operators
from latentlab.errors import UserError
from latentlab.operators import METHODS, Adversary
from latentlab.session.desk import Desk, levels
from latentlab.session.state import Session, Track
from latentlab.session.verbs import batch_of, on_device, result

CORRECTIONS = 2  # of the control's radius, where the ball is cut off by black and white


def attack(desk: Desk, session: Session, tool: Adversary) -> Iterator[Session]:
    """Step by step in the session's space, from the clean path on: a session a step, at the end with the control."""
    track = Track((), (), (), ())
    for track in _follow(desk, session, tool, session.model):
        yield replace(session, result=track.result, track=(track, track), doubts=())
    beside = control(desk, session, track.distances[-1])
    why = doubts(desk, session, tool, track)
    yield replace(session, result=track.result, track=(track, beside), doubts=why)


def control(desk: Desk, session: Session, reached: float) -> Track:
    """Pixel PGD that ends at the same distance as the attack did."""
    pixels, radius = f"{session.world}-pixels", reached
    for _ in range(CORRECTIONS):
        *_, track = _follow(desk, session, pixel_control(min(radius, 100.0)), pixels)
        arrived = track.distances[-1]
        if arrived == 0 or abs(arrived - reached) < 0.01 * reached:
            return track
        radius *= reached / arrived
    *_, track = _follow(desk, session, pixel_control(min(radius, 100.0)), pixels)
    return track


def pixel_control(epsilon: float) -> Adversary:
    """The published pixel PGD, in an l2 ball."""
    published = METHODS["pixel-pgd"].operator
    assert isinstance(published, Adversary)
    return replace(published, norm="l2", epsilon=epsilon)


def _follow(desk: Desk, session: Session, tool: Adversary, model: str) -> Iterator[Track]:
    if not session.classifier:
        raise UserError("An attack needs a classifier, and this world has none; add one with `latentlab fit`.")
    batch = on_device(desk, batch_of(desk, session, tool))
    bench = desk.store.bench(model, session.classifier, session.seed)
    track = Track((), (), (), ())
    for step in tool.trajectory(batch, bench, desk.latents(model, session.source.image)):
        here = result(desk, session, tool, levels(step.images), batch.targets)
        track = Track(
            (*track.losses, float(step.loss)),
            (*track.margins, float(step.margin)),
            (*track.distances, float(step.distance)),
            (*track.steps, here),
        )
        yield track


def doubts(desk: Desk, session: Session, tool: Adversary, track: Track) -> tuple[str, ...]:
    """Reasons not to trust the numbers, one line each."""
    bench = desk.store.bench(session.model, session.classifier, session.seed)
    clean = desk.rebuilt(session.model, session.source.image).image
    rebuilt = desk.reading(session.world, session.classifier, clean)
    here = {
        "The rebuilding alone changes the label: the attack did not have to.": rebuilt.best != session.before.best,
        "The label is lost only before the picture is rounded to 256 levels.": tool.label == "predicted"
        and track.margins[-1] < 0
        and track.result.reading.best == session.before.best,
    }
    general = operators.doubts(tool, on_device(desk, batch_of(desk, session, tool)), bench)
    return (*general, *(line for line, present in here.items() if present))
