"""The sets of the plane: exact geometry against brute force, and what mixing does to clusters."""

from __future__ import annotations

import pytest
import torch

from latentlab import toys
from latentlab.chance import make_generator
from latentlab.errors import UserError

NAMES = list(toys.TOY_SETS)


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_lies_on_the_support_and_in_its_cluster(name: str):
    toy = toys.TOY_SETS[name]
    cloud = toy.sample(2000, make_generator(1))
    assert toys.count_off_support(toy, cloud.points) == 0
    assert set(cloud.labels.tolist()) == set(range(toy.clusters))


@pytest.mark.parametrize("name", ["ring", "roll", "moons"])
def test_the_distance_to_a_thick_curve_is_that_of_the_nearest_of_many_points_on_it(name: str):
    toy = toys.TOY_SETS[name]
    points = torch.rand(2000, 2, generator=make_generator(2)) * 4 - 2
    curve = torch.cat(toy.draw_outline(20_001)).double()
    nearest = (torch.cdist(points.double(), curve).amin(1) - toys.HALF_WIDTH).clamp_min(0)
    assert torch.allclose(toy.measure_distance(points).double(), nearest, atol=1e-5)


def test_distances_to_the_bars_by_hand():
    points = torch.tensor([[0.4, 0.0], [0.0, 0.0], [1.2, 1.5], [1.2 + 0.08 + 0.3, 1.4], [-0.4, -1.0]])
    assert torch.allclose(
        toys.TOY_SETS["bars"].measure_distance(points), torch.tensor([0.0, 0.32, 0.5, 0.5, 0.0]), atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", toys.MIXING_RULES)
def test_mixed_points_are_the_named_part_of_the_way_between_their_partners(name: str, rule: str):
    points = toys.TOY_SETS[name].sample(100, make_generator(3)).points
    mixed = toys.mix_points(points, rule, 7, make_generator(4))
    a, b = points[mixed.pairs[:, 0]], points[mixed.pairs[:, 1]]
    weight = mixed.weights[:, None]
    assert torch.allclose(mixed.points, weight * a + (1 - weight) * b, atol=1e-6)
    assert sorted(mixed.pairs.flatten().tolist()) == list(range(100)), "each point is a partner once"


@pytest.mark.parametrize("rule", toys.MIXING_RULES)
def test_a_batch_of_k_shares_its_weight_and_mixup_is_k_one(rule: str):
    mixed = toys.mix_points(toys.TOY_SETS["ring"].sample(64, make_generator(0)).points, rule, 8, make_generator(1))
    size = 1 if rule == "mixup" else 8
    assert (mixed.weights.view(-1, size) == mixed.weights.view(-1, size)[:, :1]).all()
    assert len(mixed.weights.unique()) == 32 // size


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_at_the_ends_nothing_leaves_the_support(lam: float):
    toy = toys.TOY_SETS["moons"]
    mixed = toys.mix_points(toy.sample(200, make_generator(0)).points, "random", 5, make_generator(1), lam=lam)
    assert toys.count_off_support(toy, mixed.points) == 0


def test_two_far_clusters_are_kept_when_everything_is_matched_at_once():
    """k = n: as many of each cluster on both sides as can be, so at most the surplus crosses."""
    labels = torch.arange(80) % 2
    points = torch.randn(80, 2, generator=make_generator(0)) * 0.1 + 100.0 * labels[:, None]
    whole, single = (toys.mix_points(points, rule, 40, make_generator(5)) for rule in ("k-mixup", "mixup"))
    ours, theirs = (int(labels[whole.pairs[:, side]].sum()) for side in (0, 1))
    assert toys.count_crossing_pairs(labels, whole.pairs) == abs(ours - theirs)
    assert toys.count_crossing_pairs(labels, single.pairs) > 10


@pytest.mark.parametrize("name", NAMES)
def test_matching_larger_batches_leaves_fewer_points_off_the_support(name: str):
    toy = toys.TOY_SETS[name]
    points = toy.sample(1000, make_generator(0)).points
    off = [
        toys.count_off_support(toy, toys.mix_points(points, "k-mixup", k, make_generator(1), lam=0.5).points)
        for k in (1, 16, 250)
    ]
    assert off[0] > off[1] > off[2]
    control = toys.count_off_support(toy, toys.mix_points(points, "random", 250, make_generator(1), lam=0.5).points)
    assert control > 2 * off[2], "it is the matching and not the batch that keeps them on it"


def test_the_same_seed_mixes_the_same():
    points = toys.TOY_SETS["roll"].sample(50, make_generator(0)).points
    assert torch.equal(
        toys.mix_points(points, "k-mixup", 5, make_generator(9)).points,
        toys.mix_points(points, "k-mixup", 5, make_generator(9)).points,
    )


@pytest.mark.parametrize(
    ("rule", "k", "word"), [("k-mixup", 0, "from 1 to 10"), ("k-mixup", 11, "from 1 to 10"), ("cutmix", 1, "mixup")]
)
def test_what_cannot_be_mixed_is_refused(rule: str, k: int, word: str):
    with pytest.raises(UserError, match=word):
        toys.mix_points(torch.zeros(20, 2), rule, k, make_generator(0))
