"""One slider move from the browser's event to the painted picture: where the milliseconds are.

python -m benchmarks.slider [--space cifar10-glow] [--times 20], with Chromium and the test requirements. The page runs
in this process, so that its clock can be read; the browser is a real one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.browser import REST, WARM, drag, p95, view
from latentlab import images
from latentlab.operators import Shift
from latentlab.session import Workspace
from latentlab.store import Store
from latentlab.ui import events

PARTS: dict[str, tuple[Any, str]] = {  # what is shown and the function that it is the time of
    "the move in latent space": (Shift, "move"),
    "decoding": (Workspace, "decode_latents"),
    "classifier": (Workspace, "_classify_picture"),
    "bits per dimension": (Workspace, "_recall_bits"),
    "PNG": (images, "png"),
}
Moments = dict[str, float]


class Network:
    """What Chromium tells of its traffic, in ms since 1970."""

    def __init__(self, page: Any) -> None:
        self._ahead, self.sent, self.received = 0.0, [], []
        tools = page.context.new_cdp_session(page)
        tools.on("Network.requestWillBeSent", self._sent)
        tools.on("Network.dataReceived", lambda told: self.received.append(1000 * (told["timestamp"] + self._ahead)))
        tools.send("Network.enable")

    def _sent(self, told: dict[str, Any]) -> None:
        self._ahead = told["wallTime"] - told["timestamp"]
        if "/queue/join" in told["request"]["url"]:
            self.sent.append(1000 * told["wallTime"])


@contextmanager
def clocks(spent: dict[str, float], moments: Moments) -> Iterator[None]:
    """The parts of the handler add up in `spent`; when it begins and has painted comes into `moments`."""

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*args: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **named)
            finally:
                spent[part] = spent.get(part, 0.0) + 1000 * (time.perf_counter() - start)

        return run

    def begins(*args: Any, **named: Any) -> Any:
        moments["begun"] = 1000 * time.time()
        return verb(*args, **named)

    def painted(*args: Any, **named: Any) -> Any:
        done = paint(*args, **named)
        moments["made"] = 1000 * time.time()
        return done

    verb, paint = events.time_action, events.Page.paint_session
    with ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), part)))
        stack.enter_context(patch.object(events, "time_action", begins))
        stack.enter_context(patch.object(events.Page, "paint_session", painted))
        yield


def move(page: Any, network: Network, spent: dict[str, float], moments: Moments, value: float) -> dict[str, float]:
    """Milliseconds of each part of one move."""
    spent.clear()
    network.sent.clear()
    network.received.clear()
    event, changed, painted = drag(page, value)
    parts = {part: spent.get(part, 0.0) for part in PARTS}
    made = moments["made"]
    arrived = min((at for at in network.received if made <= at <= changed), default=changed)
    page.wait_for_timeout(REST)
    return {
        "browser: from the event until the request leaves": network.sent[0] - event,
        "Gradio: until the handler begins": moments["begun"] - network.sent[0],
        **parts,
        "HTML and all else in the handler": made - moments["begun"] - sum(parts.values()),
        "Gradio: until the answer is in the browser": arrived - made,
        "browser: until the page has changed": changed - arrived,
        "browser: until the change is painted": painted - changed,
        "all of it": painted - event,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="cifar10-glow")
    parser.add_argument("--times", type=int, default=20)
    args = parser.parse_args()
    from latentlab.ui import build_page, load_page_style
    from latentlab.ui.server import launch

    launch.prepare_gradio()
    blocks = build_page(Store(device="cpu"))
    address = launch.launch_page(blocks, prevent_thread_lock=True, quiet=True, **load_page_style())
    with view(address, args.space.partition("-")[0], args.space) as page:
        network, spent, moments = Network(page), {}, {}
        with clocks(spent, moments):
            moves = [move(page, network, spent, moments, 0.05 * (turn + 1)) for turn in range(args.times + WARM)][WARM:]
    blocks.close()
    whole = statistics.median(each["all of it"] for each in moves)
    for part in moves[0]:
        taken = [each[part] for each in moves]
        middle = statistics.median(taken)
        print(f"{part:50} {middle:8.1f} ms {middle / whole:7.1%}  p95 {p95(taken):8.1f} ms")


if __name__ == "__main__":
    main()
