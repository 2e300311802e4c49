"""Where the networks are looked for, and what a child process imports."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latentlab import resources

ROOT = Path(__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one, and nothing said by the environment."""
    monkeypatch.delenv(resources.CHECKPOINTS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkout_has_its_folders_beside_the_package(elsewhere: Path) -> None:
    assert resources.find_assets_folder() == ROOT / "assets"
    assert resources.find_checkpoints_folder() == ROOT / "checkpoints"


def test_the_current_folder_comes_before_what_is_shipped_if_it_holds_networks(elsewhere: Path) -> None:
    (elsewhere / "checkpoints").mkdir()
    (elsewhere / "checkpoints" / "mine.pt").touch()
    assert resources.find_checkpoints_folder() == ROOT / "checkpoints"
    (elsewhere / "checkpoints" / "mine.safetensors").touch()
    assert resources.find_checkpoints_folder() == Path("checkpoints")


def test_the_environment_comes_first(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "checkpoints").mkdir()
    (elsewhere / "checkpoints" / "mine.safetensors").touch()
    monkeypatch.setenv(resources.CHECKPOINTS_VARIABLE, str(elsewhere / "other"))
    assert resources.find_checkpoints_folder() == elsewhere / "other"


def test_a_wheel_has_its_folders_inside(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "latentlab" / "checkpoints").mkdir(parents=True)
    monkeypatch.setattr(resources, "PACKAGE_FOLDER", elsewhere / "latentlab")
    assert resources.find_checkpoints_folder() == elsewhere / "latentlab" / "checkpoints"


@pytest.mark.parametrize("before", ["", "/a/b"])
def test_a_child_imports_this_same_package_first(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setenv("PYTHONPATH", before)
    assert resources.make_import_path().split(os.pathsep) == [str(ROOT), *filter(None, [before])]
