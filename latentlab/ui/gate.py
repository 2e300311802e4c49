"""The gate before every request: from where, with how much, by whom, and what the browser may do with the answer."""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentlab.ui.stream import JOIN, STREAM, Streams

WRONG_LOGINS = 10  # a minute and address
WRONG_LOGINS_OF_ALL = 200  # a minute, from all addresses together
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}

# What a visitor without a login may fetch: the login page, what it is drawn with, and the answer "who am I".
OPEN_PATHS = frozenset(
    ("/", "/login", "/login/", "/logout", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json", "/pwa_icon")
) | {f"/gradio_api/{name}" for name in ("theme.css", "startup-events", "login_check", "user", "token", "app_id")}
OPEN_FOLDERS = ("/assets/", "/static/", "/svelte/")
API_INFO = re.compile(rb"window\.gradio_api_info = .*?;</script>", re.DOTALL)
NO_API = b'window.gradio_api_info = {"named_endpoints": {}, "unnamed_endpoints": {}};</script>'


@dataclass(eq=False)
class Throttle:
    """At most `limit` marks a minute for each key."""

    limit: int
    times: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def full(self, key: str, now: float) -> bool:
        marks = self.times[key]
        while marks and marks[0] < now - 60:
            marks.popleft()
        if not marks:
            del self.times[key]
        return len(marks) >= self.limit

    def mark(self, key: str, now: float) -> None:
        self.times[key].append(now)

    def forget(self, key: str) -> None:
        self.times.pop(key, None)


class Gate:
    """ASGI middleware: same origin only, limited bodies, no guessing of passwords, strict headers on every answer."""

    def __init__(self, app: ASGIApp, body_bytes: int, login_needed: bool) -> None:
        self.app, self.streams = app, Streams(app)
        self.body_bytes = body_bytes
        self.login_needed = login_needed
        self.of_one, self.of_all = Throttle(WRONG_LOGINS), Throttle(WRONG_LOGINS_OF_ALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # gradio has none
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            await self._guarded(scope, receive, with_headers(send))
        else:
            await self.app(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, counted = Request(scope), limited(receive, self.body_bytes)
        if refusal := self._refusal(request):
            await refusal(scope, receive, send)
        elif request.method == "POST" and request.url.path.rstrip("/") == "/login":
            await self._login(request, counted, send)
        elif self.login_needed and not is_known(request):
            await self.app(scope, counted, without_api(send))
        else:
            special = {JOIN: self.streams.join, STREAM: self.streams.stream}
            browser = "sec-fetch-site" in request.headers
            answer = special.get(request.url.path, self.app) if browser else self.app
            await answer(scope, counted, send)

    def _refusal(self, request: Request) -> PlainTextResponse | None:
        if not same_origin(request.method, request.headers):
            return PlainTextResponse("This page takes no requests from other sites.", 403)
        if declared_bytes(request.headers) > self.body_bytes:
            return PlainTextResponse(too_large(self.body_bytes), 413)
        if self.login_needed and not is_open(request.url.path) and not is_known(request):
            return PlainTextResponse("Log in first.", 401)
        return None

    async def _login(self, request: Request, receive: Receive, send: Send) -> None:
        """An attempt counts when it begins, so that many at once do not slip through; the right password clears it."""
        address, now = request.client.host if request.client else "", time.monotonic()
        if self.of_one.full(address, now) or self.of_all.full("", now):
            wait = PlainTextResponse("Too many wrong passwords; wait a minute.", 429, {"retry-after": "60"})
            return await wait(request.scope, receive, send)
        self.of_one.mark(address, now)
        self.of_all.mark("", now)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self.of_one.forget(address)
            await send(message)

        await self.app(request.scope, receive, watch)


def same_origin(method: str, headers: Headers) -> bool:
    """From this page, from the address bar or a bookmark, or from a program; links from elsewhere may only navigate."""
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    if method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate":
        return True
    if site not in ("same-origin", "none"):
        return False
    return method in SAFE_METHODS or origin is None or urlsplit(origin).netloc == headers.get("host")


def declared_bytes(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def is_known(request: Request) -> bool:
    """Whether a cookie of the request is a token that gradio gave out at a login."""
    tokens = request.app.tokens
    return any(name.startswith("access-token-") and value in tokens for name, value in request.cookies.items())


def limited(receive: Receive, most: int) -> Receive:
    """The body counted as it comes, whatever its Content-Length says."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, too_large(most))
        return message

    return counted


def too_large(most: int) -> str:
    return f"The request is too large; at most {most / 1e6:.0f} MB are taken."


def with_headers(send: Send) -> Send:
    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return added


def without_api(send: Send) -> Send:
    """The login page without the list of endpoints that gradio writes into it."""
    start: Message = {}
    body = bytearray()

    async def gathered(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body.extend(message.get("body", b""))
        if not message.get("more_body", False):
            plain = API_INFO.sub(NO_API, bytes(body))
            if "content-length" in (headers := MutableHeaders(scope=start)):
                headers["content-length"] = str(len(plain))
            await send(start)
            await send({"type": "http.response.body", "body": plain})

    return gathered
