"""Exact optimal transport between two equally large sets of points."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from latentlab.types import Flat


def match_points(a: Flat, b: Flat, apart: Tensor | None = None) -> Int[Tensor, " B"]:
    """Return the assignment σ minimising Σ |a_i − b_σ(i)|²; pairs that are True in `apart` (B B) never meet.

    The squares add the same to every assignment, so minus the inner product is cost enough; centring keeps its digits.
    """
    from scipy.optimize import linear_sum_assignment

    centre = b.mean(0)
    cost = -((a - centre) @ (b - centre).T).double().cpu()
    if apart is not None:
        cost[apart.cpu()] = torch.inf
    _, columns = linear_sum_assignment(cost.numpy())
    return torch.from_numpy(columns)
