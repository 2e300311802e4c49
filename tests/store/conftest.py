"""A folder of checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from store.pets import CARD, make_network

from latentlab import models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Save a classifier of pets, once with classes and once with attributes."""
    models.save_network(tmp_path / "pets-resnet.safetensors", make_network(), replace(CARD, scores={"accuracy": 0.5}))
    models.save_network(tmp_path / "pets-tags.safetensors", make_network(), replace(CARD, multilabel=True))
    return tmp_path
