"""Gradio's stream of answers ends too early, fails after it has begun, and talks too much; a browser gets this one.

Gradio (4.44.1 to 6.31, not yet 4.0) ends a browser's stream with the answer to the last event it knows of, and the
browser opens another for the next event. One that is asked for between that end and the browser's hearing of it is
answered to nobody. Here a stream stays open until nothing was asked for some seconds, which also spares a request at
each move of a slider; and who asks just after that end is answered only once the browser must have heard of it.

Gradio raises 404 inside a stream of which its queue has forgotten the session: the answer breaks off, and the server
logs an error. Here that is an end: the page is told that its session is gone, and Gradio's script opens it again.

The page shows no queue, but each message about it costs Gradio's script as much as the answer itself. They stay here.

Programs get the streams as Gradio makes them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentlab.ui.gradio_patches.encodable_answers import dump_encodable

JOIN_PATH, STREAM_PATH = "/gradio_api/queue/join", "/gradio_api/queue/data"
IDLE_SECONDS = 10.0  # s without an event until a stream ends
HEARING_SECONDS = 0.5  # s until a browser must have heard of that end
QUEUE_TALK = frozenset(("estimation", "process_starts"))
LOST_MESSAGE = {"msg": "unexpected_error", "message": "The session was forgotten.", "session_not_found": True}
END_MESSAGE = {"msg": "close_stream"}
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
SESSION_HASH = re.compile(rb'"session_hash":\s*"([^"]+)"')  # the last of a request's keys


class BrowserStreams:
    """ASGI middleware for the two requests of Gradio's queue, of browsers only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.reading: dict[str, asyncio.Future[None]] = {}  # of each session who reads its answers
        self.ended: dict[str, float] = {}

    async def join_queue(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an event on; answer only once the browser must have heard that its stream has ended."""
        loop, tail = asyncio.get_running_loop(), b""

        async def receive_tail() -> Message:
            nonlocal tail
            message = await receive()
            tail = (tail + message.get("body", b""))[-200:]
            return message

        async def send_when_heard(message: Message) -> None:
            if session := SESSION_HASH.findall(tail):
                await asyncio.sleep(self.ended.get(session[-1].decode(errors="replace"), 0) - loop.time())
            await send(message)

        await self.app(scope, receive_tail, send_when_heard)

    async def stream_answers(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a session's answers as they come, until it rests, its browser leaves or the server stops."""
        (session,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
        queue, stop = scope["app"].get_blocks()._queue, scope["app"].stop_event
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        waits = (self._send_answers(queue, session, send), wait_for_disconnect(receive), stop.wait())
        sending, leaving, stopping = (asyncio.ensure_future(wait) for wait in waits)
        if earlier := self.reading.get(session):
            earlier.cancel()
        self.reading[session] = sending
        try:
            await asyncio.wait([sending, leaving, stopping], return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                sending.result()
            if not leaving.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            for task in (sending, leaving, stopping):
                task.cancel()
            if self.reading.get(session) is sending:
                del self.reading[session]
                if leaving.done():
                    await forget_session(queue, session)

    async def _send_answers(self, queue: Any, session: str, send: Send) -> None:
        """Send each answer, and at last that there are no more; a session of which nothing is known is told so.

        A browser leaves its stream as soon as it hears of the end, so from then on its leaving means nothing.
        """
        if session not in queue.pending_messages_per_session:
            await send(encode_message(LOST_MESSAGE))
        async for message in read_messages(queue, session):
            await send(encode_message(message))
        loop = asyncio.get_running_loop()
        self.reading.pop(session, None)
        self.ended[session] = loop.time() + HEARING_SECONDS
        loop.call_later(HEARING_SECONDS, self.ended.pop, session, None)
        await send(encode_message(END_MESSAGE))


async def read_messages(queue: Any, session: str) -> AsyncIterator[dict[str, Any]]:
    """Read a session's messages, without the talk of the queue, until none of its events waits and time has passed."""
    while (messages := queue.pending_messages_per_session.get(session)) is not None:
        try:
            message = (await asyncio.wait_for(messages.get(), IDLE_SECONDS)).model_dump()
        except TimeoutError:
            if not queue.pending_event_ids_session.get(session):
                return
            message = {"msg": "heartbeat"}
        if message["msg"] not in QUEUE_TALK:
            yield message
        if message["msg"] == "process_completed":
            queue.pending_event_ids_session.get(session, set()).discard(message["event_id"])


async def forget_session(queue: Any, session: str) -> None:
    """Drop the events and the answers of a browser that has left, as Gradio does."""
    queue.pending_messages_per_session.pop(session, None)
    await queue.clean_events(session_hash=session)


def encode_message(message: dict[str, Any]) -> Message:
    """Return a message as a piece of the stream."""
    body = b"data: " + dump_encodable(message, default=str) + b"\n\n"
    return {"type": "http.response.body", "body": body, "more_body": True}


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
