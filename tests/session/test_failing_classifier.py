"""A classifier that fails in use is said where it is chosen, and no other's numbers stand under its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.operators import Adversary
from latentlab.session import Workspace, choose_networks, open_world, trace_attack
from latentlab.session.attack.trace import ask_witness
from latentlab.store import Store

CLASSES = tuple("0123456789")


class Picky(nn.Module):
    """Answers for images of one shape only, and for the grey one that it is asked first."""

    def __init__(self, failure: str) -> None:
        super().__init__()
        self.failure = failure

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        grey = bool((flat == flat[:, :1]).all())
        if self.failure == "raises" and not grey:
            raise ZeroDivisionError("too colourful")
        weight = torch.ones(10, flat.shape[1]) if self.failure != "size" else torch.ones(10, 1 * 28 * 28)
        answer = flat @ weight.T
        return answer if grey or self.failure != "nan" else answer * float("nan")


@pytest.fixture(params=["size", "raises", "nan"])
def brought(request: pytest.FixtureRequest, small_world: Path) -> Workspace:
    workspace = Workspace(Store(small_world, "cpu"))
    grey = request.param == "size"
    normalisation: dict[str, Any] = {"mean": (0.0,), "std": (1.0,)} if grey else {}
    shape = (1, 28, 28) if grey else (3, 32, 32)
    workspace.store.add("mine", Picky(request.param), CLASSES, image_shape=shape, **normalisation)
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
