"""An attack as it goes, its control in pixels at the same distance, and what makes its numbers doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from latentlab import operators
from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.judges import rank_judge
from latentlab.knobs import Knob, Setting
from latentlab.operators import METHODS, PIXEL_PGD, Adversary, Attack, LatentOperator
from latentlab.session.actions import (
    apply_move,
    choose_networks,
    make_move_batch,
    measure_result,
    put_batch_on_device,
    rebuild_input,
)
from latentlab.session.state import AttackTrace, Prediction, Session
from latentlab.session.workspace import Workspace

MIN_WITNESS_ACCURACY = 0.75  # accuracy on the test images that a witness needs, where it is known
RADIUS_CORRECTIONS = 2  # of the control's radius, where the ball is cut off by black and white
MAX_CONTROL_RADIUS = 100.0
PRESET_METHODS = ("adversarial-la", "advmix", "pixel-pgd")


@dataclass(frozen=True)
class Witness:
    """A classifier that the attack never saw, before and after."""

    name: str
    accuracy: float | None
    before: Prediction
    after: Prediction


def trace_attack(workspace: Workspace, session: Session, tool: Attack) -> Iterator[Session]:
    """Attack step by step in the session's space, from the clean path on.

    Each step yields a session; the last one holds the control, too.
    """
    trace = AttackTrace((), (), (), ())
    for trace in _trace_steps(workspace, session, tool, session.model):
        yield replace(session, result=trace.last_result, trace=(trace, None), doubts=())
    beside = trace_control(workspace, session, tool, trace.distances[-1])
    why = collect_doubts(workspace, session, tool, trace)
    yield replace(session, result=trace.last_result, trace=(trace, beside), doubts=why)


def trace_control(workspace: Workspace, session: Session, tool: Attack, reached: float) -> AttackTrace:
    """Run pixel PGD that wants what the attack wants, and ends at the same distance as it did."""
    pixels, radius = f"{session.world}-pixels", reached
    for _ in range(RADIUS_CORRECTIONS):
        *_, trace = _trace_steps(workspace, session, make_pixel_control(tool, radius), pixels)
        arrived = trace.distances[-1]
        if arrived == 0 or abs(arrived - reached) < 0.01 * reached:
            return trace
        radius *= reached / arrived
    *_, trace = _trace_steps(workspace, session, make_pixel_control(tool, radius), pixels)
    return trace


def make_pixel_control(tool: Attack, radius: float) -> Adversary:
    """Return the published pixel PGD in an l2 ball, with the attack's own label and target: else the two are not
    after the same thing, and their margins are of different classes.
    """
    epsilon = min(radius, MAX_CONTROL_RADIUS)
    return replace(PIXEL_PGD, norm="l2", epsilon=epsilon, label=tool.label, target=tool.target)


def _trace_steps(workspace: Workspace, session: Session, tool: Attack, model: str) -> Iterator[AttackTrace]:
    """Yield the track of an attack as it grows by a step."""
    bench = workspace.store.bench(model, require_attacked_classifier(session), session.seed)
    batch = put_batch_on_device(workspace, make_move_batch(workspace, session, tool))
    trace = AttackTrace((), (), (), ())
    codes = workspace.encode_pictures(model, session.source.image, model in session.refined)
    for place, step in enumerate(tool.trace_attack(batch, bench, codes)):
        here = measure_result(workspace, session, tool.cut_short(place), round_levels(step.images), batch.targets)
        trace = AttackTrace(
            (*trace.losses, float(step.loss)),
            (*trace.margins, float(step.margin)),
            (*trace.distances, float(step.distance)),
            (*trace.steps, here),
        )
        yield trace


def require_attacked_classifier(session: Session) -> str:
    """Return the classifier to attack; refuse a world that has none."""
    if not session.classifier:
        raise UserError("An attack needs a classifier, and this world has none; add one with `latentlab fit`.")
    return session.classifier


def show_step(session: Session, place: Any) -> Session:
    """Put the picture of one point of the track on the stage."""
    if session.trace is None:
        raise UserError("There are no steps to look at; press Attack first.")
    steps = session.trace[0].steps
    step = Setting("step", int, 0, Knob("", 0, len(steps) - 1)).check_value(place)
    return replace(session, result=steps[step], notice="")


def collect_doubts(workspace: Workspace, session: Session, tool: Attack, trace: AttackTrace) -> tuple[str, ...]:
    """Return the reasons not to trust the numbers, one line each."""
    bench = workspace.store.bench(session.model, session.classifier, session.seed)
    rebuilt = workspace.predict_picture(
        session.world, session.classifier, rebuild_input(workspace, session).image, session.model
    )
    here = {
        "The rebuilding alone changes the label: the attack did not have to.": rebuilt.best_class
        != session.before.best_class,
        "The label is lost only before the picture is rounded to 256 levels.": tool.label == "predicted"
        and trace.margins[-1] < 0
        and trace.last_result.prediction.best_class == session.before.best_class,
    }
    batch = put_batch_on_device(workspace, make_move_batch(workspace, session, tool))
    general = operators.check_attack(tool, batch, bench, torch.tensor(trace.losses[-1:]))
    return (*general, *(line for line, present in here.items() if present))


def find_preset(name: str) -> tuple[Attack, str]:
    """Return the settings of a published method, and the kind of model it moves in.

    Of AdvMix it is the adversary alone: it starts at the picture's own style, not at a partner's.
    """
    if name not in PRESET_METHODS:
        raise UserError(f"There is no attack {name[:40]!r}; choose one of {', '.join(PRESET_METHODS)}.")
    operator = METHODS[name].operator
    tool = operator.find_attack() if isinstance(operator, LatentOperator) else None
    assert tool is not None
    return tool, METHODS[name].space


def apply_preset(workspace: Workspace, session: Session, name: str) -> Session:
    """Make a published attack in the space it was made for."""
    tool, kind = find_preset(name)
    models = [model for model in workspace.store.list_models(session.world) if workspace.store.card(model).kind == kind]
    if not models:
        raise UserError(f"{name} moves in the latent space of a {kind}, and {session.world} has none.")
    if session.model not in models:
        session = choose_networks(workspace, session, model=models[0])
    return apply_move(workspace, session, tool)


def match_preset(workspace: Workspace, model: str, tool: Attack) -> str:
    """Return the published method whose settings these are; empty if they are free."""
    kind = workspace.store.card(model).kind
    return next((name for name in PRESET_METHODS if find_preset(name) == (tool, kind)), "")


def choose_witness(workspace: Workspace, session: Session) -> str | None:
    """Choose the first judge of these classes that shares no network with the attacked one, else the most accurate.

    One that is known to err too often is no witness.
    """
    base = session.classifier.partition(":")[0]
    others = [name for name in workspace.store.list_classifiers(session.world) if name.partition(":")[0] != base]
    pictures = (session.source.image, session.result.image)
    usable = [name for name in others if all(workspace.can_classify(name, picture) for picture in pictures)]
    fit = [name for name in usable if has_same_classes(workspace, session, name)]
    trusted = [
        name for name in fit if (score := read_accuracy(workspace, name)) is None or score >= MIN_WITNESS_ACCURACY
    ]

    def rank(name: str) -> tuple[int, float]:
        return rank_judge(session.world, name), -(read_accuracy(workspace, name) or 0.0)

    return min(trusted, key=rank, default=None)


def read_accuracy(workspace: Workspace, name: str) -> float | None:
    """Return the accuracy on the test images, as the card says."""
    return workspace.store.card(name).scores.get("accuracy")


def has_same_classes(workspace: Workspace, session: Session, name: str) -> bool:
    return tuple(workspace.store.load(name).classes) == session.classes


def ask_witness(workspace: Workspace, session: Session) -> Witness | None:
    """Return what the independent classifier says of the picture before and after; None where there is none."""
    name = choose_witness(workspace, session)
    if name is None:
        return None
    pictures = (session.source.image, session.result.image)
    return Witness(
        name,
        read_accuracy(workspace, name),
        *(workspace.predict_picture(session.world, name, picture) for picture in pictures),
    )
