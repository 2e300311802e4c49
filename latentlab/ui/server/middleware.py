"""The gate before every request, which checks from where it comes, with how much, by whom, and what the browser may do
with the answer.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentlab.ui.gradio_patches.event_stream import JOIN_PATH, STREAM_PATH, BrowserStreams
from latentlab.ui.gradio_patches.login_page import remove_api_info
from latentlab.ui.server.request_text import check_json_text
from latentlab.ui.server.upload_budget import UPLOAD_PATH, UploadBudget

WRONG_LOGINS = 10  # a minute and address
WRONG_LOGINS_OF_ALL = 200  # a minute, from all addresses together
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
SECURITY_HEADERS = {
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


@dataclass(eq=False)
class LoginThrottle:
    """A counter that takes at most `limit` marks a minute for each key."""

    limit: int
    times: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def is_full(self, key: str, now: float) -> bool:
        """Say whether the key has its marks of the last minute; older ones are dropped."""
        marks = self.times[key]
        while marks and marks[0] < now - 60:
            marks.popleft()
        if not marks:
            del self.times[key]
        return len(marks) >= self.limit

    def add_mark(self, key: str, now: float) -> None:
        self.times[key].append(now)

    def forget_key(self, key: str) -> None:
        self.times.pop(key, None)


class Gate:
    """ASGI middleware: same origin only, limited bodies, no guessing of passwords, strict headers on every answer."""

    def __init__(
        self,
        app: ASGIApp,
        body_bytes: int,
        login_needed: bool,
        names: Sequence[str] = (),
        frames: Sequence[str] = (),
    ) -> None:
        self.app, self.streams = app, BrowserStreams(app)
        self.body_bytes = body_bytes
        self.login_needed = login_needed
        self.names, self.headers = frozenset(names), make_security_headers(frames)
        self.uploads = UploadBudget(app, body_bytes)
        self.of_one, self.of_all = LoginThrottle(WRONG_LOGINS), LoginThrottle(WRONG_LOGINS_OF_ALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # gradio has none
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            await self._route_request(scope, receive, add_headers(send, self.headers))
        else:
            await self.app(scope, receive, send)

    async def _route_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it to the login, the page without its endpoints, the streams or the app."""
        request, counted = Request(scope), limit_body(receive, self.body_bytes)
        if request.method not in SAFE_METHODS and "json" in request.headers.get("content-type", "json"):
            counted = check_json_text(counted)
        if refusal := self._find_refusal(request):
            await refusal(scope, receive, send)
        elif request.method == "POST" and request.url.path.rstrip("/") == "/login":
            await self._guard_login(request, counted, send)
        elif self.login_needed and not is_logged_in(request):
            await self.app(scope, counted, remove_api_info(send))
        elif request.url.path == UPLOAD_PATH:
            await self.uploads.take_upload(scope, counted, send)
        else:
            special = {JOIN_PATH: self.streams.join_queue, STREAM_PATH: self.streams.stream_answers}
            browser = "sec-fetch-site" in request.headers
            answer = special.get(request.url.path, self.app) if browser else self.app
            await answer(scope, counted, send)

    def _find_refusal(self, request: Request) -> PlainTextResponse | None:
        """Return the answer that refuses the request, none where it may pass."""
        if not is_same_origin(request.method, request.headers, self.names):
            return PlainTextResponse("This page takes no requests from other sites.", 403)
        if read_declared_bytes(request.headers) > self.body_bytes:
            return PlainTextResponse(explain_size_limit(self.body_bytes), 413)
        if self.login_needed and not is_open_path(request.url.path) and not is_logged_in(request):
            return PlainTextResponse("Log in first.", 401)
        return None

    async def _guard_login(self, request: Request, receive: Receive, send: Send) -> None:
        """Pass an attempt to log in on, or refuse it where too many were wrong.

        An attempt counts when it begins, so that many at once do not slip through; the right password clears it.
        """
        address, now = request.client.host if request.client else "", time.monotonic()
        if self.of_one.is_full(address, now) or self.of_all.is_full("", now):
            wait = PlainTextResponse("Too many wrong passwords; wait a minute.", 429, {"retry-after": "60"})
            return await wait(request.scope, receive, send)
        self.of_one.add_mark(address, now)
        self.of_all.add_mark("", now)

        async def send_watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self.of_one.forget_key(address)
            await send(message)

        await self.app(request.scope, receive, send_watched)


def is_same_origin(method: str, headers: Headers, names: Collection[str] = ()) -> bool:
    """Say whether a request comes from this page, from the address bar or a bookmark, or from a program; links from
    elsewhere may only navigate.

    Where the browser says so itself, that is enough, for no page can make it say so. An older one, or a page without
    TLS, has its origin compared with the host, or with the names of the page where a proxy dropped the port.
    """
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    if method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate":
        return True
    if site not in ("same-origin", "none"):
        return False
    if method in SAFE_METHODS or origin is None or site == "same-origin":
        return True
    place = urlsplit(origin).netloc
    return place == headers.get("host") or place in names


def read_declared_bytes(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def is_open_path(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def is_logged_in(request: Request) -> bool:
    """Say whether a cookie of the request is a token that gradio gave out at a login."""
    tokens = request.app.tokens
    return any(name.startswith("access-token-") and value in tokens for name, value in request.cookies.items())


def limit_body(receive: Receive, most: int) -> Receive:
    """Count the body as it comes, whatever its Content-Length says, and refuse more than `most` bytes."""
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, explain_size_limit(most))
        return message

    return receive_counted


def explain_size_limit(most: int) -> str:
    return f"The request is too large; at most {most / 1e6:.0f} MB are taken."


def make_security_headers(frames: Sequence[str]) -> dict[str, str]:
    """Return the headers for a page that these sites, and itself, may frame."""
    if not frames:
        return SECURITY_HEADERS
    policy = f"{CONTENT_POLICY} {' '.join(frames)}"  # frame-ancestors is the last of its parts
    kept = {name: value for name, value in SECURITY_HEADERS.items() if name != "x-frame-options"}  # it knows no list
    return kept | {"content-security-policy": policy}


def add_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Add the security headers to every answer."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers
