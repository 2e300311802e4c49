"""Three browsers walk at random for a bounded time, one of them over a slow network; the server is started again, and
later frozen for 30 s. Every move has to get its own picture, and memory, threads and files have to be flat.

python -m benchmarks.soak [--minutes 30] (make soak), with Chromium and the test requirements. Exit code 1 where
something grew by more than 5 %, or a move did not get its picture.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import sync_playwright

from benchmarks.browser import find_chromium
from benchmarks.speed.page import ROOT, answers

BROWSERS = 3
FROZEN_SECONDS = 30
RESTART_AT, FREEZE_AT = 0.1, 0.6  # of the time; what is measured begins at the restart
REST_SECONDS = 5  # between two measurements
GROWTH = 1.05
PICTURE_PATIENCE = 90_000  # ms
SPACES = ("digits-glow", "digits-stylegan2", "cifar10-glow")
TABS = ("Explore", "Mix", "Attack", "Explain", "Map", "Train", "Compare", "Toy room", "Learn")
SLOW_NETWORK = {"offline": False, "latency": 200, "downloadThroughput": 200_000, "uploadThroughput": 50_000}
SHOWN = "() => document.querySelector('#stage [data-view]')?.dataset.view ?? ''"


@dataclass
class Usage:
    """What the server uses: bytes of memory, threads, open files, bytes of its temporary folder."""

    memory: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)

    def add_measurement(self, server: int, folder: Path) -> None:
        process = psutil.Process(server)
        self.memory.append(process.memory_info().rss)
        self.threads.append(process.num_threads())
        self.files.append(process.num_fds())
        self.disk.append(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))

    def find_growth(self) -> dict[str, tuple[float, float]]:
        """Return the medians of the second and the last quarter of each."""
        return {name: compare_quarters(values) for name, values in vars(self).items()}


def compare_quarters(values: list[float]) -> tuple[float, float]:
    quarter = max(1, len(values) // 4)
    first, last = sorted(values[quarter : 2 * quarter] or values), sorted(values[-quarter:])
    return first[len(first) // 2], last[len(last) // 2]


class SoakedServer:
    """A page as a process that can be frozen and started again at the same port."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.process = self._start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.end()
        self.process = self._start()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"TMPDIR": str(self.folder)}
        command = [sys.executable, "app.py", "--port", str(self.port), "--runs", ""]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        while not answers(self.address):
            assert process.poll() is None, "the page has ended"
            time.sleep(0.2)
        return process


def walk_once(page: Any, rng: random.Random) -> bool:
    """Open a tab, or move the slider and wait for the picture of this value; say whether it came."""
    if rng.random() < 0.5:
        page.get_by_role("tab", name=rng.choice(TABS), exact=True).click()
        page.wait_for_timeout(rng.uniform(100, 1500))
        return True
    page.get_by_role("tab", name="Explore", exact=True).click()
    value = round(rng.uniform(-3, 3), 2)
    page.locator("#bank-0 input[type=number]").fill(str(value))
    page.locator("#bank-0 input[type=number]").press("Tab")
    try:
        page.wait_for_function(f"told => ({SHOWN})().includes(told)", arg=f"{value:g}", timeout=PICTURE_PATIENCE)
    except PlaywrightTimeout:
        print(f"no picture for {value}", flush=True)
        return False
    return True


def soak(server: SoakedServer, pages: Sequence[Any], seconds: float, rng: random.Random) -> tuple[Usage, int, int]:
    """Walk until the time is over; return what was used, how many steps there were and how many got no picture."""
    usage, begin, steps, lost, measured = Usage(), time.monotonic(), 0, 0, 0.0
    due = {RESTART_AT: server.restart, FREEZE_AT: server.freeze}
    while (spent := time.monotonic() - begin) < seconds:
        for share in [share for share in due if spent > share * seconds]:
            due.pop(share)()
        for page in pages:
            steps, lost = steps + 1, lost + (not walk_once(page, rng))
        if RESTART_AT not in due and spent - measured > REST_SECONDS:
            usage.add_measurement(server.process.pid, server.folder)
            measured = spent
    return usage, steps, lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = SoakedServer(port, Path(folder))
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
                pages = [open_page(browser, server.address, space) for space in SPACES]
                pages[0].context.new_cdp_session(pages[0]).send("Network.emulateNetworkConditions", SLOW_NETWORK)
                usage, steps, lost = soak(server, pages, 60 * args.minutes, random.Random(0))
        finally:
            server.end()
    print(f"{steps} steps, {lost} without their picture")
    grown = False
    for name, (before, after) in usage.find_growth().items():
        print(f"{name:10} {before:15,.0f} -> {after:15,.0f}  {after / max(before, 1):.3f}")
        grown |= after > GROWTH * before
    return int(grown or lost > 0)


def open_page(browser: Any, address: str, space: str) -> Any:
    page = browser.new_page()
    page.set_default_timeout(PICTURE_PATIENCE)
    page.goto(f"{address}/?world={space.partition('-')[0]}&model={space}&operator=shift&tab=explore")
    page.wait_for_function(f"() => ({SHOWN})()")
    return page


if __name__ == "__main__":
    sys.exit(main())
