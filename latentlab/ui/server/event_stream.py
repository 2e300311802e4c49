"""One stream of answers a browser, open for as long as it asks.

Gradio ends a browser's stream with the answer to the last event it knows of, and the browser opens another for the next
event. One that is asked for between that end and the browser's hearing of it falls into the gap: the browser takes its
stream for open and waits for an answer that nobody sends. Here the stream stays open until nothing was asked for some
seconds, which also spares a request at each move of a slider; and who asks just after that end is answered only once
the browser must have heard of it. Programs get the streams as Gradio makes them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

JOIN_PATH, STREAM_PATH = "/gradio_api/queue/join", "/gradio_api/queue/data"
IDLE_SECONDS = 10.0  # s without an event until a stream ends
HEARING_SECONDS = 0.5  # s until a browser must have heard of that end
# The page shows no queue; each of these messages costs its script as much as the answer itself.
QUEUE_MESSAGE = re.compile(rb'data: \{"msg":"(estimation|process_starts)"')
ANSWER_MESSAGE = re.compile(rb'data: \{"msg":"process_completed","event_id":"(\w+)"')
END_MESSAGE = b'data: {"msg":"close_stream"'
SESSION_HASH = re.compile(rb'"session_hash":\s*"([^"]+)"')  # the last of a request's keys
EVENT_ID = re.compile(rb'"event_id":\s*"(\w+)"')


@dataclass(eq=False)
class PendingEvents:
    """What one browser asked for and has no answer to, and whether it asked again."""

    asked: set[bytes] = field(default_factory=set)
    again: asyncio.Event = field(default_factory=asyncio.Event)

    def add_event(self, event: bytes) -> None:
        """Write an event down, and wake the stream that waits for one."""
        self.asked.add(event)
        self.again.set()


class BrowserStreams:
    """ASGI middleware for the two requests of Gradio's queue, of browsers only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.lines: dict[str, PendingEvents] = {}
        self.ended: dict[str, float] = {}

    async def join_queue(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an event on: its number goes to the stream of its browser before the browser learns it."""
        loop, tail = asyncio.get_running_loop(), b""

        async def receive_tail() -> Message:
            nonlocal tail
            message = await receive()
            tail = (tail + message.get("body", b""))[-200:]
            return message

        async def send_after_noting(message: Message) -> None:
            if (session := SESSION_HASH.findall(tail)) and (event := EVENT_ID.search(message.get("body", b""))):
                name = session[-1].decode()
                await asyncio.sleep(self.ended.get(name, 0) - loop.time())
                if name in self.lines:
                    self.lines[name].add_event(event[1])
            await send(message)

        await self.app(scope, receive_tail, send_after_noting)

    async def stream_answers(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send Gradio's streams of one browser, one after the other, as one."""
        (session,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
        line = self.lines[session] = PendingEvents()
        first, end = True, None

        async def forward_message(message: Message) -> None:
            nonlocal end
            body = message.get("body", b"")
            if message["type"] == "http.response.start":
                if first:
                    await send(message)
            elif body.startswith(END_MESSAGE):
                end = body
            elif not QUEUE_MESSAGE.match(body) and (body or end is None):
                if found := ANSWER_MESSAGE.match(body):
                    line.asked.discard(found[1])
                await send(message)

        try:
            while True:
                end = None
                await self.app(dict(scope), receive, forward_message)
                first = False
                if end is None or not await self._wait_for_event(line, scope, receive):
                    break
                line.asked.clear()  # they are Gradio's next stream's
        finally:
            if self.lines.get(session) is line:
                del self.lines[session]
        if end is not None:
            loop = asyncio.get_running_loop()
            self.ended[session] = loop.time() + HEARING_SECONDS
            loop.call_later(HEARING_SECONDS, self.ended.pop, session, None)
            await send({"type": "http.response.body", "body": end, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait_for_event(self, line: PendingEvents, scope: Scope, receive: Receive) -> bool:
        """Wait for the next event; false when none comes, the browser left or the server stops."""
        if line.asked:
            return True
        line.again.clear()
        ends = [asyncio.ensure_future(wait) for wait in (wait_for_disconnect(receive), scope["app"].stop_event.wait())]
        again = asyncio.ensure_future(line.again.wait())
        try:
            await asyncio.wait([again, *ends], timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return line.again.is_set()
        finally:
            for wait in (again, *ends):
                wait.cancel()


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
