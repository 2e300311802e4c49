"""Both pictures explained for one class, and when an explanation is out of date."""

from __future__ import annotations

import pytest
import torch

from latentlab.errors import UserError
from latentlab.explainers import IntegratedGradients, Saliency
from latentlab.operators import Noise
from latentlab.session import Session, Workspace, apply_move, choose_networks, open_world
from latentlab.session.explanation import explain_pair, is_still_current
from latentlab.ui.tabs.explain.view import HEAT_COLOURS, colour_heat_map


@pytest.fixture
def session(workspace: Workspace) -> Session:
    session = choose_networks(workspace, open_world(workspace, "digits"), model="digits-glow")
    return apply_move(workspace, session, Noise(epsilon=40.0))


def test_both_pictures_are_explained_for_the_same_class(workspace: Workspace, session: Session) -> None:
    net = workspace.store.load("digits-resnet")
    told = explain_pair(workspace, session, Saliency(), "3")
    pair = torch.cat([session.source.image, session.result.image])
    assert told.explanation.heat.equal(Saliency()(pair, net, torch.tensor([3, 3])))
    assert told.heat_change.equal(told.explanation.heat[[1]] - told.explanation.heat[[0]])
    assert told.asked_class == "3"
    assert 0 < told.heat_limit <= float(told.explanation.heat.abs().amax())


def test_the_class_may_be_the_one_that_is_predicted(workspace: Workspace, session: Session) -> None:
    assert explain_pair(workspace, session, Saliency(), "before").asked_class == str(session.before.best_class)
    assert explain_pair(workspace, session, Saliency(), "after").asked_class == str(
        session.result.prediction.best_class
    )
    with pytest.raises(UserError, match="no class 'cat'"):
        explain_pair(workspace, session, Saliency(), "cat")


def test_an_explanation_is_true_until_something_it_rests_on_changes(workspace: Workspace, session: Session) -> None:
    tool = IntegratedGradients(steps=4)
    told = explain_pair(workspace, session, tool, "3")
    assert is_still_current(told, session, tool, "3")
    assert not is_still_current(told, session, IntegratedGradients(steps=5), "3")
    assert not is_still_current(told, session, tool, "4")
    assert not is_still_current(told, apply_move(workspace, session, Noise(epsilon=41.0)), tool, "3")


def test_one_scale_for_all_maps(workspace: Workspace, session: Session) -> None:
    """A colour means one value: equal values have equal colours in every map, and the ends are those of the legend."""
    ends = colour_heat_map(torch.tensor([[-2.0, -1.0, 0.0, 1.0, 2.0]]))[:, 0].T
    words = ["#" + "".join(f"{round(255 * float(c)):02x}" for c in colour) for colour in ends]
    assert words == [HEAT_COLOURS[0], HEAT_COLOURS[0], HEAT_COLOURS[2], HEAT_COLOURS[-1], HEAT_COLOURS[-1]]
    half = colour_heat_map(torch.tensor([[0.25]]))[:, 0, 0]
    between = colour_heat_map(torch.tensor([[0.0, 0.5]]))[:, 0].mean(1)
    torch.testing.assert_close(half, between)
