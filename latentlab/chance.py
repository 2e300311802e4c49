"""Random draws from an explicit generator: on the CPU, so that a seed gives the same bits on every device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), generator=rng)


def uniform(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """In [0, 1)."""
    return torch.rand(tuple(shape), generator=rng)


def permutation(count: int, rng: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=rng)


def beta(a: float, b: float, rng: torch.Generator) -> float:
    """One draw of Beta(a, b); numpy's sampler, seeded from `rng`, since torch's takes no generator."""
    return float(numpy_rng(rng).beta(a, b))


def numpy_rng(rng: torch.Generator) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))
