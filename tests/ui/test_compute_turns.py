"""One computation at a time; short ones go before the steps of a long one, but do not stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from latentlab.ui.compute_turns import SHORT_BEFORE_LONG, ComputeTurns


def test_two_never_compute_at_once() -> None:
    turns, inside, most = ComputeTurns(), 0, 0

    def compute(long: bool) -> None:
        nonlocal inside, most
        for _ in range(20):
            with turns.take_turn(long):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    run_together([lambda long=long: compute(long) for long in (True, True, False, False)])
    assert most == 1


def test_a_short_computation_waits_for_one_step_and_a_long_one_goes_on() -> None:
    """Both ask all the time: the long one gets a step for every few short ones."""
    turns, order = ComputeTurns(), []
    begin = threading.Barrier(3)

    def take_steps() -> Iterator[int]:
        for step in range(10):
            order.append("step")
            time.sleep(0.002)
            yield step

    def walk() -> None:
        begin.wait()
        assert list(turns.share_turns(take_steps())) == list(range(10))

    def ask() -> None:
        begin.wait()
        for _ in range(40):
            turns.wrap_short(lambda: (order.append("short"), time.sleep(0.002)))()

    run_together([walk, ask, ask])
    gaps = "".join(word[1] for word in order).split("t")  # the second letter: t of a step, h of a short one
    assert max(map(len, gaps[1:-1])) <= SHORT_BEFORE_LONG + 1
    assert sum(map(len, gaps)) == 80


def test_a_computation_that_fails_gives_its_turn_back() -> None:
    turns = ComputeTurns()
    with pytest.raises(ZeroDivisionError):
        turns.wrap_short(lambda: 1 / 0)()
    assert turns.wrap_short(lambda: "next")() == "next"


def run_together(tasks: list) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
