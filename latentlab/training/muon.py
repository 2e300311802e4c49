"""Muon: momentum whose updates of a matrix are made orthogonal, so that every direction of it learns at one pace.

Jordan et al. 2024, kellerjordan.github.io/posts/muon; the scale that makes Adam's rates fit is of Liu et al. 2025,
arXiv 2502.16982. torch's own takes matrices only; here the kernel of a convolution is one, a row an output channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

Matrix = Float[Tensor, "R C"]

QUINTIC_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steepest at 0: five steps bring singular values from 0.01 on near 1
NEWTON_SCHULZ_STEPS = 5
ADAM_UPDATE_SIZE = 0.2  # root mean square of Adam's usual update


def orthogonalise_update(update: Matrix) -> Matrix:
    """Return U Vᵀ of the update's singular value decomposition, roughly: Newton–Schulz in bf16.

    The singular values come out in 0.7–1.2.
    """
    if len(update) > update.shape[1]:  # the products are of the shorter side
        return orthogonalise_update(update.T).T
    a, b, c = QUINTIC_COEFFICIENTS
    x = update.bfloat16()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.to(update.dtype)


class Muon(torch.optim.Optimizer):
    """The optimiser for kernels and matrices of hidden layers; `lr` is one that would suit Adam."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
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
                update = orthogonalise_update(gradient.lerp(memory, momentum).flatten(1))
                scale = ADAM_UPDATE_SIZE * math.sqrt(max(update.shape))
                parameter.sub_(update.reshape(parameter.shape), alpha=rate * scale)
