"""What the page imports before anybody has used it."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from latentlab.cli.app import pause_garbage_collection
from latentlab.errors import UserError

HEAVY = (
    "umap",
    "numba",
    "pacmap",
    "captum",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "matplotlib",
    "timm",
    "onnx",
)
START = """
import sys
from latentlab import models
from latentlab.cli.app import build_app_page, open_runs
from latentlab.store import Store
models.load_network = None  # a network that is read would end it
build_app_page(Store(sys.argv[1], "cpu"), open_runs(sys.argv[2], "", sys.argv[1], "cpu"))
print(*[name for name in sys.argv[3:] if name in sys.modules])
"""


def test_the_page_is_built_without_a_network_and_anything_heavy(small_world: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(small_world), str(tmp_path / "runs"), *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_garbage_is_looked_for_again_whatever_happens_at_the_start() -> None:
    def start() -> None:
        with pause_garbage_collection():
            seen.append(gc.isenabled())
            raise UserError("no such folder")

    seen: list[bool] = []
    with pytest.raises(UserError):
        start()
    gc.unfreeze()
    assert [*seen, gc.isenabled()] == [False, True]
