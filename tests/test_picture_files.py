"""Folders as they come from cameras, archives and desktops: what is a picture, and what only lies beside it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import images
from latentlab.datasets import load_folder_world, load_world
from latentlab.datasets.folder import propose_side
from latentlab.errors import UserError
from latentlab.picture_files import list_picture_files

HALVES = [f"{half}/{label}" for half in ("train", "test") for label in ("cat", "dog")]


def save_noise(path: Path, size: tuple[int, int] = (32, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(len(path.name)).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(levels).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for folder in HALVES:
        save_noise(tmp_path / "pets" / folder / "a.png")
        save_noise(tmp_path / "pets" / folder / "deep" / "b.png")
    return tmp_path / "pets"


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", "__MACOSX", ".git", "@eaDir", "$RECYCLE.BIN"])
def test_folders_of_systems_are_no_classes(folder: str, pets: Path) -> None:
    for half in ("train", "test"):
        save_noise(pets / half / folder / "a.png")
    world = load_world("pets", pets.parent)
    assert world.classes == ("cat", "dog")
    assert len(world.train) == 4


def test_files_of_systems_are_counted_and_skipped(pets: Path) -> None:
    for name in ("._a.png", "Thumbs.db", ".DS_Store", "desktop.ini", "readme.txt"):
        (pets / "train" / "cat" / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    listed = list_picture_files(pets)
    assert (len(listed.files), listed.strangers) == (8, 5)
    assert len(load_world("pets", pets.parent).train) == 4


def test_an_empty_class_is_named_and_no_class(pets: Path) -> None:
    (pets / "train" / "horse").mkdir()
    with pytest.warns(UserWarning, match="'horse' is without a picture"):
        assert load_world("pets", pets.parent).classes == ("cat", "dog")


def test_a_class_of_the_test_half_alone_is_refused_by_name(pets: Path) -> None:
    save_noise(pets / "test" / "horse" / "a.png")
    with pytest.raises(UserError, match="'horse' is only in test/"):
        load_world("pets", pets.parent)


def test_a_class_of_the_training_half_alone_is_named(pets: Path) -> None:
    save_noise(pets / "train" / "horse" / "a.png")
    with pytest.warns(UserWarning, match="'horse' is without a test picture"):
        assert load_world("pets", pets.parent).classes == ("cat", "dog", "horse")


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".gif", ".tif", ".tiff", ".avif", ".BMP"])
def test_every_usual_suffix_is_read(suffix: str, tmp_path: Path) -> None:
    for folder in HALVES:
        save_noise(tmp_path / "pets" / folder / f"a{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_folder_world("pets", tmp_path / "pets").train) == 2


def _save_deep_grey(path: Path) -> Path:
    Image.fromarray(np.linspace(0, 65535, 1024).reshape(32, 32).astype(np.uint16)).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def _save_turned(path: Path) -> Path:
    note = Image.Exif()
    note[0x0112] = 6
    halves = np.zeros((48, 48, 3), np.uint8)
    halves[:24] = 255
    Image.fromarray(halves).save(path.with_suffix(".jpg"), exif=note, quality=98)
    return path.with_suffix(".jpg")


def _save_transparent(path: Path) -> Path:
    layer = np.zeros((32, 32, 4), np.uint8)
    layer[8:24, 8:24] = (200, 30, 30, 255)
    Image.fromarray(layer).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


@pytest.mark.parametrize("save", [_save_deep_grey, _save_turned, _save_transparent])
def test_a_folder_is_read_as_an_upload_is(save, tmp_path: Path) -> None:
    for folder in HALVES:
        (tmp_path / "pets" / folder).mkdir(parents=True)
        file = save(tmp_path / "pets" / folder / "a")
    upload = images.fit_to(images.read(file.read_bytes()), (3, 32, 32))
    assert torch.equal(load_folder_world("pets", tmp_path / "pets").train.images[0], (upload * 255).round().byte())


def test_the_size_is_the_power_of_two_below_the_median_not_the_first_file_s(tmp_path: Path) -> None:
    for number, side in enumerate((20, 70, 100, 90, 130)):
        save_noise(tmp_path / f"{number}.png", (side, side + 9))
    files = sorted(tmp_path.glob("*.png"))
    assert propose_side(files) == 64
    assert propose_side(files[:1]) == 32


def test_a_phone_s_jpeg_with_a_second_picture_is_the_first_one(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (40, 30), (200, 40, 40)), Image.new("RGB", (40, 30), (0, 0, 255))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    image = images.read((tmp_path / "a.jpg").read_bytes())
    assert image.size == (40, 30)
    assert np.abs(np.asarray(image, int) - (200, 40, 40)).max() < 8
