"""What a request says in words is valid Unicode or refused at the door: half of a surrogate pair, which JSON can
write, would end the stream of answers when it is sent back.
"""

from __future__ import annotations

import json
import re

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # as JSON writes one; most requests have none
REFUSAL = "The request holds text that is not valid Unicode."


def check_json_text(receive: Receive) -> Receive:
    """Gather the body of a JSON request and pass it on in one piece, if its text can be encoded."""
    gathered = False

    async def receive_checked() -> Message:
        nonlocal gathered
        if gathered:
            return await receive()
        gathered, body = True, bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        require_valid_text(bytes(body))
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return receive_checked


def require_valid_text(body: bytes) -> None:
    """Refuse JSON that is not UTF-8 or spells half of a surrogate pair; what is no JSON is for others to refuse."""
    try:
        body.decode()
        if SURROGATE.search(body):
            json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeError as error:
        raise HTTPException(400, REFUSAL) from error
    except (ValueError, RecursionError):
        return
