"""The steps of the Dockerfile, without an engine: what it copies is there, and what it starts serves."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest
from repository import ROOT

LINES = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8")).splitlines()


def list_instructions(word: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def test_what_is_copied_is_there_and_sent_to_the_engine() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {name for line in list_instructions("COPY") for name in line.split()[:-1]}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_its_python_is_one_that_the_project_supports() -> None:
    (image,) = list_instructions("FROM")
    least = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    version = tuple(map(int, re.findall(r"\d+", image)[:2]))
    assert tuple(map(int, re.findall(r"\d+", least))) <= version


@pytest.mark.slow
def test_what_it_starts_serves_without_a_home(tmp_path: Path, small_world: Path) -> None:
    """Nothing is written but to the temporary folder, which is all that a container lets it write to."""
    (entry,), (command,) = list_instructions("ENTRYPOINT"), list_instructions("CMD")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [*json.loads(entry)[1:], *json.loads(command)]
    words[words.index("7860")] = str(port)
    settings = dict(pair.split("=") for line in list_instructions("ENV") for pair in line.split())
    settings["HOME"] = "/nonexistent"
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o777)
    settings |= {"TMPDIR": str(temporary), "NUMBA_CACHE_DIR": str(temporary), "PATH": os.environ["PATH"]}
    server = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=settings | {"LATENTLAB_CHECKPOINTS": str(small_world)}
    )
    try:
        for _ in range(600):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "localhost"})
                break
            except httpx.TransportError:
                assert server.poll() is None
                time.sleep(0.2)
        assert answer.status_code == 200
    finally:
        server.terminate()
        server.wait()
