"""The files of a run: read as they are at this moment, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.runs.layout import LOCK_FILE

LOCK_PATIENCE = 10.0  # seconds for the folder's lock
EVENT_BYTES = 2**21  # bytes of events a look
LOG_MAX_BYTES, LOG_KEPT_BYTES = 2**23, 2**20  # bytes


@contextmanager
def lock_folder(folder: Path, patience: float = LOCK_PATIENCE) -> Iterator[int]:
    """Make the caller the one who may decide in this folder.

    What it gives is the lock's descriptor, which a child can inherit and so keep.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be written: {error.strerror}.") from error
    try:
        deadline = time.monotonic() + patience
        while not _take_lock(descriptor):
            if time.monotonic() >= deadline:
                raise BusyError(f"The folder {folder} is in use by another process; try again in a moment.")
            time.sleep(0.01)
        yield descriptor
    finally:
        os.close(descriptor)


class BusyError(UserError):
    """Somebody else decides at this moment."""


def can_lock_folders() -> bool:
    """Say whether this system has the lock that a child can inherit; Windows has none."""
    return find_spec("fcntl") is not None


def _take_lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_atomically(path: Path, text: str) -> None:
    """Write the text so that a reader sees the old one or the new one."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_text_file(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in this file; None where there is none."""
    return _parse_object(read_text_file(path) or "")


def _parse_object(line: str | bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True)
class EventTail:
    """Events after a cursor. Where `anew`, they start at the first line, and whatever was read before is void."""

    events: tuple[dict[str, Any], ...]
    cursor: str
    anew: bool


def read_events(path: Path, after: str = "") -> EventTail:
    """Read whole lines only: what stands behind the last line end is still being written."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return EventTail((), "", after != "")
    with file:
        status = os.fstat(file.fileno())
        place = re.fullmatch(r"(\d{1,20})-(\d{1,15})", after)
        start = int(place[2]) if place and int(place[1]) == status.st_ino and int(place[2]) <= status.st_size else None
        file.seek(start or 0)
        lines = _read_lines(file)
    found = tuple(event for line in lines.splitlines() if (event := _parse_object(line)) is not None)
    return EventTail(found, f"{status.st_ino}-{(start or 0) + len(lines)}", start is None)


def _read_lines(file: Any) -> bytes:
    """Return about EVENT_BYTES bytes that end with a line; more only where one line is longer."""
    chunk = file.read(EVENT_BYTES)
    while b"\n" not in chunk and (more := file.read(EVENT_BYTES)):
        chunk += more
    return chunk[: chunk.rfind(b"\n") + 1]


def read_last_event(path: Path) -> dict[str, Any]:
    """Return the event of the last whole line; empty where there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return {}
    with file:
        size, reach = os.fstat(file.fileno()).st_size, 2**12
        while True:
            file.seek(max(0, size - reach))
            *whole, _ = file.read(reach).split(b"\n")
            if len(whole) > 1 or reach >= size:
                return _parse_object(whole[-1]) or {} if whole else {}
            reach *= 8


def reopen_events(path: Path) -> None:
    """Make the events ready to be gone on with: no half line, and no end, for it has not ended.

    A new file, so that no reader takes its place in the old one for a place in the new one.
    """
    before = path.read_bytes() if path.exists() else b""
    lines = before[: before.rfind(b"\n") + 1].splitlines(keepends=True)
    after = b"".join(line for line in lines if (_parse_object(line) or {}).get("event") != "end")
    if after != before:
        write_atomically(path, after.decode(errors="replace"))


def read_last_bytes(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read(size).decode(errors="replace")
    except FileNotFoundError:
        return ""


def shorten_log(path: Path) -> None:
    """Keep the end of a log that has grown beyond all reading; the process appends, so it goes on behind that."""
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        kept = read_last_bytes(path, LOG_KEPT_BYTES)
        with path.open("r+b") as file:
            file.truncate(0)
        with path.open("ab") as file:
            file.write(f"[the log was longer than {LOG_MAX_BYTES // 2**20} MiB; this is its end]\n{kept}".encode())
