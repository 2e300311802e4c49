"""Visitors take turns in the queue, and whoever has many requests waiting is refused before others are."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio import queueing
from gradio.data_classes import PredictBodyInternal

from latentlab.ui.gradio_patches import fair_queue
from latentlab.ui.gradio_patches.fair_queue import FairQueue, FairTurns


def test_who_rested_begins_at_the_time_of_the_others() -> None:
    turns = FairTurns()
    for _ in range(100):
        turns.charge_seconds("busy", 1.0)
    turns.charge_seconds("new", 1.0)
    order = []
    for _ in range(6):
        order.append(turns.find_next(["busy", "new"]))
        turns.charge_seconds(order[-1], 1.0)
    assert order.count("busy") == order.count("new") == 3  # neither pays for the past


def test_shares_are_of_seconds_not_of_requests() -> None:
    turns, got = FairTurns(), {"long": 0.0, "short": 0.0}
    for _ in range(1000):
        key = turns.find_next(["long", "short"])
        seconds = 5.0 if key == "long" else 0.1
        turns.charge_seconds(key, seconds)
        got[key] += seconds
    assert got["long"] == pytest.approx(got["short"], rel=0.1)


@pytest.fixture
def blocks() -> gr.Blocks:
    with gr.Blocks() as blocks:
        gr.Button().click(lambda: None, None, None, concurrency_id="torch", concurrency_limit=1)
    return blocks


def ask_for(queue: queueing.Queue, session: str, address: str, times: int) -> list[bool]:
    """Push the same event some times, and say which were taken."""

    async def push_all() -> list[bool]:
        request: Any = SimpleNamespace(client=SimpleNamespace(host=address))
        asked = [PredictBodyInternal(fn_index=0, session_hash=session, data=[]) for _ in range(times)]
        return [(await queue.push(body, request, None))[0] for body in asked]

    return asyncio.run(push_all())


def serve_all(queue: queueing.Queue, most: int) -> list[str]:
    """Take the events one by one, as the queue's own loop does; return the sessions in the order of being served."""
    served = []
    while len(served) < most and (taken := queue.get_events()):
        served += [event.session_hash for event in taken[0]]
    return served


def make_queue(kind: type[queueing.Queue], blocks: gr.Blocks) -> queueing.Queue:
    return kind(True, 40, 1, None, blocks)


def test_fair_queue_of_gradio_itself_lets_a_visitor_wait_for_all_of_another(blocks: gr.Blocks) -> None:
    queue = make_queue(queueing.Queue.__mro__[-2], blocks)
    ask_for(queue, "greedy", "1.1.1.1", 20)
    ask_for(queue, "modest", "2.2.2.2", 1)
    assert serve_all(queue, 21).index("modest") == 20


@pytest.mark.parametrize("address", ["1.1.1.1", "2.2.2.2"])
def test_a_visitor_waits_for_one_turn_of_another(blocks: gr.Blocks, address: str) -> None:
    queue = make_queue(FairQueue, blocks)
    ask_for(queue, "greedy", "1.1.1.1", 20)
    assert serve_all(queue, 1) == ["greedy"]
    ask_for(queue, "modest", address, 1)
    served = serve_all(queue, 20)
    assert served.index("modest") <= 1
    assert len(served) == 20


def test_many_sessions_of_one_address_are_one_visitor_to_another(blocks: gr.Blocks) -> None:
    queue = make_queue(FairQueue, blocks)
    for number in range(40):
        ask_for(queue, f"forged {number}", "1.1.1.1", 2)
    serve_all(queue, 3)
    ask_for(queue, "modest", "2.2.2.2", 5)
    served = serve_all(queue, 12)
    assert served.count("modest") == 5


def test_events_of_one_session_keep_their_order(blocks: gr.Blocks) -> None:
    queue = make_queue(FairQueue, blocks)
    for session in ("a", "b", "a", "c", "b", "a"):
        ask_for(queue, session, "1.1.1.1", 1)
    asked = {
        one: [e._id for e in queue.event_queue_per_concurrency_id["torch"].queue if e.session_hash == one]
        for one in "abc"
    }
    served = [taken[0][0] for _ in range(6) if (taken := queue.get_events())]
    assert {one: [e._id for e in served if e.session_hash == one] for one in "abc"} == asked


def test_who_has_many_waiting_is_refused_and_others_are_not(blocks: gr.Blocks) -> None:
    queue = make_queue(FairQueue, blocks)
    taken = ask_for(queue, "greedy", "1.1.1.1", fair_queue.MAX_WAITING_OF_SESSION + 1)
    assert taken == [True] * fair_queue.MAX_WAITING_OF_SESSION + [False]
    assert ask_for(queue, "modest", "1.1.1.1", 1) == [True]
