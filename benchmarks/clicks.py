"""From a hand's event to the changed picture, in real Chromium: median and p95 of each tab.

python -m benchmarks.clicks [--times 20] [--world cifar10 --space cifar10-glow], with Chromium and the test requirements
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any, NamedTuple

from benchmarks.browser import p95, view
from benchmarks.speed.page import page as page_of

# Milliseconds from the event to the frame with the first change of what is watched, or, where a sign is named, with the
# first that brings one more of it; -1 if nothing came in 60 s. Gradio's own mark of something pending is no change.
CLOCK = """([act, watched, value, sign]) => new Promise(done => {
  const start = performance.now(), seen = document.querySelector(watched), before = sign && count();
  function count() { return seen.querySelectorAll(sign).length; }
  const inside = (node) => node?.closest('[data-testid=status-tracker]');
  const pending = ({ target }) => inside(target.closest ? target : target.parentElement);
  const watch = new MutationObserver((changes) => {
    if (changes.every(pending) || (sign && count() <= before)) return;
    watch.disconnect();
    onceDrawn(() => done(performance.now() - start));
  });
  watch.observe(seen, { subtree: true, childList: true, attributes: true, characterData: true });
  setTimeout(() => { watch.disconnect(); done(-1); }, 60000);
  const control = document.querySelector(act);
  if (value === null) return control.click();
  slideTo(control, value);
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--world", default="cifar10")
    parser.add_argument("--space", default="cifar10-glow")
    args = parser.parse_args()
    started = time.perf_counter()
    with page_of() as address:
        print(f"{'app.py until the page answers':40} {time.perf_counter() - started:8.1f} s")
        with view(address, args.world, args.space) as page:
            for hand in HANDS:
                line(hand, measure(page, hand, args.times))


def line(hand: Hand, taken: list[float]) -> None:
    if len(taken) < 2:
        print(f"{hand.tab:40} nothing changed within a minute")
        return
    middle = statistics.median(taken)
    print(f"{hand.tab:40} {middle:8.0f} ms  p95 {p95(taken):8.0f} ms  of {len(taken)}", flush=True)


if __name__ == "__main__":
    main()
