"""An attack as a visitor sees it: steps that are what they say, a stop, an independent opinion, success over many."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.operators import METHODS, Adversary, decode
from latentlab.operators.classification import compute_logits, compute_margins
from latentlab.session import Session, Workspace, apply_move, choose_networks, open_world, trace_attack
from latentlab.session.actions import make_move_batch
from latentlab.session.attack.success_curve import (
    ATTACK_CHUNK,
    _number_labels,
    compute_wilson_interval,
    measure_success,
)
from latentlab.session.attack.trace import (
    apply_preset,
    ask_witness,
    choose_witness,
    find_preset,
    match_preset,
    show_step,
)
from latentlab.session.state import Selection
from latentlab.store import Store
from latentlab.types import Batch
from latentlab.ui.tabs.attack.figures import write_attack_verdict
from latentlab.ui.tabs.attack.tab import pace_states

TOOL = Adversary(epsilon=2.0, steps=4)
COUNT = 10  # images; more than one chunk


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return choose_networks(workspace, open_world(workspace, "digits"), model="digits-glow")


@pytest.fixture
def two(small_world: Path) -> Any:
    """A desk of its own, to add classifiers to."""
    return Workspace(Store(small_world, "cpu"))


def last(states: Any) -> Any:
    *_, state = states
    return state


def test_every_step_of_the_track_is_what_its_own_tool_makes(workspace: Workspace, session: Session) -> None:
    ours, _ = last(trace_attack(workspace, session, TOOL)).trace
    assert [done.tool.steps for done in ours.steps] == [0, 0, 1, 2, 3, 4]
    assert ours.steps[-1].tool == TOOL
    assert ours.steps[0].image.equal(workspace.rebuild_pictures(session.model, session.source.image).image)
    for done in ours.steps:
        torch.testing.assert_close(
            apply_move(workspace, session, done.tool).result.image, done.image, atol=1.01 / 255, rtol=0
        )


def test_a_step_on_the_stage_leaves_the_track_whole(workspace: Workspace, session: Session) -> None:
    done = last(trace_attack(workspace, session, TOOL))
    shown = show_step(done, 2)
    assert shown.result is done.trace[0].steps[2]
    assert shown.trace is done.trace
    for wrong in (6, -1, 1.5, float("nan"), "2", None, True):
        with pytest.raises(UserError, match="step is"):
            show_step(done, wrong)
    with pytest.raises(UserError, match="press Attack"):
        show_step(session, 0)


@pytest.mark.parametrize(("label", "target"), [("predicted", 0), ("true", 0), ("target", 3)])
def test_the_control_wants_what_the_attack_wants(
    workspace: Workspace, session: Session, label: Any, target: int
) -> None:
    """Both begin at the clean path of the same class: in pixels that is the picture, whose margin is known."""
    tool = replace(TOOL, label=label, target=target)
    _, control = last(trace_attack(workspace, session, tool)).trace
    assert {(step.tool.label, step.tool.target) for step in control.steps} == {(label, target)}
    bench = workspace.store.bench("digits-pixels", session.classifier)
    batch = make_move_batch(workspace, session, tool)
    goal = tool.choose_goal(batch, bench)
    margin = compute_margins(compute_logits(bench, batch.images), goal)
    assert control.margins[0] == pytest.approx(float(margin), abs=1e-3)


def test_a_stopped_attack_keeps_its_steps(workspace: Workspace, session: Session) -> None:
    running = trace_attack(workspace, session, Adversary(steps=200))
    states = [next(running) for _ in range(4)]
    running.close()
    ours, control = states[-1].trace
    assert control is None
    assert len(ours.steps) == 4
    assert states[-1].result.tool.steps == 2


@pytest.mark.parametrize("name", ["adversarial-la", "advmix", "pixel-pgd"])
def test_a_published_attack_stands_in_its_own_space(workspace: Workspace, session: Session, name: str) -> None:
    ready = apply_preset(workspace, session, name)
    assert workspace.store.card(ready.model).kind == METHODS[name].space
    assert match_preset(workspace, ready.model, ready.result.tool) == name
    assert match_preset(workspace, ready.model, replace(ready.result.tool, steps=9)) == ""
    assert find_preset(name)[0].epsilon == METHODS[name].operator.epsilon


def test_only_attacks_can_be_prepared(workspace: Workspace, session: Session) -> None:
    with pytest.raises(UserError, match="no attack 'mixup'"):
        apply_preset(workspace, session, "mixup")


class Linear(nn.Module):
    """Logits of the mean colours; `sure` makes those of pictures probabilities, of which nothing else tells when the
    network is added; `noise` draws some on top, `flat` cuts them off.
    """

    def __init__(self, sure: bool = False, noise: bool = False, flat: bool = False) -> None:
        super().__init__()
        self.head = nn.Linear(3, 10)
        self.head.weight.data = torch.linspace(-4, 4, 30).sin().view(10, 3) * 9
        self.sure, self.noise, self.flat = sure, noise, flat

    def forward(self, images: Tensor) -> Tensor:
        logits = self.head(images.mean((2, 3)))
        if self.noise:
            logits = logits + torch.randn_like(logits)
        if self.flat:
            logits = logits.clamp(-1e-9, 1e-9)
        return logits.softmax(1) if self.sure and float(images.max()) <= 1 else logits


class Turned(torch.autograd.Function):
    """The identity with a gradient that points the wrong way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return -grad


class Backwards(Linear):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(Turned.apply(images))


@pytest.mark.parametrize(
    ("net", "sign"),
    [
        (Linear(noise=True), "The classifier is random"),
        (Linear(sure=True), "probabilities, not logits"),
        (Linear(flat=True), "The gradient is zero"),
        (Backwards(), "Random moves in the same ball hurt more"),
    ],
)
def test_each_doubt_is_said_beside_the_attack(two: Any, net: nn.Module, sign: str) -> None:
    two.store.add("strange", net, [str(k) for k in range(10)])
    session = choose_networks(two, open_world(two, "digits"), model="digits-pixels", classifier="strange")
    done = last(trace_attack(two, session, Adversary(epsilon=3.0, steps=4)))
    assert any(sign in line for line in done.doubts)
    assert sign in write_attack_verdict(done, None)


def test_the_independent_classifier_shares_no_network_with_the_attacked(two: Any) -> None:
    session = open_world(two, "digits")
    assert choose_witness(two, session) is None
    assert ask_witness(two, session) is None
    two.store.add("other-classes", Linear(), [f"class {k}" for k in range(10)])
    assert choose_witness(two, session) is None
    two.store.add("second", Linear(), [str(k) for k in range(10)])
    assert choose_witness(two, session) == "second"
    found = ask_witness(two, session)
    assert found.after == two.predict_picture("digits", "second", session.result.image)


@pytest.mark.parametrize(("hits", "count"), [(0, 8), (3, 8), (8, 8), (40, 100)])
def test_the_interval_is_wilsons(hits: int, count: int) -> None:
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    assert compute_wilson_interval(hits, count) == pytest.approx(
        (max(middle - half, 0), min(middle + half, 1)), abs=1e-6
    )


@pytest.fixture(scope="module")
def curves(small_world: Path) -> Any:
    two = Workspace(Store(small_world, "cpu"))
    two.store.add("second", Linear(), [str(k) for k in range(10)])
    session = choose_networks(two, open_world(two, "digits"), model="digits-glow")
    return list(measure_success(two, session, Adversary(epsilon=8.0, steps=2), COUNT))


def test_success_grows_from_nothing_as_the_images_move(curves: Any) -> None:
    end = curves[-1]
    assert end.done == end.total == 2 * 6 * COUNT
    assert [state.done for state in curves] == sorted(state.done for state in curves)
    first, *_, far = end.ours
    assert (first.epsilon, first.distance, first.hits, first.count) == (0.0, 0.0, 0, COUNT)
    assert far.epsilon == 16.0
    assert far.hits > 0
    assert [rate.distance for rate in end.ours] == sorted(rate.distance for rate in end.ours)
    for ours, beside in zip(end.ours, end.pixels, strict=True):
        assert beside.distance == pytest.approx(ours.distance, rel=0.1, abs=0.02)
    assert end.ours[0].kept == end.ours[0].agreed


def test_the_counts_are_those_of_the_attack_itself(two: Any, curves: Any) -> None:
    """The last point again, image by image of its 256 levels."""
    pictures, _ = two.load_rows("digits", "test", range(COUNT))
    tool, won = Adversary(epsilon=16.0, steps=2), 0
    bench = two.store.bench("digits-glow", "digits-resnet", 0)
    for start in range(0, COUNT, ATTACK_CHUNK):
        chunk = pictures[start : start + ATTACK_CHUNK]
        label = bench.classifier(chunk).argmax(1)
        codes = tool.move(bench.model.encode(chunk), Batch(chunk, torch.eye(10)[label]), bench)[0]
        won += int((bench.classifier(round_levels(decode(bench.model, codes))).argmax(1) != label).sum())
    assert curves[-1].ours[-1].hits == won


def test_the_selection_is_attacked_where_there_is_one(workspace: Workspace, session: Session) -> None:
    chosen = replace(session, selection=Selection("test", (3, 5, 8, 13, 21)))
    assert next(measure_success(workspace, chosen, TOOL, 4)).images == "4 of the 5 selected images"
    drawn = replace(session, selection=Selection("drawn", (1, 2, 3, 4)))
    told = next(measure_success(workspace, drawn, replace(TOOL, label="true"), 4)).images
    assert "no true label" in told


def test_a_count_that_cannot_be_is_refused(workspace: Workspace, session: Session) -> None:
    with pytest.raises(UserError, match="images is 3"):
        next(measure_success(workspace, session, TOOL, 3))


def test_true_labels_are_found_by_the_names_of_the_classes(two: Any) -> None:
    names = [str(k) for k in reversed(range(10))]
    two.store.add("turned", Linear(), names)
    session = choose_networks(two, open_world(two, "digits"), classifier="turned")
    assert _number_labels(two, session, torch.tensor([0, 9, 4])).tolist() == [9, 0, 5]
    two.store.add("strangers", Linear(), [f"class {k}" for k in range(10)])
    session = choose_networks(two, session, classifier="strangers")
    with pytest.raises(UserError, match="has no class '0'"):
        _number_labels(two, session, torch.tensor([0]))


def test_a_quick_run_shows_its_first_and_its_last_state_and_few_between() -> None:
    assert list(pace_states(iter(range(1000)))) == [0, 999]
    assert list(pace_states(iter([7]))) == [7]
    assert list(pace_states(iter([]))) == []
