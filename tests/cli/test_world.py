"""A world of a folder: reported before, made, and there at once for page, map and lists, without any network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import datasets
from latentlab.cli import main
from latentlab.cli.world import FIT_NAMES
from latentlab.datasets.world_survey import propose_shape
from latentlab.images import PICTURE_FITS
from latentlab.picture_files import PictureHead
from latentlab.session import Workspace
from latentlab.session.actions import change_world, open_world
from latentlab.session.map.plan import choose_first_plan
from latentlab.store import Store


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of one's own."""
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty-four photos of 60×40, red ones and blue ones."""
    for n in range(24):
        path = tmp_path / "my things" / ("red" if n % 2 else "blue") / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (10 * n, 0, 0) if n % 2 else (0, 0, 10 * n)).save(path)
    (tmp_path / "my things" / "red" / "torn.jpg").write_bytes(b"no picture")
    return tmp_path / "my things"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def test_the_report_makes_nothing(capsys: pytest.CaptureFixture[str], photos: Path, data: Path) -> None:
    told = run(capsys, "world", photos, "--report", "--sheet", photos / "sheet.png")
    for words in (
        "25 pictures: 23 to train, 2 to test",
        "2 classes: blue 12, red 13",
        "60×40 (24)",
        "32×32 pixels, colour",
    ):
        assert words in told
    assert "1 files cannot be read" in told
    assert not data.exists()
    assert Image.open(photos / "sheet.png").size == (5 * 32, 2 * 32)


def test_a_world_is_there_at_once_and_opens_on_its_own_test_pictures(
    capsys: pytest.CaptureFixture[str], photos: Path, small_world: Path
) -> None:
    workspace = Workspace(Store(small_world, "cpu"))
    assert "my-things" not in workspace.store.worlds
    run(capsys, "world", photos, "--size", "48x32", "--licence", "mine")
    world = datasets.load_world("my-things")
    assert (world.image_shape, world.classes, world.licence) == ((3, 32, 48), ("blue", "red"), "mine")
    assert {int(x[0].max() > 0) for x, y in zip(world.test.images, world.test.labels, strict=True) if y} == {1}
    assert "my-things" in workspace.store.worlds
    assert workspace.store.find_title("my-things") == "my things"
    session = change_world(workspace, open_world(workspace, "digits"), "my-things")
    assert session.model == "my-things-pixels"
    assert session.source.origin.startswith("my-things test")
    assert {*(session.source.labels or ()), *(session.partner.labels or ())} == {"blue", "red"}
    assert session.result.image.shape == (1, 3, 32, 48)
    assert not torch.equal(session.result.image, session.source.image)
    assert choose_first_plan(workspace, session)[0].source == "train"
    assert "my-things" in run(capsys, "data")


def test_a_world_of_any_name_without_classes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "grey").mkdir()
    for n in range(20):
        Image.fromarray(np.full((28, 28), 12 * n, np.uint8)).save(tmp_path / "grey" / f"{n}.png")
    made = json.loads(run(capsys, "world", tmp_path / "grey", "--name", "船", "--json"))
    assert (made["title"], made["train"], made["test"]) == ("船", 18, 2)
    assert any("stylegan2 cannot be fitted" in line and "32 × 32" in line for line in made["report"])
    world = datasets.load_world(made["world"])
    assert (world.image_shape, world.classes) == ((1, 28, 28), ())
    session = open_world(Workspace(Store(tmp_path, "cpu")), made["world"])
    assert session.source.image.shape == (1, 1, 28, 28)
    assert session.source.labels == frozenset()


def test_networks_are_fitted_and_the_same_line_goes_on(
    capsys: pytest.CaptureFixture[str], photos: Path, tmp_path: Path
) -> None:
    line = ("world", photos, "--fit", "vae", "classifier", "--minutes", "0.001", "--checkpoints", tmp_path / "nets")
    assert "my-things-resnet.safetensors: " in run(capsys, *line)
    assert run(capsys, *line).count("there already") == 2
    store = Store(tmp_path / "nets", "cpu")
    assert store.list_models("my-things") == ["my-things-vae", "my-things-pixels"]
    assert store.list_classifiers("my-things") == ["my-things-resnet"]
    assert store.card("my-things-resnet").classes == ("blue", "red")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--name", "faces"], "LatentLab's own"),
        (["--name", " "], "can be printed"),
        (["--size", "0"], "out of range"),
        (["--size", "big"], "80x48"),
        (["--labels", "none.csv"], "cannot be read"),
        (["--fit", "vae", "glow", "--minutes", "1", "2", "3"], "3 numbers for 2 kinds"),
        (["--fit", "stylegan2", "--size", "48x32"], "nearest size"),
    ],
)
def test_a_line_that_cannot_be_done(
    capsys: pytest.CaptureFixture[str], photos: Path, flags: list[str], says: str
) -> None:
    assert main(["world", str(photos), *flags]) == 2
    assert says in capsys.readouterr().err


def test_the_line_knows_every_way_to_fit_a_picture() -> None:
    assert tuple(PICTURE_FITS) == FIT_NAMES


def test_a_world_is_not_overwritten_by_chance(capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    run(capsys, "world", photos)
    assert main(["world", str(photos)]) == 2
    assert "--replace" in capsys.readouterr().err
    run(capsys, "world", photos, "--replace", "--channels", "1", "--shape-by", "pad")
    assert datasets.load_world("my-things").image_shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("sizes", "grey", "shape"),
    [
        ([(28, 28)], True, (1, 28, 28)),
        ([(28, 28), (28, 30)], True, (1, 32, 32)),
        ([(100, 70), (90, 63), (500, 400)], False, (3, 64, 64)),
        ([(63, 80)], False, (3, 32, 32)),
    ],
)
def test_the_shape_that_is_proposed(sizes: list[tuple[int, int]], grey: bool, shape: tuple[int, int, int]) -> None:
    assert propose_shape([PictureHead(width, height, grey) for width, height in sizes]) == shape
