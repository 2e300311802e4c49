"""Two sets paired and mixed, and the grid of contents and styles, against brute force and by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch

from latentlab import models
from latentlab.errors import UserError
from latentlab.operators import Mix, Swap
from latentlab.session import Selection, Session, Workspace, choose_networks, mixing, open_world
from latentlab.store import Store


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return choose_networks(workspace, open_world(workspace, "digits"), model="digits-pixels")


@pytest.mark.parametrize("model", ["digits-pixels", "digits-vae", "digits-glow"])
def test_no_permutation_of_five_costs_less_than_the_plan(workspace: Workspace, session: Session, model: str) -> None:
    done = mixing.pair_sets(workspace, choose_networks(workspace, session, model=model), 5, Mix(partner="transport"))
    every = [done.costs[torch.arange(5), list(order)].sum().item() for order in permutations(range(5))]
    assert done.ours.total == pytest.approx(min(every), rel=1e-5)
    assert sorted(done.ours.partner) == sorted(done.control.partner) == list(range(5))


@pytest.mark.parametrize("seed", range(8))
def test_transport_never_costs_more_than_random_pairs(workspace: Workspace, session: Session, seed: int) -> None:
    done = mixing.pair_sets(workspace, replace(session, seed=seed), 6, Mix(partner="transport"))
    assert done.ours.total <= done.control.total * (1 + 1e-6)


def test_costs_mixes_and_labels_by_hand(workspace: Workspace, session: Session) -> None:
    done = mixing.pair_sets(workspace, session, 4, Mix(partner="transport", lam=0.25))
    a, b = (torch.cat([found.image for found in half]) for half in (done.first, done.second))
    assert torch.allclose(done.costs, (a[:, None] - b[None]).square().flatten(2).sum(2), rtol=1e-4)
    for pairing in (done.ours, done.control):
        partner = list(pairing.partner)
        assert pairing.total == pytest.approx(done.costs[torch.arange(4), partner].sum().item(), rel=1e-5)
        assert torch.allclose(pairing.images, 0.25 * a + 0.75 * b[partner], atol=0.6 / 255)
        true = [(int(*done.first[i].labels), int(*done.second[j].labels)) for i, j in enumerate(partner)]
        assert pairing.alike == sum(one == other for one, other in true)
        for label, (one, other) in zip(pairing.labels, true, strict=True):
            assert label[one] + label[other] * (one != other) == pytest.approx(1)
            assert label[other] == pytest.approx(1.0 if one == other else 0.75)


def test_of_parts_only_these_count_in_the_costs(workspace: Workspace, session: Session) -> None:
    glow = choose_networks(workspace, session, model="digits-glow")
    whole, coarse, rest = (
        mixing.pair_sets(workspace, glow, 4, Mix(partner="transport", parts=parts)).costs
        for parts in (("coarse", "middle", "fine"), ("coarse",), ("middle", "fine"))
    )
    assert torch.allclose(coarse + rest, whole, rtol=1e-4)


def test_drawn_weights_are_the_same_on_both_sides_and_come_from_the_seed(
    workspace: Workspace, session: Session
) -> None:
    tool = Mix(partner="transport", weight="beta", alpha=0.5)
    first, again = (mixing.pair_sets(workspace, session, 4, tool) for _ in range(2))
    other = mixing.pair_sets(workspace, replace(session, seed=5), 4, tool)
    assert first.lam == again.lam != other.lam
    assert first.control.partner == again.control.partner


def test_the_selection_and_its_second_set_are_the_two_sets(workspace: Workspace, session: Session) -> None:
    def names(selection: Any) -> tuple[list[str], list[str]]:
        first, second, _ = mixing.choose_two_sets(workspace, replace(session, selection=selection), 3)
        return [found.name for found in first], [found.name for found in second]

    assert names(Selection()) == (["test 0", "test 1", "test 2"], ["test 3", "test 4", "test 5"])
    assert names(Selection("train", (4, 7), (1, 2, 3))) == (["train 4", "train 7"], ["train 1", "train 2"])
    assert names(Selection("test", (9, 11, 13, 15, 20))) == (["test 9", "test 11"], ["test 13", "test 15"])
    assert all(name.startswith("drawn digits-stylegan2") for name in names(Selection("drawn", (1, 2)))[0])


def test_without_data_samples_stand_in_and_it_is_said(small_world: Path, tmp_path: Path) -> None:
    card, network = models.load_network(small_world / "digits-vae.safetensors")
    models.save_network(tmp_path / "nowhere-vae.safetensors", network, replace(card, data="nowhere"))
    elsewhere = Workspace(Store(tmp_path, "cpu"))
    first, second, origin = mixing.choose_two_sets(elsewhere, open_world(elsewhere, "nowhere"), 2)
    assert [found.name.split(" ")[2] for found in (*first, *second)] == ["0", "1", "2", "3"]
    assert origin == "4 samples: the data of nowhere are not here"


def test_the_hardest_partners_are_at_least_as_hard_as_one_random_choice(workspace: Workspace, session: Session) -> None:
    def hurt(candidates: int) -> float:
        done = mixing.pair_sets(workspace, session, 6, Mix(partner="hardest", candidates=candidates)).ours
        logits = workspace.store.load(session.classifier)(done.images).log_softmax(1)
        return float(-(done.labels * logits).sum())

    assert hurt(16) > hurt(1)


@pytest.mark.parametrize("model", ["digits-stylegan2", "digits-glow"])
def test_the_grid_has_the_rebuilt_pictures_on_its_diagonal_and_swaps_elsewhere(
    workspace: Workspace, session: Session, model: str
) -> None:
    space = choose_networks(workspace, session, model=model)
    done = mixing.make_style_grid(workspace, space, 3, ("middle", "fine"))
    for k, picture in enumerate(done.pictures):
        rebuilt = workspace.rebuild_pictures(model, picture.image).image[0]
        assert (
            done.images[4 * k] - rebuilt
        ).abs().max() <= 1.01 / 255  # of 256 levels, and a batch sums in another order
    swapped = mixing.take_pictures(workspace, space, [done.pictures[0].name, done.pictures[2].name], _swap(Swap))
    assert (done.images[2] - swapped.result.image[0]).abs().max() <= 1.01 / 255


def _swap(swap: Any) -> Any:
    return swap(parts=("middle", "fine"), partner="next")


def test_a_mixed_picture_on_the_workbench_is_the_one_in_the_plan(workspace: Workspace, session: Session) -> None:
    space = choose_networks(workspace, session, model="digits-vae")
    done = mixing.pair_sets(workspace, space, 3, Mix(partner="transport", weight="beta"))
    names = [done.first[1].name, done.second[done.ours.partner[1]].name]
    taken = mixing.take_pictures(workspace, space, names, Mix(lam=done.lam, partner="next"))
    assert (taken.source.name, taken.partner.name) == tuple(names)
    assert (taken.result.image[0] - done.ours.images[1]).abs().max() <= 1.01 / 255
    assert torch.allclose(torch.tensor(taken.result.label), done.ours.labels[1])


def test_what_cannot_be_is_refused(workspace: Workspace, session: Session) -> None:
    with pytest.raises(UserError, match="k is 99"):
        mixing.pair_sets(workspace, session, 99, Mix(partner="transport"))
    with pytest.raises(UserError, match="single latent part"):
        mixing.pair_sets(workspace, session, 4, Mix(partner="transport", parts=("fine",)))
    with pytest.raises(UserError, match="single latent part"):
        mixing.make_style_grid(workspace, session, 3, ("fine",))
    with pytest.raises(UserError, match="no picture"):
        mixing.take_pictures(workspace, session, ["../etc"], Mix(partner="next"))
