"""What the page imports before anybody has used it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("umap", "numba", "pacmap", "captum", "scipy.optimize", "scipy.stats", "sklearn", "matplotlib", "timm", "onnx")
START = """
import sys
from latentlab.cli.app import trained_in
from latentlab.store import Store
from latentlab.ui import guard
guard.prepare()
from latentlab import ui
ui.build(Store(sys.argv[1], "cpu"), trained_in(sys.argv[2], "", sys.argv[1], "cpu"))
print(*[name for name in sys.argv[3:] if name in sys.modules])
"""


def test_the_page_is_built_without_anything_heavy(small_world: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(small_world), str(tmp_path / "runs"), *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
