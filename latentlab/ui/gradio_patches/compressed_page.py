"""Gradio compresses its scripts but not the page itself, in which every component is written down: 0.8 MB of words.

Gradio (seen in 6.31) goes by the ending of the address, and that of the page has none. Here it is compressed, too.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class CompressedPage:
    """ASGI middleware that compresses the page, and leaves all else to Gradio."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.compressed = app, GZipMiddleware(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/")
        await (self.compressed if is_page else self.app)(scope, receive, send)
