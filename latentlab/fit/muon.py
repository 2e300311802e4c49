"""Muon: momentum whose updates of a matrix are made orthogonal, so that every direction of it learns at one pace.

Jordan et al. 2024, kellerjordan.github.io/posts/muon; the scale that makes Adam's rates fit is of Liu et al. 2025,
arXiv 2502.16982. torch's own takes matrices only; here the kernel of a convolution is one, a row an output channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Matrix = Float[Tensor, "R C"]

QUINTIC = (3.4445, -4.7750, 2.0315)  # steepest at 0: five steps bring singular values from 0.01 on near 1
STEPS = 5
MATCH = 0.2  # root mean square of Adam's usual update


def orthogonal(update: Matrix) -> Matrix:
    """U Vᵀ of its singular value decomposition, roughly: Newton–Schulz in bf16, singular values in 0.7–1.2."""
    if len(update) > update.shape[1]:  # the products are of the shorter side
        return orthogonal(update.T).T
    a, b, c = QUINTIC
    x = update.bfloat16()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.to(update.dtype)


class Muon(torch.optim.Optimizer):
    """For kernels and matrices of hidden layers; `lr` is one that would suit Adam."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                memory = state["momentum"]
                memory.lerp_(gradient, 1 - momentum)
                update = orthogonal(gradient.lerp(memory, momentum).flatten(1))
                scale = MATCH * math.sqrt(max(update.shape))
                parameter.sub_(update.reshape(parameter.shape), alpha=rate * scale)
