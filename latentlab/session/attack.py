"""An attack as it goes, its control in pixels at the same distance, and what makes its numbers doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from latentlab import operators
from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.operators import METHODS, Adversary, Swap
from latentlab.session.desk import Desk, levels
from latentlab.session.state import Reading, Session, Track
from latentlab.session.verbs import act, batch_of, choose, clean, on_device, result

TRUSTED = 0.75  # accuracy on the test images that a witness needs, where it is known
CORRECTIONS = 2  # of the control's radius, where the ball is cut off by black and white
PRESETS = ("adversarial-la", "advmix", "pixel-pgd")


@dataclass(frozen=True)
class Witness:
    """A classifier that the attack never saw, before and after."""

    name: str
    accuracy: float | None
    before: Reading
    after: Reading


def attack(desk: Desk, session: Session, tool: Adversary) -> Iterator[Session]:
    """Step by step in the session's space, from the clean path on: a session a step, at the end with the control."""
    track = Track((), (), (), ())
    for track in _follow(desk, session, tool, session.model):
        yield replace(session, result=track.result, track=(track, None), doubts=())
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
    bench = desk.store.bench(model, attacked(session), session.seed)
    batch = on_device(desk, batch_of(desk, session, tool))
    track = Track((), (), (), ())
    codes = desk.latents(model, session.source.image, model in session.refined)
    for place, step in enumerate(tool.trajectory(batch, bench, codes)):
        here = result(desk, session, until(tool, place), levels(step.images), batch.targets)
        track = Track(
            (*track.losses, float(step.loss)),
            (*track.margins, float(step.margin)),
            (*track.distances, float(step.distance)),
            (*track.steps, here),
        )
        yield track


def attacked(session: Session) -> str:
    if not session.classifier:
        raise UserError("An attack needs a classifier, and this world has none; add one with `latentlab fit`.")
    return session.classifier


def until(tool: Adversary, place: int) -> Adversary:
    """The attack that ends at this point of its track: 0 is the clean path, 1 the start, then the steps."""
    return replace(tool, steps=place - 1) if place else replace(tool, epsilon=0.0, steps=0)


def at_step(session: Session, place: Any) -> Session:
    """The picture of one point of the track on the stage."""
    if session.track is None:
        raise UserError("There are no steps to look at; press Attack first.")
    steps = session.track[0].steps
    step = Setting("step", int, 0, Knob("", 0, len(steps) - 1)).check(place)
    return replace(session, result=steps[step], notice="")


def doubts(desk: Desk, session: Session, tool: Adversary, track: Track) -> tuple[str, ...]:
    """Reasons not to trust the numbers, one line each."""
    bench = desk.store.bench(session.model, session.classifier, session.seed)
    rebuilt = desk.reading(session.world, session.classifier, clean(desk, session).image)
    here = {
        "The rebuilding alone changes the label: the attack did not have to.": rebuilt.best != session.before.best,
        "The label is lost only before the picture is rounded to 256 levels.": tool.label == "predicted"
        and track.margins[-1] < 0
        and track.result.reading.best == session.before.best,
    }
    batch = on_device(desk, batch_of(desk, session, tool))
    general = operators.doubts(tool, batch, bench, torch.tensor(track.losses[-1:]))
    return (*general, *(line for line, present in here.items() if present))


def preset(name: str) -> tuple[Adversary, str]:
    """The settings of a published method, and the kind of model it moves in. Of AdvMix the adversary alone: it starts
    at the picture's own style, not at a partner's."""
    if name not in PRESETS:
        raise UserError(f"There is no attack {name[:40]!r}; choose one of {', '.join(PRESETS)}.")
    method = METHODS[name]
    tool = method.operator.adversary() if isinstance(method.operator, Swap) else method.operator
    assert isinstance(tool, Adversary)
    return tool, method.space


def prepare(desk: Desk, session: Session, name: str) -> Session:
    """A published attack, in the space it was made for."""
    tool, kind = preset(name)
    models = [model for model in desk.store.models(session.world) if desk.store.card(model).kind == kind]
    if not models:
        raise UserError(f"{name} moves in the latent space of a {kind}, and {session.world} has none.")
    if session.model not in models:
        session = choose(desk, session, model=models[0])
    return act(desk, session, tool)


def preset_of(desk: Desk, model: str, tool: Adversary) -> str:
    """The published method whose settings these are; empty if they are free."""
    kind = desk.store.card(model).kind
    return next((name for name in PRESETS if preset(name) == (tool, kind)), "")


def independent(desk: Desk, session: Session) -> str | None:
    """Of the classifiers of these classes that share no network with the attacked one, the most often right; one that
    is known to err too often is no witness."""
    base = session.classifier.partition(":")[0]
    others = [name for name in desk.store.classifiers(session.world) if name.partition(":")[0] != base]
    fit = [name for name in others if desk.loads(name) and same_classes(desk, session, name)]
    trusted = [name for name in fit if (score := accuracy(desk, name)) is None or score >= TRUSTED]
    return max(trusted, key=lambda name: accuracy(desk, name) or 0.0, default=None)


def accuracy(desk: Desk, name: str) -> float | None:
    """On the test images, as the card says."""
    return desk.store.card(name).scores.get("accuracy")


def same_classes(desk: Desk, session: Session, name: str) -> bool:
    return tuple(desk.store.load(name).classes) == session.classes


def witness(desk: Desk, session: Session) -> Witness | None:
    """What the independent classifier says of the picture before and after; None where there is none."""
    name = independent(desk, session)
    if name is None:
        return None
    pictures = (session.source.image, session.result.image)
    return Witness(name, accuracy(desk, name), *(desk.reading(session.world, name, picture) for picture in pictures))
