"""Each sign of an unsound attack is seen, and none where there is none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latentlab.operators import Adversary, check_attack


class Noisy(nn.Module):
    """Random even in eval mode."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.rng = net, torch.Generator().manual_seed(0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images) + torch.randn(len(images), 5, generator=self.rng)


class Backwards(torch.autograd.Function):
    """The identity with a gradient that points the wrong way."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> torch.Tensor:
        return -grad


class Misleading(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(Backwards.apply(images))


ATTACK = Adversary(epsilon=0.1, norm="linf", label="true", steps=3)


@pytest.mark.parametrize(
    "attack", [ATTACK, Adversary(epsilon=2, label="true"), Adversary(label="target", target=1, epsilon=3)]
)
@pytest.mark.parametrize("space", ["pixels", "rotation", "glow"])
def test_a_sound_attack_raises_none(attack, space, batch, bench_of):
    assert check_attack(attack, batch, bench_of(space)) == ()


@pytest.mark.parametrize(
    ("wrap", "sign"),
    [
        (Noisy, "random"),
        (lambda net: nn.Sequential(net, nn.Softmax(1)), "probabilities"),
        (lambda net: nn.Sequential(net, nn.Hardtanh(-1e-6, 1e-6)), "zero"),
        (Misleading, "Random moves"),
    ],
)
def test_each_sign_is_seen(wrap, sign, batch, bench_of, net):
    assert any(sign in line for line in check_attack(ATTACK, batch, bench_of("pixels", classifier=wrap(net))))


def test_leaves_the_classifier_as_it_was(batch, bench_of, net):
    check_attack(ATTACK, batch, bench_of("pixels"))
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
