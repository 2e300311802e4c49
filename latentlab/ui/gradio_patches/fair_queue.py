"""Gradio's queue answers in the order of asking: who asks forty times at once makes everybody wait for forty answers.

Gradio (4.0 to 6.31) has one line for each lane and one limit for all who wait. Here addresses take turns, and at each
address its sessions: next is whoever had the least time lately (start-time fair queuing: Goyal, Vin and Cheng 1996), in
seconds that the asked functions took so far. Whoever has many requests waiting is refused before others are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gradio import queueing

MAX_WAITING_OF_SESSION = 24  # a page asks for ten things at once when its view settles
MAX_WAITING_OF_ADDRESS = 256  # thirty pages behind one router
UNKNOWN_SECONDS = 0.1  # what a function is taken to need before it has run


@dataclass
class FairTurns:
    """`FairTurns` keep for each key how far it is in its own time; whoever rested begins at the time of the others."""

    clock: float = 0.0
    ends: dict[str, float] = field(default_factory=dict)

    def find_next(self, keys: Sequence[str]) -> str:
        """Return the key that had the least time, of equals the first."""
        return min(keys, key=self._find_start)

    def charge_seconds(self, key: str, seconds: float) -> None:
        self.clock = self._find_start(key)
        self.ends = {other: end for other, end in self.ends.items() if end > self.clock}
        self.ends[key] = self.clock + seconds

    def _find_start(self, key: str) -> float:
        return max(self.clock, self.ends.get(key, 0.0))


class FairQueue(queueing.Queue):
    """`FairQueue` is Gradio's queue with turns for those who wait, and a limit for each of them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.addresses = FairTurns()
        self.sessions: dict[str, FairTurns] = {}

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        waiting = [event for lane in self.event_queue_per_concurrency_id.values() for event in lane.queue]
        of_session = sum(event.session_hash == body.session_hash for event in waiting)
        of_address = sum(read_address(event.request) == read_address(request) for event in waiting)
        if of_session >= MAX_WAITING_OF_SESSION or of_address >= MAX_WAITING_OF_ADDRESS:
            return False, "Too many of your requests wait already. Wait for an answer, then ask again.", "queue_full"
        return await super().push(body, request, username)

    def get_events(self) -> Any:
        for lane in self.event_queue_per_concurrency_id.values():
            if lane.concurrency_limit is None or lane.current_concurrency < lane.concurrency_limit:
                self._bring_forward(lane.queue)
        taken = super().get_events()
        for event in taken[0] if taken else ():
            self._charge_event(event)
        return taken

    def _bring_forward(self, line: list[queueing.Event]) -> None:
        """Put the event of whoever is next at the head; events of one session keep their order."""
        if len({event.session_hash for event in line}) < 2:
            return
        address = self.addresses.find_next([read_address(event.request) for event in line])
        near = [event for event in line if read_address(event.request) == address]
        session = self.sessions.get(address, FairTurns()).find_next([event.session_hash for event in near])
        chosen = next(event for event in near if event.session_hash == session)
        line.remove(chosen)
        line.insert(0, chosen)

    def _charge_event(self, event: queueing.Event) -> None:
        known, address = self.process_time_per_fn.get(event.fn), read_address(event.request)
        seconds = known.avg_time if known else UNKNOWN_SECONDS
        self.addresses.charge_seconds(address, seconds)
        self.sessions = {one: turns for one, turns in self.sessions.items() if one in self.addresses.ends}
        self.sessions.setdefault(address, FairTurns()).charge_seconds(event.session_hash, seconds)


def read_address(request: Any) -> str:
    client = getattr(request, "client", None)
    return client.host if client else ""


def use_fair_queue() -> None:
    """Let `Blocks.queue` make such a queue from now on."""
    vars(sys.modules[queueing.__name__])["Queue"] = FairQueue
