"""Exact assignment against every permutation, and against POT."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import ot
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab.operators import match_points
from latentlab.operators.pairing import pair_at_random, pair_by_transport


def points(count: int, size: int, seed: int) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 2**31), count=st.integers(1, 6))
def test_no_permutation_is_better(seed, count):
    a, b = points(count, 3, seed), points(count, 3, seed + 1)
    best = min(permutations(range(count)), key=lambda s: (a - b[list(s)]).square().sum().item())
    found, least = ((a - b[list(s)]).square().sum().item() for s in (match_points(a, b).tolist(), best))
    assert found == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_agrees_with_pot(shift):
    a, b = points(64, 300, 0), points(64, 300, 1) + shift
    plan = ot.emd(np.ones(64) / 64, np.ones(64) / 64, torch.cdist(a.double(), b.double()).square().numpy())
    assert match_points(a, b).tolist() == plan.argmax(1).tolist()


def test_by_hand():
    a, b = torch.tensor([[0.0], [10.0], [20.0]]), torch.tensor([[19.0], [1.0], [9.0]])
    assert match_points(a, b).tolist() == [1, 2, 0]


def test_those_apart_never_meet():
    a = points(5, 2, 0)
    assert match_points(a, a).tolist() == [0, 1, 2, 3, 4]
    assert not any(match_points(a, a, torch.eye(5, dtype=torch.bool)) == torch.arange(5))


@pytest.mark.parametrize("k", [1, 3, 4, 16])
def test_transport_stays_in_its_block_and_is_a_permutation(k):
    z = points(10, 4, 0)
    second = pair_at_random(10, torch.Generator().manual_seed(7))
    partner = pair_by_transport(z, k, torch.Generator().manual_seed(7))
    assert sorted(partner.tolist()) == list(range(10))
    for rows in torch.arange(10).split(k):
        assert set(partner[rows].tolist()) == set(second[rows].tolist())


def test_one_block_matches_everything_with_itself_unless_distinct():
    z = points(12, 4, 0)
    assert pair_by_transport(z, 12, torch.Generator().manual_seed(0)).tolist() == list(range(12))
    apart = pair_by_transport(z, 12, torch.Generator().manual_seed(0), distinct=True)
    assert not (apart == torch.arange(12)).any()


@given(seed=st.integers(0, 2**31), count=st.integers(2, 9), k=st.integers(1, 9))
def test_distinct_partners_are_never_oneself(seed, count, k):
    rng = torch.Generator().manual_seed(seed)
    for partner in (
        pair_at_random(count, rng, distinct=True),
        pair_by_transport(points(count, 2, seed), k, rng, distinct=True),
    ):
        assert sorted(partner.tolist()) == list(range(count))
        assert not (partner == torch.arange(count)).any()


def test_larger_blocks_shorten_the_way():
    z = points(128, 2, 0)
    ways = [(z - z[pair_by_transport(z, k, torch.Generator().manual_seed(0))]).square().sum() for k in (1, 4, 16)]
    assert ways[0] > ways[1] > ways[2]
