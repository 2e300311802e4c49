"""Fixtures of all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from repository import ROOT

from latentlab import datasets, models
from latentlab.chance import make_generator
from latentlab.models import Card
from latentlab.session import Workspace
from latentlab.store import Store
from latentlab.torchvision_schemas import import_torchvision
from latentlab.ui.server import launch

REAL = {"cifar10": "cifar-10-batches-py", "mnist": "MNIST/raw", "faces": "faces.npz"}

launch.prepare_gradio()  # before a test imports gradio
import_torchvision()  # before torchmetrics and timm import it
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Where real data are looked for: $LATENTLAB_DATA, else data/."""
    return Path(os.environ.get("LATENTLAB_DATA") or ROOT / "data")


@pytest.fixture(scope="session")
def real_data(data_folder: Path) -> Callable[[str], Path]:
    """Of a world's name the data folder; skips loudly where the world is missing, and fails under CI=true."""

    def need(world: str) -> Path:
        if not (data_folder / REAL[world]).exists():
            complain = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            complain(f"REAL DATA MISSING: {data_folder / REAL[world]} ({world}); set LATENTLAB_DATA")
        return data_folder

    return need


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def chromium() -> str | None:
    """The browser for Playwright's `executable_path`; None takes Playwright's own."""
    named = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return named or next(filter(None, found), None)


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks of the digits' size, with directions."""
    folder, world = tmp_path_factory.mktemp("checkpoints"), datasets.load_world("digits")
    shape, images = world.image_shape, world.train.take_batch(slice(0, 64))[0]
    torch.manual_seed(0)
    made: dict[str, dict[str, Any]] = {
        "glow": {"levels": 3, "steps": 2, "hidden": 16},
        "vae": {"code": 16, "width": 8},
        "stylegan2": {"channels": [16, 16, 8, 8], "style_dim": 16},
        "resnet": {"classes": world.classes, "widths": [8, 8, 16]},
    }
    for kind, own in made.items():
        arguments = {"image_shape": shape, **own}
        network: Any = models.construct_network(kind, arguments)
        if isinstance(network, models.Glow):
            network.initialise_actnorms(images)
        if isinstance(network, models.StyleGAN2):
            network.measure_whitening(make_generator(0))
        if models.KINDS[kind].is_latent:
            width = network.eval().encode(images[:2]).flat.shape[1]
            network.directions = {f"pc{i}": torch.randn(width) * 0.3 for i in range(1, 7)}
            network.directions |= {name: torch.randn(width) * 0.3 for name in world.classes}
        classes = world.classes if kind == "resnet" else ()
        models.save_network(
            folder / f"digits-{kind}.safetensors", network, Card(kind, arguments, shape, "digits", classes)
        )
    return folder


@pytest.fixture(scope="session")
def workspace(small_world: Path) -> Workspace:
    return Workspace(Store(small_world, "cpu"))
