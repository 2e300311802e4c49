"""No process of ours asks for another machine: a page, what it answers, a run of it, with a guard at every socket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

# Python reads it at the start of every process, that of a run too; what it refuses it also writes down.
GUARD = """
import os, socket, sys

HERE = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::", socket.gethostname())

def guard(event, told):
    host = None
    if event in ("socket.connect", "socket.sendto") and isinstance(told[1], tuple):
        host = told[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = told[0]
    host = host.decode() if isinstance(host, bytes) else host
    if host is not None and host not in HERE:
        with open(os.environ["ASKED"], "a") as file:
            file.write(f"{event} {host}\\n")
        raise OSError(f"no network: {host}")

sys.addaudithook(guard)
"""
PAGE = """
import sys, time
import httpx
from latentlab import session
from latentlab.cli.app import build_app_page, open_runs, serve_app
from latentlab.store import Store

if __name__ == "__main__":
    checkpoints, folder = sys.argv[1:]
    runs, store = open_runs(folder, "", checkpoints, "cpu"), Store(checkpoints, "cpu", folder)
    url = serve_app(build_app_page(store, runs), prevent_thread_lock=True, quiet=True)
    assert "LatentLab" in httpx.get(url).text
    workspace = session.Workspace(store, runs=runs)
    opened = session.open_link(workspace, {"operator": "adversarial", "steps": "2"})
    assert opened.result is not None
    wish = {"world": "digits", "steps": 3, "epochs": 0, "batch": 4, "augmentations": [{"method": "mixup"}]}
    run = runs.submit_run("train", wish, "", "anna " * 8)
    while run.is_active:
        time.sleep(0.1)
        run = runs.find_run(run.id, "anna " * 8)
    print(run.state, run.cause)
    runs.stop_watching()
"""


@pytest.mark.slow
def test_the_page_and_a_run_of_it_ask_for_no_other_machine(small_world: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD, "utf-8")
    asked = tmp_path / "asked"
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", PAGE, str(small_world), str(tmp_path / "runs")],
        env=os.environ | {"PYTHONPATH": paths, "ASKED": str(asked)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "finished" in done.stdout.splitlines()[-1], done.stdout
    assert not asked.exists(), asked.read_text("utf-8")


def test_the_guard_notices_who_asks(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD, "utf-8")
    line = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    asked = tmp_path / "asked"
    done = subprocess.run(
        [sys.executable, "-c", line],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "ASKED": str(asked)},
        capture_output=True,
        text=True,
    )
    assert "no network: 192.0.2.1" in done.stderr
    assert asked.read_text("utf-8").splitlines()[0] == "socket.getaddrinfo 192.0.2.1"
