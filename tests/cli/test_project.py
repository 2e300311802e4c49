"""`latentlab project`, run as a person runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from playwright.sync_api import sync_playwright

from latentlab import datasets
from latentlab.cli import main
from latentlab.cli.project import write_projection_page
from latentlab.projections import PCA


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: object, code: int = 0) -> str:
    assert main(["project", *map(str, words), "--checkpoints", str(folder), "--device", "cpu"]) == code
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == bool(code), err
    return err if code else out


@pytest.mark.parametrize("space", ["digits-resnet", "digits-vae", "digits-pixels"])
def test_coordinates_of_any_space_are_a_row_an_image(
    space: str, small_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "points.csv"
    said = run(capsys, small_world, space, "--out", out, "--method", "pca", "--count", 40)
    assert "40 points by pca; trustworthiness" in said
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    test = datasets.load_world("digits").test
    assert [row["label"] for row in rows] == [str(int(label)) for label in test.labels[:40]]
    assert list(rows[0]) == ["row", "label", "x", "y"]


def test_the_same_line_writes_the_same_file_and_knobs_are_flags(
    small_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    line = ["digits-resnet", "--data", "digits", "--split", "train", "--count", 60, "--json", "--dims", 3]
    line += ["--neighbours", 6, "--seed", 5]
    said = [json.loads(run(capsys, small_world, *line, "--out", tmp_path / f"{n}.csv")) for n in range(2)]
    assert said[0]["knobs"] == {"dims": 3, "neighbours": 6, "metric": "euclidean", "seed": 5}
    assert said[0]["quality"] == said[1]["quality"]
    assert 0 < said[0]["quality"]["trustworthiness"] <= 1
    first, second = ((tmp_path / f"{n}.csv").read_bytes() for n in range(2))
    assert first == second
    assert first.splitlines()[0] == b"row,label,x,y,z"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["digits-resnet", "--out", "a.parquet"], "pyarrow"),
        (["digits-resnet", "--out", "a.png"], "must end in .csv or .html"),
        (["digits-resnet", "--out", "nowhere/a.csv"], "no folder nowhere"),
        (["digits-nothing", "--out", "a.csv"], "no network"),
        (["digits-resnet", "--out", "a.csv", "--count", "0"], "1 or more"),
        (["digits-resnet", "--out", "a.csv", "--count", "30"], "takes from 40"),
        (["digits-resnet", "--out", "a.csv", "--method", "tsne"], "invalid choice"),
        (["digits-resnet", "--out", "a.csv", "--dims", "4"], "2 to 3"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str],
    why: str,
    small_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert why in run(capsys, small_world, *words, code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.browser
@pytest.mark.parametrize("dims", [2, 3])
def test_the_page_opens_alone_and_takes_names_for_text(dims: int, tmp_path: Path, chromium: str | None):
    """Class names are a stranger's words; the second is one that Plotly, unescaped, would make a link of."""
    names = ("<b>cat</b></script><script>window.harm=1</script>", '<a href="http://example.com">dog</a>')
    fitted = PCA(dims=dims).fit(torch.randn(40, 6, generator=torch.Generator().manual_seed(0)))
    out = tmp_path / "map.html"
    write_projection_page(out, "<i>pets</i>", fitted, names * 20)
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--enable-unsafe-swiftshader"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(out.as_uri())
        page.wait_for_selector(".legendtext")
        shown = page.locator(".legendtext").all_text_contents()
        assert page.evaluate("window.harm") is None
        assert page.locator(".legendtext a").count() == 0
        browser.close()
    assert sorted(shown) == sorted(names)
    assert not errors
    assert not [url for url in asked if url.startswith("http")]
