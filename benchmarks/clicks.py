"""From a hand's event to the changed picture, in real Chromium: median and p95 of each tab.

python -m benchmarks.clicks [--times 20] [--world cifar10 --space cifar10-glow], with Chromium and the test requirements
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

PORT = 7899
# Milliseconds from the event to the frame after the first change of what is watched, or, where a sign is named, after
# the first that brings one more of it; -1 if nothing came in 60 s.
CLOCK = """([act, watched, value, sign]) => new Promise(done => {
  const start = performance.now(), seen = document.querySelector(watched), before = sign && count();
  function count() { return seen.querySelectorAll(sign).length; }
  const watch = new MutationObserver(() => {
    if (sign && count() <= before) return;
    watch.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  });
  watch.observe(seen, { subtree: true, childList: true, attributes: true, characterData: true });
  setTimeout(() => { watch.disconnect(); done(-1); }, 60000);
  const control = document.querySelector(act);
  if (value === null) return control.click();
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(control, value);
  control.dispatchEvent(new Event('input', { bubbles: true }));
})"""
WARM = 2  # turns that are not counted


class Hand(NamedTuple):
    tab: str
    controls: tuple[str, ...]  # in turn
    watched: str
    values: tuple[float, ...] = ()  # of a slider, in turn; none for a button
    ready: str = "body"  # what is there only when the last turn is over
    first: str = ""  # what is clicked before each turn; {} is the number of the turn
    sign: str = ""
    most: int = 1000  # turns


STAGE = "#stage .ll-pictures"
HANDS = (
    Hand("Explore", ("#bank-0 input[type=range]",), "#stage", (0.5, 1.0, 1.5, 2.0)),
    Hand("Mix", ("#mix-lam input[type=range]",), "#stage", (0.2, 0.4, 0.6, 0.8)),
    Hand("Attack", ("#attack-go",), "#stage", ready="#attack-verdict dl"),
    Hand("Explain", tuple(f"#explain-method label:nth-of-type({n}) input" for n in (2, 1)), "#explain-view"),
    Hand(
        "Map",
        tuple(f"#map-mode label:nth-of-type({n}) input" for n in (2, 1)),
        "#map-plot .ll-figure",
        ready="#map-numbers dl",
    ),
    Hand("Train", ("#train-show",), "#train-batch"),
    Hand("Toy room", ("#toys-k input[type=range]",), "#toys-k-mixup", (2, 8, 30, 60)),
    Hand("Learn", ("[data-key='say 0']",), "#learn-board", first="[data-key='open {}']", sign=".ll-told", most=4),
)


def measure(page: Any, hand: Hand, times: int) -> list[float]:
    page.get_by_role("tab", name=hand.tab, exact=True).click()
    page.wait_for_timeout(3000)
    taken, warm = [], WARM if times + WARM < hand.most else 0
    for turn in range(min(times + warm, hand.most)):
        if hand.first:
            page.locator(hand.first.format(turn)).click()
            page.wait_for_timeout(1500)
        page.wait_for_selector(hand.ready)
        value = hand.values[turn % len(hand.values)] if hand.values else None
        taken.append(page.evaluate(CLOCK, [hand.controls[turn % len(hand.controls)], hand.watched, value, hand.sign]))
        page.wait_for_timeout(700)  # the strip below follows; a hand does not wait for it, a fair clock does
    return [milliseconds for milliseconds in taken[warm:] if milliseconds >= 0]


@contextmanager
def served() -> Iterator[str]:
    address, started = f"http://127.0.0.1:{PORT}/", time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "app.py", "--port", str(PORT), "--runs", runs]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not answers(address):
                time.sleep(0.05)
            print(f"{'app.py until the page answers':40} {time.perf_counter() - started:8.1f} s")
            yield address
        finally:
            process.terminate()
            process.wait()


def answers(address: str) -> bool:
    try:
        return urlopen(address, timeout=5).status == 200
    except (URLError, ConnectionError, TimeoutError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--world", default="cifar10")
    parser.add_argument("--space", default="cifar10-glow")
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    with served() as address, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"))
        page = browser.new_page(viewport={"width": 1360, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{address}?world={args.world}&model={args.space}&operator=shift")
        page.wait_for_selector(STAGE)
        page.wait_for_timeout(5000)
        for hand in HANDS:
            taken = measure(page, hand, args.times)
            if len(taken) < 2:
                print(f"{hand.tab:40} nothing changed within a minute")
                continue
            p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
            print(f"{hand.tab:40} {statistics.median(taken):8.0f} ms  p95 {p95:8.0f} ms  of {len(taken)}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
