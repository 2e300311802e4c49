"""What visitors may upload: so much a minute each, and so much on the disk in all."""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from functools import partial
from pathlib import Path

from anyio import to_thread
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentlab.ui.gradio_patches.temporary_folder import find_own_folder

UPLOAD_PATH = "/gradio_api/upload"
BODIES_A_MINUTE = 20  # of the largest size, from one address
MAX_FOLDER_BYTES = 400_000_000
YOUNG_SECONDS = 60.0  # what was uploaded just now is about to be read


class UploadBudget:
    """ASGI middleware for uploads: it counts the bytes of each address over a minute, and lets old files go."""

    def __init__(self, app: ASGIApp, body_bytes: int) -> None:
        self.app, self.bytes_a_minute = app, BODIES_A_MINUTE * body_bytes
        self._sent: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    async def take_upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an upload on if its address may send more and the disk has room for more."""
        address, size = (scope["client"] or ("",))[0], 0
        if self.count_bytes(address, time.monotonic()) >= self.bytes_a_minute or not await make_room():
            wait = PlainTextResponse("Too much was uploaded in the last minute; wait a minute.", 429)
            return await wait(scope, receive, send)

        async def receive_measured() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        try:
            await self.app(scope, receive_measured, send)
        finally:
            self.add_bytes(address, size, time.monotonic())

    def add_bytes(self, address: str, size: int, now: float) -> None:
        self._sent[address].append((now, size))

    def count_bytes(self, address: str, now: float) -> int:
        """Count what the address has sent in the last minute; what is older is forgotten."""
        sent = self._sent[address]
        while sent and sent[0][0] < now - 60:
            sent.popleft()
        if not sent:
            del self._sent[address]
        return sum(size for _, size in sent)


async def make_room() -> bool:
    """Let old uploads go, and say whether there is room for another. A folder that is not ours alone is left alone."""
    if (folder := find_own_folder()) is None:
        return True
    return await to_thread.run_sync(partial(trim_folder, folder, MAX_FOLDER_BYTES, time.time())) <= MAX_FOLDER_BYTES


def trim_folder(folder: Path, most: int, now: float) -> int:
    """Delete the oldest files until at most so many bytes are left, but none of the last minute; return what is left.

    A picture is read when it comes; the file is not needed again.
    """
    found = [(status.st_mtime, status.st_size, path) for path in folder.rglob("*") if (status := read_status(path))]
    left = sum(size for _, size, _ in found)
    for changed, size, path in sorted(found):
        if left <= most or changed > now - YOUNG_SECONDS:
            break
        path.unlink(missing_ok=True)
        left -= size
    return left


def read_status(path: Path) -> os.stat_result | None:
    """Return the status of a file, none of what is no file or has just gone."""
    try:
        return path.stat() if path.is_file() else None
    except FileNotFoundError:
        return None
