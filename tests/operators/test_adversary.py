"""Against torchattacks on pixels; budgets, saturated classifiers and the trajectory in latent spaces."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchattacks
from torch import nn

from latentlab.errors import UserError
from latentlab.operators import Adversary, Noise, encode, measure_distance
from latentlab.operators.classification import compute_logits, compute_losses, compute_margins, hold_eval_mode
from latentlab.types import Batch

BUDGETS = [("l2", 0.5), ("l2", 4.0), ("linf", 8 / 255), ("linf", 0.5)]


@pytest.mark.parametrize(("norm", "epsilon"), BUDGETS)
@pytest.mark.parametrize("targeted", [False, True])
def test_on_pixels_it_is_pgd(norm, epsilon, targeted, batch, bench_of, net):
    net.eval().double()
    batch = Batch(batch.images.double(), batch.targets.double())
    kind = torchattacks.PGD if norm == "linf" else torchattacks.PGDL2
    attack = kind(net, eps=epsilon, alpha=epsilon / 4, steps=10, random_start=False)
    labels = batch.targets.argmax(1)
    if targeted:
        attack.set_mode_targeted_by_function(lambda images, labels: torch.full_like(labels, 3))
    theirs = attack(batch.images, labels)
    ours = Adversary(
        epsilon=epsilon,
        norm=norm,
        steps=10,
        step_size=0.25,
        start="zero",
        label="target" if targeted else "true",
        target=3,
    )
    assert torch.allclose(ours(batch, bench_of("pixels")).images, theirs, atol=1e-9)


def test_with_the_same_random_start_it_is_pgd(batch, bench_of, net):
    net.eval()
    ours = Adversary(epsilon=0.1, norm="linf", steps=5, step_size=0.25, start="random", label="true")
    mine = ours(batch, bench_of("pixels", seed=5)).images
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        theirs = torchattacks.PGD(net, eps=0.1, alpha=0.025, steps=5)(batch.images, batch.targets.argmax(1))
    assert torch.allclose(mine, theirs, atol=2e-6)


@pytest.mark.parametrize("space", ["pixels", "rotation", "glow", "vae", "stylegan2"])
@pytest.mark.parametrize(("norm", "epsilon"), [*BUDGETS, ("l2", 100.0)])
@pytest.mark.parametrize("start", ["random", "zero"])
def test_never_leaves_its_budget(space, norm, epsilon, start, batch, bench_of):
    bench = bench_of(space)
    z = encode(bench.model, batch.images)
    for step in Adversary(epsilon=epsilon, norm=norm, start=start, steps=3).trace_attack(batch, bench):
        far = (step.latents.flat - z.flat).norm(dim=1, p=2 if norm == "l2" else torch.inf)
        assert far.max() <= epsilon * (1 + 1e-5) + 1e-6


def test_other_parts_stand_still(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, _ = Adversary(parts=("middle",)).move(z, batch, bench)
    assert torch.equal(moved.parts["4px"], z.parts["4px"])
    assert torch.equal(moved.parts["16px"], z.parts["16px"])
    assert not torch.equal(moved.parts["8px"], z.parts["8px"])


@pytest.mark.parametrize("space", ["pixels", "rotation", "glow", "vae"])
def test_is_worse_for_the_classifier_than_chance(space, batch, bench_of):
    bench = bench_of(space)

    def hurt(operator) -> float:
        return compute_losses(compute_logits(bench, operator(batch, bench).images), batch.targets).mean().item()

    assert hurt(Adversary(label="true", epsilon=2, steps=5)) > hurt(Noise(epsilon=2))


@pytest.mark.parametrize("start", ["random", "zero"])
def test_the_trajectory_ends_on_the_result(start, batch, bench_of):
    attack = Adversary(start=start, steps=4, label="true")
    steps = list(attack.trace_attack(batch, bench_of()))
    assert len(steps) == 6
    assert torch.equal(steps[-1].images, attack(batch, bench_of()).images)
    assert torch.equal(
        steps[-1].latents.flat, attack.move(encode(bench_of().model, batch.images), batch, bench_of())[0].flat
    )
    assert steps[0].distance.max() == 0
    assert torch.allclose(steps[-1].distance, measure_distance(steps[-1].images, steps[0].images))
    assert steps[-1].loss.mean() > steps[0].loss.mean()
    assert steps[-1].margin.mean() < steps[0].margin.mean()


def test_aimed_it_comes_nearer(batch, bench_of):
    steps = list(Adversary(label="target", target=1, start="zero", epsilon=3, steps=5).trace_attack(batch, bench_of()))
    assert (steps[-1].loss < steps[0].loss).all()
    assert (steps[-1].margin > steps[0].margin).all()


class Saturated(nn.Module):
    """Constant logits: no gradient anywhere."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1).sum(1, keepdim=True) * 0).expand(-1, 5) + torch.arange(5.0)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_without_a_gradient_nothing_moves(norm, batch, bench_of):
    still = Adversary(norm=norm, start="zero")(batch, bench_of("pixels", classifier=Saturated()))
    assert torch.equal(still.images, batch.images)
    moved = Adversary(norm=norm, start="random")(batch, bench_of("pixels", classifier=Saturated()))
    assert moved.images.isfinite().all()


def test_a_vanishing_gradient_still_points_somewhere(batch, bench_of, net):
    quiet = nn.Sequential(net, nn.Softmax(1))
    for parameter in net[5].parameters():
        parameter.data.mul_(1e-20)
    attack = Adversary(start="zero", label="true", epsilon=1, steps=2)
    assert measure_distance(attack(batch, bench_of("pixels", classifier=quiet)).images, batch.images).min() > 0.5


def test_predicted_label_does_not_read_the_true_one(batch, bench_of):
    other = Batch(batch.images, batch.targets.roll(1, 1))
    attack = Adversary(label="predicted")
    assert torch.equal(attack(batch, bench_of()).images, attack(other, bench_of()).images)
    attack = replace(attack, label="true")
    assert not torch.equal(attack(batch, bench_of()).images, attack(other, bench_of()).images)


def test_dropout_and_batch_statistics_are_off(batch, bench_of, net):
    once = Adversary()(batch, bench_of())
    net.eval()
    assert torch.equal(once.images, Adversary()(batch, bench_of()).images)


def test_works_where_gradients_are_off(batch, bench_of):
    usual = Adversary()(batch, bench_of()).images
    with torch.no_grad():
        assert torch.equal(Adversary()(batch, bench_of()).images, usual)
        assert not torch.is_grad_enabled()


def test_classes_that_do_not_exist_are_refused(batch, bench_of):
    with pytest.raises(UserError, match="classes 0 to 4"):
        Adversary(label="target", target=5)(batch, bench_of())
    with pytest.raises(UserError, match="labels have 3 classes, the classifier 5"):
        Adversary(label="true")(Batch(batch.images, torch.eye(3)[[0, 1, 2, 0, 1, 2]]), bench_of())
    Adversary(label="predicted")(Batch(batch.images, torch.ones(6, 1)), bench_of())


def test_modes_return_when_the_last_of_two_leaves(net):
    with hold_eval_mode(net):
        with hold_eval_mode(net):
            assert not net.training
        assert not net.training
    assert net.training
    assert net[4].training
    assert not net[1].training


def test_modes_return_after_an_error(net):
    with pytest.raises(ZeroDivisionError), hold_eval_mode(net):
        raise ZeroDivisionError
    assert net.training


def test_margin_by_hand():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.5]])
    assert compute_margins(logits, torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])).tolist() == [1.0, -0.5]
