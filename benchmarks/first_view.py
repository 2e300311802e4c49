"""What a browser fetches and waits for until the first picture is there: requests, bytes, seconds; the largest files.

python -m benchmarks.first_view [--world faces] [--slow], with the test requirements. `--slow` is a connection of 1.6
Mbit/s with 150 ms to the server and back, as Lighthouse simulates 3G.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

from benchmarks.browser import PATIENCE, find_chromium
from benchmarks.speed.page import page as serve_page

SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
LARGEST = 12


class Fetched:
    """Every request of a page, by its address, and the bytes that came over the wire for it."""

    def __init__(self, session: Any) -> None:
        self.names: dict[str, str] = {}
        self.bytes: Counter[str] = Counter()
        session.on("Network.requestWillBeSent", self._note_request)
        session.on("Network.dataReceived", self._note_data)
        session.on("Network.loadingFinished", self._note_end)
        session.send("Network.enable")

    def _note_request(self, event: dict[str, Any]) -> None:
        address = event["request"]["url"]
        if not address.startswith(("data:", "blob:")):
            self.names[event["requestId"]] = address.partition("://")[2].partition("/")[2]

    def _note_data(self, event: dict[str, Any]) -> None:
        self.bytes[event["requestId"]] += event["encodedDataLength"]

    def _note_end(self, event: dict[str, Any]) -> None:
        """Take the whole of an answer: its pieces are told without its headers, and some not at all."""
        self.bytes[event["requestId"]] = int(event["encodedDataLength"])

    def list_largest(self) -> list[tuple[str, int]]:
        return [(self.names.get(name, name)[:90], count) for name, count in self.bytes.most_common(LARGEST)]


def measure_view(address: str, slow: bool) -> tuple[Fetched, float, float]:
    """Open the page in a browser that has nothing in its cache; seconds until its first word and its first picture."""
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=find_chromium())
        tab = browser.new_page(viewport={"width": 1360, "height": 1000})
        tab.set_default_timeout(PATIENCE)
        session = tab.context.new_cdp_session(tab)
        fetched = Fetched(session)
        if slow:
            session.send("Network.emulateNetworkConditions", SLOW)
        start = time.perf_counter()
        tab.goto(address, wait_until="commit")
        tab.wait_for_selector("h1")
        word = time.perf_counter() - start
        tab.wait_for_selector("#stage .ll-pictures")
        picture = time.perf_counter() - start
        browser.close()
    return fetched, word, picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="faces")
    parser.add_argument("--slow", action="store_true")
    args = parser.parse_args()
    with serve_page() as address:
        measure_view(address, False)  # the server's own first time is another story
        fetched, word, picture = measure_view(f"{address}/?world={args.world}", args.slow)
    print(f"{len(fetched.names)} requests, {sum(fetched.bytes.values()) / 1e6:.2f} MB until the first picture")
    print(f"first word after {word:.1f} s, first picture after {picture:.1f} s")
    for name, count in fetched.list_largest():
        print(f"{count / 1e3:8.0f} kB  {name}")


if __name__ == "__main__":
    main()
