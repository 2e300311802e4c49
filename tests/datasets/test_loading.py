"""Worlds: what the files say is what the tensors hold; a broken file is one clear line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import datasets
from latentlab.datasets import Dataset
from latentlab.errors import UserError


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return datasets.load_world("digits")


def test_digits_are_whole_and_stratified(digits: Dataset) -> None:
    assert digits.image_shape == (3, 32, 32)
    assert len(digits.train) // datasets.COLOURINGS_PER_DIGIT + len(digits.test) == 1797
    assert torch.bincount(digits.test.labels).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    assert digits.classes == tuple("0123456789")


def test_digits_are_the_same_every_time(digits: Dataset) -> None:
    again = datasets.make_digits_world()
    assert torch.equal(digits.train.images, again.train.images)
    assert torch.equal(digits.test.images, again.test.images)


def test_colour_says_nothing_about_the_class_unless_biased(digits: Dataset) -> None:
    assert hue_distance(digits) > 0.15  # independent hues are 0.25 of the circle apart on average
    biased = datasets.make_digits_world(bias=1.0)
    assert hue_distance(biased) < 0.05
    assert torch.equal(biased.train.labels, digits.train.labels)


def hue_distance(world: Dataset) -> float:
    """Mean distance on the colour circle between a digit's brightest pixel and its class's hue."""
    images = world.train.images[:400].float() / 255
    brightest = images.amax(1).flatten(1).argmax(1)
    r, g, b = images.flatten(2)[torch.arange(400), :, brightest].unbind(1)
    hue = torch.atan2(3**0.5 * (g - b), 2 * r - g - b) / (2 * torch.pi)
    apart = (hue - world.train.labels[:400] / 10).remainder(1)
    return torch.minimum(apart, 1 - apart).mean().item()


def test_a_batch_is_in_zero_to_one(digits: Dataset) -> None:
    images, labels = digits.train.take_batch([3, 1, 2])
    assert torch.equal(images, digits.train.images[[3, 1, 2]] / 255)
    assert torch.equal(labels, digits.train.labels[[3, 1, 2]])


def make_arrays(count: int = 4, size: int = 32, channels: int = 3) -> dict[str, np.ndarray]:
    pixels = np.arange(count * size * size * channels, dtype=np.uint32).astype(np.uint8)
    images, labels = pixels.reshape(count, size, size, channels), np.arange(count) % 2
    return {"train_x": images, "train_y": labels, "test_x": images[:2], "test_y": labels[:2]}


def save_arrays(folder: Path, **changes: np.ndarray) -> Path:
    np.savez(folder / "mine.npz", **{**make_arrays(), **changes})  # pyright: ignore[reportArgumentType]
    return folder


def test_npz(tmp_path: Path) -> None:
    world = datasets.load_world("mine", save_arrays(tmp_path, names=np.array(["cat", "dog"])))
    assert (world.classes, world.multilabel, world.image_shape) == (("cat", "dog"), False, (3, 32, 32))
    assert torch.equal(world.train.images[1, :, 5, 7], torch.from_numpy(make_arrays()["train_x"][1, 5, 7]))


def test_npz_of_attributes(tmp_path: Path) -> None:
    marks = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 1]])
    world = datasets.load_world("mine", save_arrays(tmp_path, train_y=marks, test_y=marks[:2]))
    assert (world.classes, world.multilabel) == (("0", "1", "2"), True)
    assert world.train.labels.tolist() == marks.tolist()


def test_grey_28_becomes_colour_32(tmp_path: Path) -> None:
    small = make_arrays(size=28, channels=1)
    world = datasets.load_world("mine", save_arrays(tmp_path, train_x=small["train_x"], test_x=small["test_x"][..., 0]))
    assert world.image_shape == (3, 32, 32)
    assert world.train.images[0, 2, 2, 3] == small["train_x"][0, 0, 1, 0]
    assert world.test.images[0, 1, 2, 3] == small["train_x"][0, 0, 1, 0]
    assert world.train.images[:, :, :2].sum() == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train_x": np.zeros((4, 32, 32, 3))}, "uint8"),
        ({"train_x": np.zeros((4, 3, 32, 32), np.uint8)}, "N H W C"),
        ({"train_x": np.zeros((0, 32, 32, 3), np.uint8)}, "uint8"),
        ({"train_y": np.zeros(3, int)}, "labels"),
        ({"train_y": np.array([0, 1, -1, 0])}, "labels"),
        ({"train_y": np.array([0.0, 1, 2, 0])}, "labels"),
        ({"train_y": np.full((4, 2), 7), "test_y": np.zeros((2, 2), int)}, "0 or 1"),
        ({"names": np.array(["a", "b", "c"])}, "agree"),
        ({"test_x": np.zeros((2, 16, 16, 3), np.uint8)}, "agree"),
        ({"train_y": np.array([object()] * 4)}, "object arrays"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, change: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(UserError, match=says):
        datasets.load_world("mine", save_arrays(tmp_path, **change))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        datasets.load_world("mine", tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "faces", "birds"])
def test_missing_data_say_how_to_get_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"{name}.npz") as caught:
        datasets.load_world(name, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../etc", "a/b", "", "x" * 100, "a\0b"])
def test_a_path_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name"):
        datasets.load_world(name, tmp_path)


def test_an_incomplete_torchvision_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UserError, match="incomplete"):
        datasets.load_world("cifar10", tmp_path)


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_folders_with_two_halves(tmp_path: Path) -> None:
    for half in ("train", "test"):
        picture(tmp_path / "pets" / half / "cat" / "1.png", (200, 0, 0))
        picture(tmp_path / "pets" / half / "dog" / "2.png", (0, 100, 0))
    world = datasets.load_world("pets", tmp_path)
    assert (world.classes, world.image_shape) == (("cat", "dog"), (3, 32, 32))
    assert world.train.images[:, :, 0, 0].tolist() == [[200, 0, 0], [0, 100, 0]]
    assert world.test.labels.tolist() == [0, 1]


def test_folders_are_split_by_the_hash_of_the_name(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(60)]
    for name in names:
        picture(tmp_path / "pets" / "cat" / name, (200, 0, 0), (70, 64))
        picture(tmp_path / "pets" / "dog" / name, (0, 100, 0), (70, 64))
    world = datasets.load_world("pets", tmp_path)
    held_out = sum(hashlib.sha256(name.encode()).digest()[0] < 26 for name in names)
    assert (len(world.train), len(world.test)) == (2 * (60 - held_out), 2 * held_out)
    assert world.image_shape == (3, 64, 64)


def test_a_text_file_among_the_pictures_is_named(tmp_path: Path) -> None:
    for half in ("train", "test"):
        picture(tmp_path / "pets" / half / "cat" / "1.png", (1, 2, 3))
    (tmp_path / "pets" / "train" / "cat" / "broken.png").write_text("no picture")
    with pytest.raises(UserError, match=r"broken\.png"):
        datasets.load_world("pets", tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    with pytest.raises(UserError, match="folder per class"):
        datasets.load_world("pets", tmp_path)


@pytest.mark.data
def test_cifar10(real_data: Callable[[str], Path]) -> None:
    world = datasets.load_world("cifar10", real_data("cifar10"))
    assert torch.bincount(world.train.labels).tolist() == [5000] * 10
    assert torch.bincount(world.test.labels).tolist() == [1000] * 10
    mean = world.train.images.double().mean((0, 2, 3)) / 255
    assert mean.tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
    assert world.classes[3] == "cat"


@pytest.mark.data
def test_mnist(real_data: Callable[[str], Path]) -> None:
    world = datasets.load_world("mnist", real_data("mnist"))
    assert (len(world.train), len(world.test), world.image_shape) == (60_000, 10_000, (3, 32, 32))
    assert world.train.images[:, :, 2:-2, 2:-2].double().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)


@pytest.mark.data
def test_faces(real_data: Callable[[str], Path]) -> None:
    world = datasets.load_world("faces", real_data("faces"))
    assert (len(world.train), len(world.test), world.image_shape) == (9000, 1000, (3, 64, 64))
    assert world.multilabel
    assert len(world.classes) == 40
    assert world.train.labels[:, world.classes.index("Smiling")].float().mean().item() == pytest.approx(0.48, abs=0.01)


def test_four_of_ten_mislabelled_digits_have_the_label_of_another_class(digits: Dataset) -> None:
    spoilt = datasets.load_world("digits-mislabelled")
    assert torch.equal(spoilt.test.labels, digits.test.labels)
    wrong = (spoilt.train.labels != digits.train.labels).float()
    assert abs(float(wrong.mean()) - 0.4) < 0.05
    first, *others = spoilt.train.labels.split(len(spoilt.train) // spoilt.copies)
    assert all(torch.equal(first, other) for other in others)
    assert set(spoilt.train.labels.tolist()) == set(range(10))


def test_whether_a_world_is_here_is_said_without_reading_it(tmp_path: Path) -> None:
    (tmp_path / "birds.npz").write_bytes(b"no npz")
    assert [datasets.is_world_here(name, tmp_path) for name in ("birds", "digits", "fish", "no name")] == [
        True,
        True,
        False,
        False,
    ]
