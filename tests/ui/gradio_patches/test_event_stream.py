"""The stream of answers to a browser, from a real gradio server behind the gate."""

import asyncio
import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest

from latentlab.ui.gradio_patches import event_stream
from latentlab.ui.server import launch

BROWSER = {"sec-fetch-site": "same-origin"}
LATE = 0.1  # s that a busy browser takes to hear what has arrived


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    launch.prepare_gradio()
    with gr.Blocks() as page:
        name, hello = gr.Textbox(), gr.Textbox()
        gr.Button().click(lambda name: f"Hello {name}", name, hello)
    yield launch.launch_page(page, prevent_thread_lock=True, quiet=True).rstrip("/") + "/gradio_api/queue"
    page.close()


def event(session: str, name: str = "Anna") -> dict[str, Any]:
    return {"data": [name], "fn_index": 0, "session_hash": session}


@pytest.mark.parametrize("headers", [BROWSER, {}])
def test_a_browser_gets_the_answer_without_the_talk_of_the_queue(
    url: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(event_stream, "IDLE_SECONDS", 0.1)
    session = f"quiet-{len(headers)}"
    httpx.post(f"{url}/join", json=event(session), headers=headers, timeout=60).raise_for_status()
    text = httpx.get(f"{url}/data?session_hash={session}", headers=headers, timeout=60).text
    told = re.findall(r'data: \{"msg":"(\w+)"', text)
    assert ("estimation" in told, "process_starts" in told) == (not headers, not headers)
    assert told[-2:] == ["process_completed", "close_stream"]
    assert "Hello Anna" in text


@pytest.mark.parametrize(("headers", "answers"), [(BROWSER, 3), ({}, 1)])
def test_the_stream_of_a_browser_carries_answer_after_answer(
    url: str, headers: dict[str, str], answers: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(event_stream, "IDLE_SECONDS", 2.0)
    session, heard = f"many-{len(headers)}", 0

    def ask() -> None:
        httpx.post(f"{url}/join", json=event(session, f"number {heard}"), headers=headers).raise_for_status()

    ask()
    with httpx.stream("GET", f"{url}/data?session_hash={session}", headers=headers, timeout=30) as told:
        for line in told.iter_lines():
            if f"Hello number {heard}" in line:
                heard += 1
                if heard < 3:
                    ask()
    assert heard == answers


class Tab:
    """The rule of Gradio's script: an event opens a stream unless one is open; it is open until its end is heard."""

    def __init__(self, client: httpx.AsyncClient, url: str, session: str) -> None:
        self.client, self.url, self.session, self.open = client, url, session, False
        self.streams: list[asyncio.Task[None]] = []
        self.answers: dict[str, asyncio.Future[str]] = {}

    def answer(self, event: str) -> asyncio.Future[str]:
        return self.answers.setdefault(event, asyncio.get_running_loop().create_future())

    async def ask(self) -> str:
        told = (await self.client.post(f"{self.url}/join", json=event(self.session))).json()
        if not self.open:
            self.open = True
            self.streams.append(asyncio.create_task(self.read()))
        return await asyncio.wait_for(self.answer(told["event_id"]), 5)

    async def read(self) -> None:
        async with self.client.stream("GET", f"{self.url}/data?session_hash={self.session}", timeout=30) as told:
            async for line in told.aiter_lines():
                if line:
                    asyncio.get_running_loop().call_later(LATE, self.hear, json.loads(line.removeprefix("data: ")))

    def hear(self, message: dict[str, Any]) -> None:
        if message["msg"] == "close_stream":
            self.open = False
        elif message["msg"] == "process_completed":
            self.answer(message["event_id"]).set_result(message["output"]["data"][0])


def test_no_event_is_lost_when_it_is_asked_for_as_its_stream_ends(url: str, monkeypatch: pytest.MonkeyPatch):
    """Without the gate the second waits for ever: it is asked for before the end of the first stream is heard."""
    monkeypatch.setattr(event_stream, "IDLE_SECONDS", 0.2)

    async def rounds() -> tuple[list[str], int]:
        async with httpx.AsyncClient(headers=BROWSER) as client:
            tab, answers = Tab(client, url, "late"), []
            for after in range(16):  # from before the end to after it was heard
                answers.append(await tab.ask())
                await asyncio.sleep(after * 0.025)
            await asyncio.gather(*tab.streams)
            return answers, len(tab.streams)

    answers, streams = asyncio.run(rounds())
    assert answers == ["Hello Anna"] * 16
    assert 1 < streams < 16  # some came before the end, some after it


@pytest.mark.parametrize(("hears", "kept"), [(b"close_stream", True), (b"heartbeat", False)])
def test_a_browser_that_leaves_at_the_end_is_not_forgotten(hears: bytes, kept: bool, monkeypatch: pytest.MonkeyPatch):
    """Gradio's script leaves a stream when it hears of its end, and may have asked for the next event by then."""
    monkeypatch.setattr(event_stream, "IDLE_SECONDS", 0.05)

    async def leave() -> bool:
        with gr.Blocks() as page:
            gr.Textbox()
        queue, left = page.queue()._queue, asyncio.Event()
        queue.pending_messages_per_session["anna"] = asyncio.Queue()
        queue.pending_event_ids_session["anna"] = set() if kept else {"waits"}

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if hears in message.get("body", b""):
                left.set()
                await asyncio.sleep(0.05)  # a slow connection

        app = SimpleNamespace(get_blocks=lambda: page, stop_event=asyncio.Event())
        scope = {"app": app, "query_string": b"session_hash=anna"}
        await event_stream.BrowserStreams(receive).stream_answers(scope, receive, send)
        return "anna" in queue.pending_messages_per_session

    assert asyncio.run(leave()) == kept
