"""Random draws come from an explicit generator: on the CPU, so that a seed gives the same bits on every device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def make_generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def clone_generator(rng: torch.Generator) -> torch.Generator:
    """Return a generator that will draw the same."""
    same = torch.Generator("cpu")
    same.set_state(rng.get_state())
    return same


def draw_normal(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), generator=rng, dtype=torch.float32, device="cpu")


def draw_uniform(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """Draw uniformly from [0, 1)."""
    return torch.rand(tuple(shape), generator=rng, dtype=torch.float32, device="cpu")


def draw_permutation(count: int, rng: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=rng, device="cpu")


def draw_beta(a: float, b: float, rng: torch.Generator) -> float:
    """Draw once from Beta(a, b) by numpy's sampler, seeded from `rng`, since torch's takes no generator."""
    return float(make_numpy_rng(rng).beta(a, b))


def make_numpy_rng(rng: torch.Generator) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng, device="cpu")))
