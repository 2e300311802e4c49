"""This module finds what the package needs besides code: beside it in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent
CHECKPOINTS_VARIABLE = "LATENTLAB_CHECKPOINTS"


def find_assets_folder() -> Path:
    return _find_shipped_folder("assets")


def find_checkpoints_folder() -> Path:
    """Find the networks: where $LATENTLAB_CHECKPOINTS says, else in ./checkpoints, else those that are shipped."""
    if chosen := os.environ.get(CHECKPOINTS_VARIABLE):
        return Path(chosen)
    here = Path("checkpoints")
    return here if any(here.glob("*.safetensors")) else _find_shipped_folder("checkpoints")


def make_import_path() -> str:
    """Return a PYTHONPATH with which a child process imports this same package."""
    return os.pathsep.join(filter(None, [str(PACKAGE_FOLDER.parent), os.environ.get("PYTHONPATH", "")]))


def _find_shipped_folder(name: str) -> Path:
    inside = PACKAGE_FOLDER / name
    return inside if inside.is_dir() else PACKAGE_FOLDER.parent / name
