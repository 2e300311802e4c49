"""Turns at the processor: one computation at a time, and short ones need not wait for the end of a long one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Step = TypeVar("Step")

SHORT_BEFORE_LONG = 4  # short computations that may go before a step of a long one that waits


class ComputeTurns:
    """`ComputeTurns` lend the processor to one computation at a time.

    A long one asks anew for each of its steps. Short ones that wait go first, but not more than a few of them.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._busy, self._passed = False, 0
        self._waiting = {True: 0, False: 0}  # long, short

    @contextmanager
    def take_turn(self, long: bool = False) -> Iterator[None]:
        """Compute when the turn has come; a short computation, or a step of a long one."""
        with self._change:
            self._waiting[long] += 1
            self._change.wait_for(lambda: not self._busy and (not self._waiting[not long] or self._is_first(long)))
            self._waiting[long] -= 1
            self._busy, self._passed = True, 0 if long else self._passed + 1
        try:
            yield
        finally:
            with self._change:
                self._busy = False
                self._change.notify_all()

    def wrap_short(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """Let each call of the function wait for its turn."""

        @functools.wraps(compute)
        def compute_in_turn(*arguments: Any, **named: Any) -> Any:
            with self.take_turn():
                return compute(*arguments, **named)

        return compute_in_turn

    def share_turns(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Yield the steps of a long computation, each in a turn of its own."""
        while True:
            with self.take_turn(long=True):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step

    def _is_first(self, long: bool) -> bool:
        """Say whether this side goes first where both wait."""
        return long == (self._passed >= SHORT_BEFORE_LONG)


PROCESSOR_TURNS = ComputeTurns()
