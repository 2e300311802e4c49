"""A run's directory as its process sees it: what it is asked, what it tells, where it keeps what it makes.

`events.jsonl` is append-only while the process lives; a process that goes on from a state first takes back what was
told after that state, in one exchange of files.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.disk import retry_once
from latentlab.errors import UserError
from latentlab.runs import layout
from latentlab.training.augmented.events import RunEvent
from latentlab.training.augmented.run_state import RunFiles

SPARE_BYTES = 16_384  # bytes kept back for the last line of a run that fills its disk


@dataclass(frozen=True)
class RunDirectory:
    path: Path
    events: Path
    stop: Path
    spare: Path
    files: RunFiles

    @classmethod
    def open_at(cls, path: Path) -> RunDirectory:
        files = RunFiles(path / layout.RESUME_FILE, path / layout.RESULT_FILE, path / layout.SAMPLE_FILE)
        return cls(path, path / layout.EVENTS_FILE, path / layout.STOP_FILE, path / layout.SPARE_FILE, files)

    @classmethod
    def open_beside(cls, out: Path) -> RunDirectory:
        """Return the directory of a run that has none: everything lies next to the file that it makes."""
        out.parent.mkdir(parents=True, exist_ok=True)
        files = RunFiles(out.with_suffix(".resume"), out)
        return cls(out, out.with_suffix(".jsonl"), out.with_suffix(".stop"), out.with_suffix(".spare"), files)

    def read_config(self, verb: str) -> dict[str, Any]:
        """Return the knobs of this run, which must be one of `verb`."""
        file = layout.CONFIG_FILE
        try:
            order = json.loads((self.path / file).read_bytes())
            found, config = order["verb"], order["config"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path} is no run: its {file} cannot be read ({str(error)[:80]}).") from error
        if found != verb or not isinstance(config, dict):
            raise UserError(f"{self.path} is a run of {str(found)[:20]!r}, not of {verb}; ask for that.")
        return config

    def write_config(self, verb: str, config: Mapping[str, Any]) -> None:
        """Make the directory that of this run, by hand; one that was asked for something else is refused."""
        order, written = layout.make_config_record(verb, self.path.name, "", config), self.path / layout.CONFIG_FILE
        self.path.mkdir(parents=True, exist_ok=True)
        if written.exists() and json.loads(written.read_text("utf-8")) != order:
            raise UserError(f"{self.path} was asked to do something else; name another --out or delete it.")
        written.write_text(json.dumps(order), "utf-8")

    def read_events(self) -> list[RunEvent]:
        """Return the event of every whole line; the last one may have been cut short by a kill."""
        if not self.events.exists():
            return []
        lines = self.events.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line]

    @property
    def is_finished(self) -> bool:
        events = self.read_events()
        return bool(events) and events[-1]["event"] == "end" and events[-1].get("state") == "finished"

    def take_back_events(self, step: int) -> None:
        """Cut the story down to this step, without an end: it goes on from here."""
        kept = [event for event in self.read_events() if event["step"] <= step and event["event"] != "end"]
        kept = [event for event in kept if event["event"] != "begin" or event["step"] < step]
        part = self.events.with_suffix(".part")
        self._write_or_explain(lambda: part.write_bytes(b"".join(map(_encode_event, kept))))
        part.replace(self.events)
        self._write_or_explain(lambda: self.spare.write_bytes(bytes(SPARE_BYTES)))

    def write_event(self, event: RunEvent) -> None:
        """Write one line, whole or not at all."""
        line = _encode_event(event)
        try:
            retry_once(lambda: self._append_line(line))
        except OSError as error:
            raise _explain_full_disk(self.path, error) from error

    def _append_line(self, line: bytes) -> None:
        size = self.events.stat().st_size if self.events.exists() else 0
        try:
            with self.events.open("ab", buffering=0) as file:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, "the line was cut short")
        except OSError:
            with suppress(FileNotFoundError):
                os.truncate(self.events, size)
            raise

    def write_end(self, event: RunEvent) -> None:
        """Write the last line, which has room: that of the spare file."""
        self.spare.unlink(missing_ok=True)
        self.write_event(event)
        self.stop.unlink(missing_ok=True)

    def read_request(self) -> str:
        """Return `stop`, `save`, or nothing."""
        try:
            said = self.stop.read_text("utf-8").strip()
        except OSError:
            return ""
        return "save" if said == "save" else "stop"

    def _write_or_explain(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            raise _explain_full_disk(self.path, error) from error


def _encode_event(event: RunEvent) -> bytes:
    return json.dumps(event, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _explain_full_disk(path: Path, error: OSError) -> Exception:
    if error.errno != errno.ENOSPC:
        return error
    return UserError(f"The disk is full: {path} keeps its last good state. Make room and resume the run.")
