"""What the experiments on mixing stand on: how far λ carries, and networks trained side by side."""

import pytest
import torch

from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.experiments.clusters import label_points, measure_cluster_cell
from latentlab.experiments.experiment import Cell, Effort
from latentlab.experiments.mixing_size import compute_nearer_share, match_alpha
from latentlab.store import Store
from latentlab.toys import TOY_SETS

EFFORT = Effort(seeds=2, steps=20, images=0)


def test_the_share_at_alpha_1_is_that_of_a_uniform_weight():
    """2 ∫₀^½ λ² dλ = 1/12."""
    assert compute_nearer_share(1.0) == pytest.approx(1 / 12)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 2.0, 10.0])
def test_the_share_is_the_mean_over_drawn_weights(alpha):
    drawn = torch.distributions.Beta(alpha, alpha).sample((200_000,))
    assert compute_nearer_share(alpha) == pytest.approx(float(drawn.minimum(1 - drawn).square().mean()), rel=0.02)


def test_half_the_share_is_that_of_a_smaller_alpha():
    found = match_alpha(1.0, 0.5)
    assert found < 1
    assert compute_nearer_share(found) == pytest.approx(1 / 24)
    assert match_alpha(3.0, 1.0) == pytest.approx(3.0)
    with pytest.raises(UserError, match="No α"):
        match_alpha(10.0, 2.0)


@pytest.mark.parametrize("rule", ["", "mixup", "k-mixup"])
def test_a_seed_trained_beside_another_learns_what_it_learns_alone(rule, small_world):
    arm = {"set": "moons", "rule": rule, "k": 4, "alpha": 1.0}
    cells, store = (Cell("", (5, 6)), Cell("", (6,))), Store(small_world, "cpu")
    together, alone = (measure_cluster_cell(cell, arm, EFFORT, small_world, store) for cell in cells)
    for figure, values in alone.items():
        assert together[figure][1] == pytest.approx(values[0], abs=1e-3)


@pytest.mark.parametrize("name", TOY_SETS)
def test_every_set_has_two_classes_of_like_size(name):
    labels = label_points(name, TOY_SETS[name].sample(4000, make_generator(0)))
    assert set(labels.tolist()) == {0, 1}
    assert 0.3 < float(labels.float().mean()) < 0.7
