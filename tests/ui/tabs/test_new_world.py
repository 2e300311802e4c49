"""In Chromium: a zip is dropped in, surveyed, made, and open; and no visitor names a file of the server."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from ui.conftest import watched

from latentlab.runs import Runs
from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def served_world(small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a page with a data folder of its own, where runs are allowed."""
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path / "data"))
    runs = Runs(tmp_path / "runs", flags=("--checkpoints", str(small_world)))
    launch.prepare_gradio()
    page = build_page(Store(small_world, "cpu", runs=runs.path), runs=runs)
    yield launch.launch_page(page, prevent_thread_lock=True, quiet=True, **load_page_style()).rstrip("/")
    page.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A zip of two folders of ten pictures each."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for n in range(20):
            file = tmp_path / "picture.png"
            Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(file)
            archive.write(file, f"pets/{('cat', 'dog')[n % 2]}/{n}.png")
    return tmp_path / "pets.zip"


def test_dropped_pictures_become_a_world(served_world: str, pictures: Path, chromium: str | None) -> None:
    with watched(served_world, chromium) as view:
        drop_and_survey(view, pictures)
        view.locator("#world-title input, #world-title textarea").first.fill("Mine ${1}")
        view.locator("#world-make").click()
        view.locator("#world-note").get_by_text("Mine ${1} is open: 18 pictures to train, 2 to test.").wait_for()
        view.wait_for_function("document.querySelector('#world input').value === 'Mine ${1}'")
        view.locator("#slots").get_by_text("mine-1 test").first.wait_for()
        view.get_by_role("tab", name="Train").click()
        assert view.locator("#train-missing").inner_text().strip() == ""


def drop_and_survey(view: Page, pictures: Path) -> None:
    view.get_by_role("tab", name="New world").click()
    view.set_input_files("#world-files input[type=file]", str(pictures))
    view.locator(".ll-survey").get_by_text("2 classes: cat 10, dog 10").wait_for()
    view.locator(".ll-survey").get_by_text("they become 32×32 pixels, colour").wait_for()
    view.locator("#world-size input, #world-size textarea").first.fill("60x40")
    view.locator("#world-size input, #world-size textarea").first.press("Enter")
    view.locator(".ll-survey").get_by_text("they become 60×40 pixels, colour").wait_for()


def test_no_visitor_names_a_file_of_the_server(served_world: str, tmp_path: Path, pictures: Path) -> None:
    config = httpx.get(f"{served_world}/config").json()
    drop = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "world-files")
    event = next(one for one in config["dependencies"] if [drop, "upload"] in [list(t) for t in one["targets"]])
    file = {"path": str(pictures), "meta": {"_type": "gradio.FileData"}}
    data = [[file] if part == drop else None for part in event["inputs"]]
    asked = {"data": data, "fn_index": event["id"], "session_hash": "stranger"}
    assert httpx.post(f"{served_world}/gradio_api/queue/join", json=asked).status_code == 200
    with httpx.stream("GET", f"{served_world}/gradio_api/queue/data?session_hash=stranger", timeout=60) as answer:
        lines = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    ended = next(line for line in lines if line["msg"] == "process_completed")
    assert not ended["success"]
    assert not list(tmp_path.glob("data/*"))
