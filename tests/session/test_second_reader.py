"""Two classifiers at once: the second says what it would say alone, and where it disagrees with the first."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
import torch
from torch import nn

from latentlab.errors import UserError
from latentlab.operators import Shift
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    choose_second_reader,
    list_second_readers,
    make_link,
    open_link,
    open_world,
    predict_path,
    read_beside,
)
from latentlab.store import Store

DIGITS = tuple("0123456789")


class Stubborn(nn.Module):
    """Sees a 3 in every picture."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 5 * nn.functional.one_hot(torch.full((len(images),), 3), 10).float()


@pytest.fixture
def both(workspace: Workspace) -> Workspace:
    store = Store(workspace.store.folder, "cpu")
    store.add("stubborn", Stubborn(), DIGITS, image_shape=(3, 32, 32))
    return Workspace(store)


@pytest.fixture
def session(both: Workspace) -> Session:
    view = choose_networks(both, open_world(both, "digits"), classifier="digits-resnet")
    return choose_second_reader(both, view, "stubborn")


def test_the_second_says_what_it_would_say_alone(both: Workspace, session: Session) -> None:
    read = read_beside(both, session, session.result.image, session.result.prediction.probabilities)
    assert read is not None
    assert read.label == "3"
    alone = choose_networks(both, session, classifier="stubborn")
    assert read.probabilities == alone.result.prediction.probabilities
    assert read.disagrees == (session.classes[session.result.prediction.best_class] != "3")


def test_it_stays_through_moves_and_links_and_is_nobody_beside_itself(both: Workspace, session: Session) -> None:
    moved = apply_move(both, session, Shift(direction="pc2", amount=1.0))
    assert moved.second == "stubborn"
    again = open_link(both, dict(parse_qsl(make_link(moved))))
    assert (again.second, again.notice) == ("stubborn", "")
    assert "second" not in dict(parse_qsl(make_link(choose_second_reader(both, moved, ""))))
    same = replace(moved, classifier="stubborn")
    assert "stubborn" not in list_second_readers(both, same)
    assert read_beside(both, same, same.result.image, same.result.prediction.probabilities) is None


def test_every_place_of_a_path_is_read_twice(both: Workspace, session: Session) -> None:
    path = session.result.tool.make_path()
    assert path is not None
    along = predict_path(both, session, path)
    assert len(along.beside) == len(along.places)
    first = [session.classes[reading.best_class] for reading in along.predictions]
    assert [one.disagrees for one in along.beside if one] == [label != "3" for label in first]


def test_who_is_not_here_cannot_read(both: Workspace, session: Session) -> None:
    with pytest.raises(UserError, match="second reader"):
        choose_second_reader(both, session, "nobody")
    with pytest.raises(UserError, match="second reader"):
        choose_second_reader(both, session, session.classifier)
    lost = open_link(both, {"world": "digits", "operator": "shift", "model": "digits-vae", "second": "nobody"})
    assert "nobody" in lost.notice
