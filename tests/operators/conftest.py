"""Spaces to move in and a classifier to move against, all tiny and untrained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentlab.models import MMDVAE, Glow, Pixels, StyleGAN2
from latentlab.types import Batch, Bench, Latents

SHAPE = (3, 16, 16)
CLASSES = 5


class Rotation:
    """The smallest flow: an orthogonal map of the pixels, cut into three parts."""

    image_shape = SHAPE

    def __init__(self) -> None:
        size = 3 * 16 * 16
        self.matrix = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(3)))[0]
        self.directions: dict[str, Tensor] = {"pc1": self.matrix[0], "Smiling": 2 * self.matrix[1]}

    def encode(self, images: Tensor) -> Any:
        coarse, middle, fine = ((images.flatten(1) - 0.5) * 4 @ self.matrix).split((48, 144, 576), 1)
        return Latents({"4px": coarse.reshape(-1, 3, 4, 4), "8px": middle, "16px": fine})

    def decode(self, latents: Any) -> Tensor:
        return (latents.flat @ self.matrix.T / 4 + 0.5).reshape(-1, *SHAPE)

    def sample(self, count: int, rng: torch.Generator) -> Any:
        return self.encode(torch.rand(count, *SHAPE, generator=rng))


def _spaces() -> dict[str, Callable[[], Any]]:
    return {
        "pixels": lambda: Pixels(SHAPE),
        "rotation": Rotation,
        "glow": lambda: Glow(SHAPE, levels=3, steps=2, hidden=8),
        "vae": lambda: MMDVAE(SHAPE, code=24, width=8, depth=1),
        "stylegan2": lambda: StyleGAN2(SHAPE, style_dim=16, channels=(16, 16, 8)),
    }


def _build_space(name: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        space = _spaces()[name]()
    _freeze_space(space)
    if not space.directions:
        space.directions["pc1"] = torch.ones_like(space.encode(torch.rand(1, *SHAPE)).flat[0])
    return space


def _freeze_space(space: Any) -> None:
    if isinstance(space, nn.Module):
        space.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def spaces() -> dict[str, Any]:
    return {name: _build_space(name) for name in ("pixels", "rotation", "glow", "vae", "stylegan2")}


@pytest.fixture
def net() -> nn.Module:
    """In training mode, with a part of it frozen: attacks must not mind, and must not change it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(8 * 16 * 16, CLASSES),
        )
    layers[1].eval()
    return layers


@pytest.fixture
def batch() -> Any:
    rng = torch.Generator().manual_seed(4)
    return Batch(torch.rand(6, *SHAPE, generator=rng), torch.eye(CLASSES)[torch.arange(6) % CLASSES])


@pytest.fixture
def bench_of(spaces: dict[str, Any], net: nn.Module) -> Callable[..., Any]:
    def make(space: str = "rotation", seed: int = 0, classifier: nn.Module | None = net) -> Any:
        return Bench(spaces[space], classifier, torch.Generator().manual_seed(seed))

    return make
