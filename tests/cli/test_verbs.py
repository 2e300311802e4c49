"""The verbs, run as a person runs them: output, exit codes, one line for a mistake."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import latentlab as ll
from latentlab import knobs, models, recipe
from latentlab.cli import VERBS, augment_folder, main
from latentlab.images import read_png_recipe
from latentlab.models import Card, SmallResNet
from latentlab.operators import CORRUPTIONS, METHODS, OPERATORS, make_operator
from latentlab.torchvision_schemas import import_torchvision

CLASSES = ("cat", "dog")
SHAPE = (3, 16, 16)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    card = Card("resnet", {"image_shape": SHAPE, "classes": CLASSES, "widths": (4, 4, 4)}, SHAPE, "pets", CLASSES)
    torch.manual_seed(0)
    models.save_network(tmp_path / "nets" / "pets-resnet.safetensors", SmallResNet(**card.arguments).eval(), card)
    return tmp_path / "nets"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three cats and two dogs of 16×16, noise as pictures."""
    noise = np.random.default_rng(0)
    for number, label in enumerate(["cat", "cat", "dog", "cat", "dog"]):
        path = tmp_path / "photos" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def fails(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The one line on stderr of a line that must be refused."""
    assert main([str(word) for word in argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def succeeds(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main([str(word) for word in argv]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--help"], *([verb, "--help"] for verb in VERBS)])
def test_every_verb_has_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 0
    assert "usage: latentlab" in capsys.readouterr().out


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    build = "import sys; from latentlab.cli import build_parser; build_parser(['list'])"
    code = f"{build}; print({{'torch', 'gradio'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_module_runs_and_reports_a_mistake_by_its_exit_code() -> None:
    done = subprocess.run([sys.executable, "-m", "latentlab", "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_no_verb_or_a_wrong_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "VERB" in fails(capsys)
    assert "--frobnicate" in fails(capsys, "list", "--frobnicate")
    assert "--minutes" in fails(capsys, "fit", "glow", "--data", "digits", "--out", "x", "--minutes", "soon")


def test_list(checkpoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkpoints / "half.safetensors").write_bytes(b"cut")
    text = succeeds(capsys, "list", "--checkpoints", checkpoints)
    assert "pets-resnet" in text
    assert "half" in text
    read = json.loads(succeeds(capsys, "list", "--checkpoints", checkpoints, "--json"))
    assert read["checkpoints"]["pets-resnet"]["classes"] == list(CLASSES)
    assert list(read["broken"]) == ["half"]


def test_list_of_nothing_says_how_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "latentlab fit" in succeeds(capsys, "list", "--checkpoints", tmp_path)


def test_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everything = succeeds(capsys, "data", "--folder", tmp_path)
    assert everything.count("\n") == 4
    assert "faces.npz" in everything
    facts = json.loads(succeeds(capsys, "data", "digits", "--check", "--json"))
    assert facts["image_shape"] == [3, 32, 32]
    assert sum(test for _, test in facts["classes"].values()) == facts["test"]
    assert "train_x" in fails(capsys, "data", "faces", "--folder", tmp_path)
    assert "cifar10.npz" in fails(capsys, "data", "cifar10", "--check", "--folder", tmp_path)


def test_data_counts_attributes_where_they_are_present(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, marks = np.zeros((3, 32, 32, 3), np.uint8), np.array([[1, 0], [1, 1], [0, 0]])
    np.savez(tmp_path / "mine.npz", train_x=images, test_x=images, train_y=marks, test_y=marks, names=["hat", "tie"])
    facts = json.loads(succeeds(capsys, "data", "mine", "--json", "--folder", tmp_path))
    assert facts["classes"] == {"hat": [2, 2], "tie": [1, 1]}


def test_fit_without_a_budget_or_kind_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "budget" in fails(capsys, "fit", "glow", "--data", "digits", "--out", tmp_path / "x.safetensors")
    assert "choose" in fails(capsys, "fit", "magic", "--data", "digits", "--out", tmp_path / "x", "--steps", "1")


def test_the_page_is_refused_without_networks_or_a_login(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no checkpoint" in fails(capsys, "app", "--checkpoints", tmp_path / "none")
    assert "no network" in fails(capsys, "app", "--checkpoints", checkpoints, "--classifier", "nobody")
    assert "no device" in fails(capsys, "app", "--checkpoints", checkpoints, "--device", "toaster")


def test_convert_of_nothing_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fails(capsys, "convert", tmp_path / "none.pt", tmp_path / "x.safetensors")


def augment(checkpoints: Path, photos: Path, out: Path, *more: object) -> list[object]:
    return ["augment", photos, out, "--checkpoints", checkpoints, "--model", "pets-pixels", "--device", "cpu", *more]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_augment_of_nothing_copies_bit_for_bit(
    checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    succeeds(capsys, *augment(checkpoints, photos, tmp_path / "out", "--method", "reconstruct"))
    for file in augment_folder.find_pictures(photos).files:
        assert np.array_equal(pixels(photos / file), pixels(tmp_path / "out" / file))
    with (tmp_path / "out" / "targets.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "cat", "dog"]
    assert sorted(row[1:] for row in rows[1:]) == [["0", "1"]] * 2 + [["1", "0"]] * 3


def test_augment_writes_the_recipe_and_the_same_again(
    checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--operator", "adversary", "--classifier", "pets-resnet", "--epsilon", "0.5", "--steps", "2", "--seed", "3"]
    for out in ("one", "two"):
        succeeds(capsys, *augment(checkpoints, photos, tmp_path / out, *line))
    written = recipe.parse_recipe((tmp_path / "one" / "recipe.json").read_bytes())
    assert (written.operator, written.seed, written.classifier) == ("adversary", 3, "pets-resnet")
    assert (written.settings["epsilon"], written.settings["steps"]) == (0.5, 2)
    for file in augment_folder.find_pictures(photos).files:
        one, two = tmp_path / "one" / file, tmp_path / "two" / file
        assert one.read_bytes() == two.read_bytes()
        assert not np.array_equal(pixels(one), pixels(photos / file))
        assert recipe.parse_recipe(read_png_recipe(one.read_bytes()) or "") == written


def test_augment_mixes_the_targets_it_writes(
    checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.loads(succeeds(capsys, *augment(checkpoints, photos, tmp_path / "out", "--method", "mixup", "--json")))
    assert said["pictures"] == 5
    with (tmp_path / "out" / "targets.csv").open() as file:
        shares = [[float(share) for share in row[1:]] for row in list(csv.reader(file))[1:]]
    assert all(sum(row) == pytest.approx(1, abs=1e-4) for row in shares)
    assert any(0 < row[0] < 1 for row in shares)


@pytest.mark.parametrize("method", ["mixup", "cutmix", "reconstruct"])
def test_augment_tells_of_each_picture(
    method: str, checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = augment(checkpoints, photos, tmp_path / "out", "--method", method, "--classifier", "pets-resnet")
    succeeds(capsys, *line)
    with (tmp_path / "out" / "pictures.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 5
    network = models.load_network(checkpoints / "pets-resnet.safetensors")[1]
    for name, row in rows.items():
        assert row["true class"] == name.partition("/")[0]
        before, after = (
            torch.tensor(pixels(path)).permute(2, 0, 1)[None] / 255
            for path in (photos / name, tmp_path / "out" / row["file"])
        )
        assert float(row["distance"]) == pytest.approx(float((after - before).norm()), abs=1e-3)
        share, place = network(after).softmax(1)[0].max(0)
        assert (row["prediction after"], float(row["confidence after"])) == (
            CLASSES[place],
            pytest.approx(float(share), abs=1e-3),
        )
        shares = {part.partition("=")[0]: float(part.partition("=")[2]) for part in row["soft label"].split(";")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert (row["partner"] in rows) == (method == "mixup") or method == "cutmix"
        if method == "mixup":  # the label is mixed with the partner's class and no other
            assert set(shares) == {row["true class"], rows[row["partner"]]["true class"]}


def test_augment_skips_what_it_cannot_read(
    checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "cat" / "note.png").write_text("no picture")
    assert main([str(word) for word in augment(checkpoints, photos, tmp_path / "out", "--method", "reconstruct")]) == 0
    said = capsys.readouterr()
    assert "1 skipped" in said.out
    assert "note.png" in said.err


def test_names_that_would_meet_stay_apart(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert [str(path) for path in augment_folder.find_pictures(tmp_path).name_outputs()] == [
        "a.jpg.png",
        "a.png",
        "b.png",
    ]


def test_augment_refuses(checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*more: object, source: Path = photos, out: Path = tmp_path / "out") -> str:
        return fails(capsys, *augment(checkpoints, source, out, *more))

    assert "one of the arguments" in said()
    assert "no operator" in said("--operator", "magic")
    assert "epsilon" in said("--operator", "noise", "--epsilon", "-3")
    assert "epsilon" in said("--operator", "noise", "--epsilon", "nan")
    assert "--epsilon" in said("--operator", "noise", "--epsilon", "much")
    assert "not allowed" in said("--operator", "noise", "--method", "mixup")
    assert "--k" in said("--operator", "noise", "--k", "3")
    assert "batch" in said("--operator", "noise", "--batch", "0")
    assert "seed" in said("--operator", "noise", "--seed", "-1")
    assert "no network" in said("--operator", "adversary", "--classifier", "nobody")
    assert "classifier" in said("--operator", "adversary")
    assert "already" in said("--operator", "noise", out=photos)
    assert "no folder" in said("--operator", "noise", source=tmp_path / "none")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [*OPERATORS, *CORRUPTIONS, *METHODS])
def test_every_knob_is_a_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["augment", "--method" if name in METHODS else "--operator", name, "--help"])
    text = capsys.readouterr().out
    for setting in knobs.list_settings(type(make_operator(name))):
        assert f"--{setting.name.replace('_', '-')}" in text


def test_one_s_own_classifier_is_attacked(
    checkpoints: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(import_torchvision().models.resnet18(num_classes=2).state_dict(), tmp_path / "mine.safetensors")
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    mine = ["--classifier", tmp_path / "mine.safetensors", "--architecture", "torchvision:resnet18", "--size", "32"]
    line = augment(checkpoints, photos, tmp_path / "out", "--method", "pixel-pgd", "--steps", "1", *mine)
    assert "5 pictures" in succeeds(capsys, *line, "--classes", f"@{tmp_path / 'names.txt'}", "--mean", "0.5,0.5,0.5")
    assert "--classes" in fails(capsys, *augment(checkpoints, photos, tmp_path / "new", "--method", "pixel-pgd", *mine))
    assert "--mean" in fails(capsys, *line, "--classes", "cat,dog", "--mean", "grey")
    assert "3 numbers" in fails(capsys, *line, "--classes", "cat,dog", "--mean", "0.5")


def test_the_public_names_are_those_of_their_modules() -> None:
    for name in ll.__all__:
        assert getattr(ll, name) is not None
    assert ll.operators.Noise is OPERATORS["noise"]
    with pytest.raises(AttributeError):
        _ = ll.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_launch_puts_one_s_own_network_on_the_page() -> None:
    class Mean(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))[:, :2]

    try:
        mine = {"network": Mean(), "classes": CLASSES, "image_shape": (3, 32, 32)}
        url = ll.launch(classifiers={"mine": mine}, device="cpu", quiet=True, prevent_thread_lock=True)
        assert httpx.get(url).status_code == 200
    finally:
        ll.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
