"""A real Chromium at the page, and what it shares among the clocks in it."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

PATIENCE = 120_000  # ms
# For scripts in the page: a slider is moved as a hand would; and a message to oneself that is sent just before a frame
# is drawn comes when it is drawn.
TOOLS = """
window.slideTo = (control, value) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(control, value);
  control.dispatchEvent(new Event('input', { bubbles: true }));
};
window.onceDrawn = (then) => {
  const drawn = new MessageChannel();
  drawn.port1.onmessage = then;
  requestAnimationFrame(() => drawn.port2.postMessage(null));
};
"""
# Times of the event, of the change of the stage and of the frame that shows it, in ms since 1970.
HAND = """(value) => new Promise(done => {
  const now = () => performance.timeOrigin + performance.now(), stage = document.querySelector('#stage .ll-pictures');
  const control = document.querySelector('#bank-0 input[type=range]');
  const watch = new MutationObserver(() => {
    const changed = now();
    watch.disconnect();
    onceDrawn(() => done([event, changed, now()]));
  });
  watch.observe(stage, { attributes: true });
  const event = now();
  slideTo(control, value);
})"""
WARM = 3  # moves that are not counted
REST = 1500  # ms between moves: the strip below follows, and is another story


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def view(address: str, world: str, space: str) -> Iterator[Any]:
    """The first view of a space with a direction to slide along, a few seconds after it came."""
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport={"width": 1360, "height": 1000})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(TOOLS)
        page.goto(f"{address.rstrip('/')}/?world={world}&model={space}&operator=shift")
        page.wait_for_selector("#stage .ll-pictures")
        page.wait_for_timeout(5000)
        yield page
        browser.close()


def drag(page: Any, value: float) -> tuple[float, float, float]:
    """One move of the first direction's slider: when it happened, when the page changed, when that was painted."""
    return page.evaluate(HAND, value)


def p95(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=20, method="inclusive")[-1]
