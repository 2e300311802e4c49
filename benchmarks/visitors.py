"""How long a slider's answer takes for one visitor beside others: a class that slides, visitors who attack without a
pause, and a stranger who asks for attacks from forty forged sessions at once.

python -m benchmarks.visitors [--seconds 30], with the test requirements. Visitors are programs that send what the
page's own widgets would send; each has an address of its own, as behind a router that names its clients.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.browser import p95
from benchmarks.speed.page import page as serve_page

FORGED_SESSIONS = 40
QUEUE = "gradio_api/queue"
DRAGGING = (0.3, 1.2)  # s between two moves of a hand
LOOKING = (2.0, 6.0)  # s, where each move's picture is looked at


@dataclass(frozen=True)
class Situation:
    """A `Situation` says how many slide, with which pauses, and how many do what beside them."""

    sliding: int
    attacking: int = 0
    forged: int = 0
    pause: tuple[float, float] = DRAGGING


@dataclass
class Visitor:
    """A `Visitor` has a session of its own at the page and keeps the times of its answers."""

    client: httpx.AsyncClient
    widgets: dict[int, dict[str, Any]]
    events: list[dict[str, Any]]
    session: str
    times: list[float] = field(default_factory=list)
    refused: int = 0

    async def open_view(self) -> None:
        await self.ask_event("load", None)

    async def move_slider(self) -> None:
        start = time.perf_counter()
        await self.ask_event("input", "bank-0", value=random.uniform(-3, 3))
        self.times.append(1000 * (time.perf_counter() - start))

    async def run_attack(self) -> None:
        await self.ask_event("click", "attack-go")

    async def ask_event(self, kind: str, widget: str | None, value: float | None = None) -> None:
        """Ask for the event of a widget as the page would, and wait for its last answer."""
        event = next(one for one in self.events if self._is_event(one, kind, widget))
        values = [self._read_widget(number, widget, value) for number in event["inputs"]]
        asked = {"data": values, "fn_index": event["id"], "session_hash": self.session}
        joined = await self.client.post(f"{QUEUE}/join", json=asked)
        if joined.status_code == 503:
            self.refused += 1
            return
        await self._await_answer(joined.json()["event_id"])

    async def _await_answer(self, event: str) -> None:
        async with self.client.stream("GET", f"{QUEUE}/data", params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                told = json.loads(line.removeprefix("data: ") or "{}")
                if told.get("msg") == "process_completed" and told["event_id"] == event:
                    assert told["success"], told
                    return

    def _is_event(self, event: dict[str, Any], kind: str, widget: str | None) -> bool:
        named = [(self._name_widget(number), trigger) for number, trigger in event["targets"]]
        return (widget, kind) in named and bool(event["outputs"])

    def _name_widget(self, number: int) -> str | None:
        return self.widgets.get(number, {}).get("elem_id")

    def _read_widget(self, number: int, moved: str | None, value: float | None) -> Any:
        if value is not None and self._name_widget(number) == moved:
            return value
        return self.widgets.get(number, {}).get("value")


class Crowd:
    """A `Crowd` makes visitors of one page."""

    def __init__(self, address: str) -> None:
        self.address, self.numbers = address, itertools.count()
        config = httpx.get(f"{address}/config").json()
        self.widgets = {part["id"]: part["props"] for part in config["components"] if part["type"] != "state"}
        self.events = config["dependencies"]

    def make_visitor(self, host: int | None = None) -> Visitor:
        number = next(self.numbers)
        home = f"10.0.{number // 250}.{number % 250 + 1}" if host is None else f"10.1.0.{host}"
        client = httpx.AsyncClient(base_url=self.address, headers={"x-forwarded-for": home}, timeout=300)
        return Visitor(client, self.widgets, self.events, f"visitor{number:06}")


async def repeat_until(end: float, act: Callable[[], Awaitable[None]], pause: tuple[float, float]) -> None:
    while True:
        await asyncio.sleep(random.uniform(*pause))
        if time.monotonic() >= end:
            return
        await act()


async def measure_beside(crowd: Crowd, seconds: float, situation: Situation) -> list[Visitor]:
    """Let them all act for so long, and return those who slide."""
    visitors = [crowd.make_visitor() for _ in range(situation.sliding)]
    busy = [crowd.make_visitor() for _ in range(situation.attacking)]
    strangers = [crowd.make_visitor(host=66) for _ in range(situation.forged)]
    for visitor in (*visitors, *busy, *strangers):
        await visitor.open_view()
    end = time.monotonic() + seconds
    noise = [asyncio.create_task(repeat_until(end, one.run_attack, (0, 0.01))) for one in (*busy, *strangers)]
    await asyncio.gather(*(repeat_until(end, one.move_slider, situation.pause) for one in visitors))
    for task in noise:
        task.cancel()
        with suppress(asyncio.CancelledError, httpx.HTTPError):
            await task
    for visitor in (*visitors, *busy, *strangers):
        await visitor.client.aclose()
    return visitors


SITUATIONS = {
    "one visitor alone": Situation(1),
    "beside 1 who attacks all the time": Situation(1, attacking=1),
    "beside 4": Situation(1, attacking=4),
    "beside 16": Situation(1, attacking=16),
    f"beside a stranger with {FORGED_SESSIONS} forged sessions": Situation(1, forged=FORGED_SESSIONS),
    "a class of thirty, each looks and moves": Situation(30, pause=LOOKING),
    "a class of thirty, all drag at once": Situation(30),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    with serve_page() as address:
        crowd = Crowd(address)
        for name, situation in SITUATIONS.items():
            visitors = asyncio.run(measure_beside(crowd, args.seconds, situation))
            times = [one for visitor in visitors for one in visitor.times]
            slowest = max(p95(visitor.times) for visitor in visitors if len(visitor.times) > 1)
            refused = sum(visitor.refused for visitor in visitors)
            print(
                f"{name:45} {len(times):5} moves  median {statistics.median(times):7.0f} ms  p95 {p95(times):7.0f} ms"
                f"  slowest visitor's p95 {slowest:7.0f} ms  refused {refused}",
                flush=True,
            )


if __name__ == "__main__":
    main()
