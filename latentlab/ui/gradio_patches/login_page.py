"""Gradio writes the list of all endpoints into the page that asks for a login.

Gradio (4.44.1 to 6.31) puts `window.gradio_api_info` there for whoever has not logged in. Here it is empty.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

API_INFO_SCRIPT = re.compile(rb"window\.gradio_api_info = .*?;</script>", re.DOTALL)
EMPTY_API_INFO = b'window.gradio_api_info = {"named_endpoints": {}, "unnamed_endpoints": {}};</script>'


def remove_api_info(send: Send) -> Send:
    """Send the login page without the list of endpoints that gradio writes into it."""
    start: Message = {}
    body = bytearray()

    async def gather_body(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body.extend(message.get("body", b""))
        if not message.get("more_body", False):
            plain = API_INFO_SCRIPT.sub(EMPTY_API_INFO, bytes(body))
            if "content-length" in (headers := MutableHeaders(scope=start)):
                headers["content-length"] = str(len(plain))
            await send(start)
            await send({"type": "http.response.body", "body": plain})

    return gather_body
