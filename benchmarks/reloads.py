"""Reload the page and change its address many times in a row while every core is kept busy, in real Chromium; count the
views that came, the views that were lost, and what the console said.

python -m benchmarks.reloads [--times 50] [--busy 2], with Chromium and the test requirements
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.browser import find_chromium
from benchmarks.speed.page import page as serve_page

ADDRESSES = (  # changed in turn; None is a reload
    None,
    "?world=digits&tab=mix",
    "?world=digits&model=digits-glow&operator=noise",
    "?world=digits&model=digits-vae&operator=shift",
    "?world=atlantis",
)
VIEW_PATIENCE = 60_000  # ms until a view that has not come counts as lost
DRAWN = "() => document.querySelector('.ll-card.ll-accent img')?.complete"
PAUSES = (0, 50, 200, 800)  # ms from a view to the next change, in turn: within and after its last answers


@contextmanager
def keep_cores_busy(count: int) -> Iterator[None]:
    """Keep `count` processes at work that never rest."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def change_address(page: Any, root: str, turn: int) -> None:
    """Reload the page or go to the turn's address."""
    query = ADDRESSES[turn % len(ADDRESSES)]
    page.reload() if query is None else page.goto(f"{root}/{query}")


def slide_once(page: Any, turn: int) -> None:
    """Move a slider and wait for its picture: the stream carries answers still."""
    page.get_by_role("tab", name="Explore", exact=True).click()
    before = page.locator(".ll-card.ll-accent img").get_attribute("src")
    page.locator("#bank-0 input[type=number]").fill(str(-3 + 0.11 * (turn % 50)))
    page.locator("#bank-0 input[type=number]").press("Tab")
    page.wait_for_function("src => document.querySelector('.ll-card.ll-accent img')?.src !== src", arg=before)


def count_lost_views(page: Any, root: str, times: int) -> int:
    """Change the address `times` times; print each view that does not come or does not answer a slider."""
    from playwright.sync_api import Error

    lost = 0
    for turn in range(times):
        try:
            change_address(page, root, turn)
            page.wait_for_function(DRAWN)
            if turn % 5 == 3:  # at the address with a direction
                slide_once(page, turn)
        except Error as error:
            lost += 1
            print(f"turn {turn} lost: {str(error).splitlines()[0]}", flush=True)
        page.wait_for_timeout(PAUSES[turn % len(PAUSES)])
        print(f"{turn + 1} changes, {lost} lost", end="\r", flush=True)
    return lost


def main() -> None:
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--busy", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    said: list[str] = []
    with serve_page() as address, keep_cores_busy(args.busy), sync_playwright() as player:
        browser = player.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport={"width": 1360, "height": 1000})
        page.set_default_timeout(VIEW_PATIENCE)
        page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
        started = time.perf_counter()
        page.goto(f"{address}/?world=digits")
        page.wait_for_function(DRAWN)
        lost = count_lost_views(page, address, args.times)
        taken = time.perf_counter() - started
        browser.close()
    print(f"{args.times} changes with {args.busy} busy processes: {lost} lost, {len(said)} complaints, {taken:.0f} s")
    print("\n".join(said[:20]))


if __name__ == "__main__":
    main()
