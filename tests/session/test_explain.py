"""Both pictures explained for one class, and when an explanation is out of date."""

from __future__ import annotations

import pytest
import torch

from latentlab.errors import UserError
from latentlab.explainers import IntegratedGradients, Saliency
from latentlab.operators import Noise
from latentlab.session import Desk, Session, act, choose, open_world
from latentlab.session.explain import explain, still_true
from latentlab.ui.attributions import SCALE, colours


@pytest.fixture
def session(desk: Desk) -> Session:
    session = choose(desk, open_world(desk, "digits"), model="digits-glow")
    return act(desk, session, Noise(epsilon=40.0))


def test_both_pictures_are_explained_for_the_same_class(desk: Desk, session: Session) -> None:
    net = desk.store.load("digits-resnet")
    told = explain(desk, session, Saliency(), "3")
    pair = torch.cat([session.source.image, session.result.image])
    assert told.told.heat.equal(Saliency()(pair, net, torch.tensor([3, 3])))
    assert told.difference.equal(told.told.heat[[1]] - told.told.heat[[0]])
    assert told.asked == "3"
    assert 0 < told.reach <= float(told.told.heat.abs().amax())


def test_the_class_may_be_the_one_that_is_predicted(desk: Desk, session: Session) -> None:
    assert explain(desk, session, Saliency(), "before").asked == str(session.before.best)
    assert explain(desk, session, Saliency(), "after").asked == str(session.result.reading.best)
    with pytest.raises(UserError, match="no class 'cat'"):
        explain(desk, session, Saliency(), "cat")


def test_an_explanation_is_true_until_something_it_rests_on_changes(desk: Desk, session: Session) -> None:
    tool = IntegratedGradients(steps=4)
    told = explain(desk, session, tool, "3")
    assert still_true(told, session, tool, "3")
    assert not still_true(told, session, IntegratedGradients(steps=5), "3")
    assert not still_true(told, session, tool, "4")
    assert not still_true(told, act(desk, session, Noise(epsilon=41.0)), tool, "3")


def test_one_scale_for_all_maps(desk: Desk, session: Session) -> None:
    """A colour means one value: equal values have equal colours in every map, and the ends are those of the legend."""
    ends = colours(torch.tensor([[-2.0, -1.0, 0.0, 1.0, 2.0]]))[:, 0].T
    words = ["#" + "".join(f"{round(255 * float(c)):02x}" for c in colour) for colour in ends]
    assert words == [SCALE[0], SCALE[0], SCALE[2], SCALE[-1], SCALE[-1]]
    half = colours(torch.tensor([[0.25]]))[:, 0, 0]
    between = colours(torch.tensor([[0.0, 0.5]]))[:, 0].mean(1)
    torch.testing.assert_close(half, between)
