"""The wheel opens the page where there is no checkout: assets, scripts, style and the digits come with it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from repository import ROOT

PATIENCE = 180  # seconds: a busy machine is no error of the wheel
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "LATENTLAB"))}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `bin` of an environment that has the wheel, and for all else looks into this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*pip, *build], check=True, env=CLEAN)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True, env=CLEAN)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent


@pytest.fixture
def address(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The page of the wheel, started by its command in an empty folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(installed / "latentlab"), "app", "--port", str(port), "--device", "cpu"]
    with subprocess.Popen(command, cwd=tmp_path, env=CLEAN) as server:
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, "the page has ended"
        try:
            httpx.get(url, timeout=5)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the page does not answer")


def ask_for_the_first_view(client: httpx.Client) -> dict[str, Any]:
    """What the browser does when it has loaded: the event `load`, and its answer from the stream."""
    events = client.get("/config").json()["dependencies"]
    number = next(event["id"] for event in events if any(what == "load" for _, what in event["targets"]))
    who = {"session_hash": "visitor"}
    client.post("/gradio_api/queue/join", json={"data": [], "fn_index": number, **who}).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params=who) as stream:
        for line in stream.iter_lines():
            told = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if told.get("msg") == "process_completed":
                return told
    raise AssertionError("the stream has ended without an answer")


@pytest.mark.slow
def test_the_wheel_opens_the_page_in_an_empty_folder(address: str) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        front = client.get("/").text
        assert "--ll-accent" in front  # the theme's sheet
        assert "#closer-head" in front  # a part's own
        told = ask_for_the_first_view(client)
    assert told["success"]
    assert "data:image/png;base64," in json.dumps(told["output"])


@pytest.mark.slow
def test_what_the_wheel_brings_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    words = "import latentlab, sys; print(latentlab.__file__); print(*latentlab.Store(device='cpu').cards)"
    run = subprocess.run(
        [str(installed / "python"), "-c", words], cwd=tmp_path, env=CLEAN, check=True, capture_output=True, text=True
    )
    place, cards = run.stdout.splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert set(cards.split()) == {path.stem for path in (ROOT / "checkpoints").glob("digits-*.safetensors")}
    assert (Path(place).parent / "py.typed").exists()


@pytest.mark.slow
def test_a_folder_named_by_the_environment_takes_the_place_of_the_shipped_one(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "latentlab"), "list", "--json"]
    environment = CLEAN | {"LATENTLAB_CHECKPOINTS": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert json.loads(run.stdout) == {"checkpoints": {}, "broken": {}}


@pytest.mark.slow
def test_a_verb_that_needs_the_checkout_says_so_in_one_line(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "latentlab"), "benchmark"]
    run = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "latentlab: The benchmarks lie beside the package in a checkout of LatentLab; "
        "run `python -m latentlab benchmark` there."
    ]


def read_pins(name: str) -> dict[str, Version]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.partition("==")[0]: Version(line.partition("==")[2]) for line in lines}


def test_every_range_begins_with_the_oldest_tested_release_and_holds_the_pinned_one() -> None:
    oldest, pinned = read_pins("requirements-oldest.txt"), read_pins("requirements.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    assert set(ranges) == set(oldest)
    for name, specifier in ranges.items():
        (lowest,) = (Version(one.version) for one in specifier if one.operator == ">=")
        assert [one.operator for one in specifier].count("<") == 1
        assert oldest[name].release[: len(lowest.release)] == lowest.release, name
        assert oldest[name] in specifier, name
        assert pinned[name] in specifier, name
