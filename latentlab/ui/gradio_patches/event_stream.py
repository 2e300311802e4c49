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

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentlab.ui.gradio_patches.encodable_answers import dump_encodable
from latentlab.ui.gradio_patches.forgotten_session import FORGOTTEN_MESSAGE, SettledSessions

JOIN_PATH, STREAM_PATH = "/gradio_api/queue/join", "/gradio_api/queue/data"
IDLE_SECONDS = 10.0  # s without an event until a stream ends
HEARING_SECONDS = 0.5  # s until a browser must have heard of that end
QUEUE_TALK = frozenset(("estimation", "process_starts"))
END_MESSAGE = {"msg": "close_stream"}
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
SESSION_HASH = re.compile(rb'"session_hash":\s*"([^"]+)"')  # the last of a request's keys


class BrowserStreams:
    """ASGI middleware for the two requests of Gradio's queue, of browsers only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.reading: dict[str, asyncio.Future[None]] = {}  # of each session who reads its answers
        self.ended: dict[str, float] = {}
        self.settled = SettledSessions()

    async def join_queue(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an event on; answer only once the browser must have heard that its stream has ended.

        An event of a session whose state is gone goes nowhere, and the page hears why.
        """
        blocks, pieces = scope["app"].get_blocks(), [asyncio.ensure_future(receive())]
        await asyncio.wait(pieces)  # the body comes in one piece; an error in it is for the app to answer
        session = read_session(b"" if pieces[0].exception() else pieces[0].result().get("body", b""))
        if self.settled.is_forgotten(blocks, session):
            self._tell_forgotten(blocks._queue, session)
            await JSONResponse({"event_id": "none"})(scope, receive, send)
            return

        async def receive_again() -> Message:
            return await (pieces.pop() if pieces else receive())

        async def send_when_heard(message: Message) -> None:
            await asyncio.sleep(self.ended.get(session, 0) - asyncio.get_running_loop().time())
            await send(message)

        await self.app(scope, receive_again, send_when_heard)

    def _tell_forgotten(self, queue: Any, session: str) -> None:
        """Tell an open stream that its session is gone, once its browser must have heard that its event was taken; one
        that is opened after that is told at its beginning.
        """
        messages = queue.pending_messages_per_session.pop(session, None)
        if session in self.reading and messages is not None:
            asyncio.get_running_loop().call_later(HEARING_SECONDS, messages.put_nowait, FORGOTTEN_MESSAGE)

    async def stream_answers(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a session's answers as they come, until it rests, its browser leaves or the server stops."""
        (session,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
        blocks, stop = scope["app"].get_blocks(), scope["app"].stop_event
        queue = blocks._queue
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        waits = (self._send_answers(blocks, session, send), wait_for_disconnect(receive), stop.wait())
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

    async def _send_answers(self, blocks: Any, session: str, send: Send) -> None:
        """Send each answer, and at last that there are no more; a session of which nothing is known is told so.

        A browser leaves its stream as soon as it hears of the end, so from then on its leaving means nothing.
        """
        if session not in blocks._queue.pending_messages_per_session:
            await send(encode_message(FORGOTTEN_MESSAGE.model_dump()))
        async for message in read_messages(blocks._queue, session):
            await send(encode_message(message))
            self.settled.note_answer(blocks, session)
        loop = asyncio.get_running_loop()
        self.reading.pop(session, None)
        self.ended[session] = loop.time() + HEARING_SECONDS
        loop.call_later(HEARING_SECONDS, self.ended.pop, session, None)
        await send(encode_message(END_MESSAGE))


def read_session(body: bytes) -> str:
    """Return the session that a request to the queue names, nothing where it names none."""
    found = SESSION_HASH.findall(body[-200:])
    return found[-1].decode(errors="replace") if found else ""


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
