"""`latentlab reproduce low-data`, tiny: every method at one distance, a table, a plot, and only what is missing."""

import json

import pytest
import torch

from latentlab import datasets
from latentlab.cli import low_data, main
from latentlab.operators import make_operator, measure_distance, rebuild_images
from latentlab.runs.writer import RunDirectory
from latentlab.store import Store
from latentlab.types import Batch

METHODS = "standard,mixup,pixel-pgd,reconstruct"


@pytest.fixture(scope="module")
def done(small_world, tmp_path_factory):
    out = tmp_path_factory.mktemp("low")
    line = f"reproduce low-data --methods {METHODS} --seeds 2 --steps 2 --distance 1 --checkpoints {small_world}"
    words = [*line.split(), "--out", str(out)]
    assert main(words) == 0
    return out, words


def test_the_table_has_a_row_a_method_with_means_over_seeds(done):
    out, _ = done
    rows = {row["method"]: row for row in json.loads((out / "low-data.json").read_text())}
    assert list(rows) == METHODS.split(",")
    for name, row in rows.items():
        scores = [
            RunDirectory.open_at(out / f"{name}-{seed}").read_events()[-1]["scores"]["accuracy"] for seed in (0, 1)
        ]
        assert row["accuracy"]["value"] == pytest.approx(sum(scores) / 2, abs=1e-5)
        assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
    assert rows["standard"]["gain"] == {"value": 0, "low": 0, "high": 0}


def test_every_method_travels_the_same_distance(done, small_world):
    out, _ = done
    arms = json.loads((out / "arms.json").read_text())["arms"]
    assert {name: arms[name]["from clean"] for name in ("mixup", "pixel-pgd")} == pytest.approx(
        {"mixup": 1.0, "pixel-pgd": 1.0}, rel=0.02
    )
    assert arms["standard"]["augmentations"] == []
    (mixup,) = arms["mixup"]["augmentations"]
    store = Store(small_world, "cpu")
    images, labels = datasets.load_world("digits").train.take_batch(slice(0, 32))
    batch, bench = Batch(images, torch.eye(10)[labels]), store.bench("digits-pixels")
    far = measure_distance(
        make_operator("mixup", mixup["settings"])(batch, bench).images, rebuild_images(batch, bench)
    ).mean()
    assert float(far) == pytest.approx(1.0, rel=0.3)  # on other images


def test_the_plot_opens_without_a_network(done):
    page = (done[0] / "low-data.html").read_text()
    assert "<script src=" not in page
    assert "pixel-pgd" in page


def test_what_is_done_is_not_done_again(done, capsys):
    out, words = done
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.safetensors")}
    assert len(before) == 8
    (out / "mixup-1" / "events.jsonl").unlink()
    assert main([*words, "--json"]) == 0
    after = {path: path.stat().st_mtime_ns for path in out.rglob("run.safetensors")}
    assert {path.parent.name for path in after if after[path] != before[path]} == {"mixup-1"}
    assert [row["method"] for row in json.loads(capsys.readouterr().out)] == METHODS.split(",")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--distance", "2"], "holds the experiment"),
        (["--methods", "magic"], "no method"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_nonsense_is_one_clear_line(change, message, done, capsys):
    assert main([*done[1], *change]) == 2
    assert message in capsys.readouterr().err


def test_every_method_of_the_issue_is_an_arm():
    wanted = "standard mixup k-mixup varmixup randomized-la adversarial-la reconstruct pixel-pgd"
    assert list(low_data.ARMS) == wanted.split()
