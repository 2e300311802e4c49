"""A classifier that fails in use is said where it is chosen, and no other's numbers stand under its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.operators import Adversary
from latentlab.session import Workspace, choose_networks, open_world, trace_attack
from latentlab.session.attack.trace import ask_witness
from latentlab.store import Store

CLASSES = tuple("0123456789")


class Fickle(nn.Module):
    """Answers as it should until it is told to fail: those that fail at once are not taken in the first place."""

    failure = ""

    def forward(self, images: Tensor) -> Tensor:
        if Fickle.failure == "raises":
            raise ZeroDivisionError("out of order")
        answer = images.flatten(1)[:, :10]
        return answer * float("nan") if Fickle.failure == "nan" else answer


@pytest.fixture(params=["raises", "nan"])
def brought(request: pytest.FixtureRequest, small_world: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace(Store(small_world, "cpu"))
    workspace.store.add("mine", Fickle(), CLASSES, image_shape=(3, 32, 32))
    monkeypatch.setattr(Fickle, "failure", request.param)
    return workspace


def test_it_is_one_line_and_the_session_stays(brought: Workspace) -> None:
    session = open_world(brought, "digits")
    with pytest.raises(UserError, match="mine"):
        choose_networks(brought, session, classifier="mine")
    assert session.classifier == "digits-resnet"


def test_it_is_no_witness_and_takes_no_attack_down(brought: Workspace) -> None:
    session = open_world(brought, "digits")
    *_, done = trace_attack(brought, session, Adversary(epsilon=0.5, steps=1))
    assert done.trace is not None
    assert ask_witness(brought, done) is None
