"""The pictures of README, taken from a real page that has no data set: all that is seen was drawn by our own models.

python -m benchmarks.readme_pictures [--folder assets], with Chromium and the test requirements: map.png, toys.png
and session.webp, a quarter of a minute of a hand on the page.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.browser import PATIENCE, TOOLS, find_chromium
from benchmarks.speed.page import page as serve_page

WIDE: Any = {"width": 1280, "height": 800}
FRAME_WIDTH = 880  # px of the animation
FRAME_MS, STILL_MS = 120, 1400  # how long a frame of a move and one to look at are shown
QUALITY = 55
WORLD = "?world=faces&model=faces-glow"
DRAG = "value => slideTo(document.querySelector('#bank-0 input[type=range]'), value)"


class Recorder:
    """`Recorder` keeps the frames of a page and how long each is shown."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def take_frame(self, milliseconds: int = FRAME_MS) -> None:
        whole = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        height = round(whole.height * FRAME_WIDTH / whole.width)
        self.frames.append(whole.resize((FRAME_WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def save_animation(self, path: Path) -> None:
        first, *others = self.frames
        options: dict[str, Any] = {"quality": QUALITY, "method": 6, "minimize_size": True}
        first.save(path, save_all=True, append_images=others, duration=self.times, loop=0, **options)


def open_tab(page: Any, name: str, ready: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.wait_for_selector(ready)
    page.wait_for_timeout(2500)


def record_session(page: Any, recorder: Recorder) -> None:
    """Slide, mix, attack."""
    recorder.take_frame(STILL_MS)
    for step in range(1, 13):
        page.evaluate(DRAG, 0.25 * step)
        page.wait_for_timeout(500)
        recorder.take_frame()
    page.wait_for_timeout(4000)
    recorder.take_frame(STILL_MS)
    for step in range(11, -9, -2):
        page.evaluate(DRAG, 0.25 * step)
        page.wait_for_timeout(500)
        recorder.take_frame()
    page.wait_for_timeout(4000)
    recorder.take_frame(STILL_MS)
    open_tab(page, "Mix", ".ll-card.ll-accent figcaption:has-text('mixed')")
    recorder.take_frame(2 * STILL_MS)
    page.get_by_role("tab", name="Attack", exact=True).click()
    for _ in range(8):
        page.wait_for_timeout(600)
        recorder.take_frame()
    page.wait_for_selector("#attack-verdict dl")
    page.wait_for_timeout(2500)
    recorder.take_frame(2 * STILL_MS)


def take_pictures(address: str, folder: Path) -> None:
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport=WIDE)
        page.set_default_timeout(PATIENCE)
        page.add_init_script(TOOLS)
        page.goto(f"{address}/{WORLD}")
        page.wait_for_selector("#stage .ll-pictures")
        page.wait_for_timeout(8000)
        page.locator("#welcome button[data-act=close]").click()
        page.wait_for_timeout(6000)
        recorder = Recorder(page)
        record_session(page, recorder)
        recorder.save_animation(folder / "session.webp")
        open_tab(page, "Toy room", "#tabs .main-svg:visible")
        page.locator("#tabs").screenshot(path=folder / "toys.png")
        page.emulate_media(color_scheme="dark")
        page.goto(f"{address}/?world=faces&tab=map&__theme=dark")
        page.wait_for_selector("#map-plot .main-svg")
        page.wait_for_timeout(8000)
        page.locator("#map-plot").screenshot(path=folder / "map.png")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("assets"))
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as empty:
        os.environ["LATENTLAB_DATA"] = empty
        with serve_page() as address:
            take_pictures(address, folder)
    for name in ("session.webp", "map.png", "toys.png"):
        print(f"{(folder / name).stat().st_size / 1e6:.2f} MB  {folder / name}")


if __name__ == "__main__":
    main()
