"""A page left open while its server goes away and comes back, in Chromium."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from ui.conftest import BROWSER
from ui.hand import caption, result, slide

pytestmark = [pytest.mark.browser, pytest.mark.slow]


Start = Callable[[], tuple[str, subprocess.Popen]]


@pytest.fixture
def server(small_world: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the page as a process of its own, always at the same port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started: list[subprocess.Popen] = []
    command = [sys.executable, "-m", "latentlab", "app", "--port", str(port), "--checkpoints", str(small_world)]

    def start() -> tuple[str, subprocess.Popen]:
        log = tmp_path / f"{len(started)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(command, env=os.environ, stdout=file, stderr=subprocess.STDOUT)
        started.append(process)
        for _ in range(900):
            if "Running on" in log.read_text():
                return f"http://127.0.0.1:{port}/", process
            if process.poll() is not None:  # on a busy machine Gradio may take its own server for one that failed
                return start()
            time.sleep(0.2)
        raise TimeoutError(log.read_text())

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_page_left_open_over_a_restart_says_so_and_comes_back_to_its_view(
    server: Start, chromium: str | None
) -> None:
    address, first = server()
    with sync_playwright() as playwright:
        view: Page = playwright.chromium.launch(executable_path=chromium, args=BROWSER).new_page()
        view.set_default_timeout(60_000)
        view.goto(address)
        view.wait_for_selector(".ll-tile img")
        slide(view, "bank-0", -2.5)
        caption(view, "pc1 -2.5 σ", 60_000)
        view.wait_for_url("**operator=shift**")
        view.wait_for_timeout(1500)
        before = result(view)
        first.send_signal(signal.SIGKILL)
        first.wait()
        view.locator("#alive p:has-text('does not answer')").wait_for()
        assert result(view) == before  # what one sees stays
        server()
        view.wait_for_selector("#alive p", state="hidden")
        view.wait_for_selector(".ll-tile img")
        caption(view, "pc1 -2.5 σ", 60_000)
        assert result(view) == before
        slide(view, "bank-0", 1)
        caption(view, "pc1 +1.0 σ", 60_000)
        view.context.browser.close()
