"""The processes of a folder of runs: started, waited for, ended when they do not obey."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from latentlab.errors import UserError
from latentlab.runs import files, process
from latentlab.runs.run import child_of

PATIENCE = {"stop": 120.0, "save": 600.0}  # seconds in which one that was asked must have stopped
BEAT = 180.0  # seconds without a sign of life after which a process on another machine counts as gone
ENDED_BY_SIGNAL = (128 + signal.SIGTERM, 128 + signal.SIGINT)  # exit codes of a program that caught it
PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Started:
    run: Path
    ticket: str  # for one and the same run may be started many times
    popen: subprocess.Popen[bytes]


class Crew:
    """Those that this process has started are its children; of all others it knows what the disk says."""

    def __init__(self, program: Sequence[str], flags: Sequence[str], launcher: str, limit: int) -> None:
        self._program, self._flags, self._limit = list(program), list(flags), limit
        self._launcher = words(launcher)
        self._started: list[Started] = []
        self._asked: dict[Path, tuple[str, float]] = {}
        self._beats: dict[Path, tuple[tuple[int, ...], float]] = {}
        self._unwritten: dict[Path, tuple[str, str]] = {}
        self._lock = Lock()

    def start(self, run: Path, verb: str, lock: int) -> None:
        """The head of the queue becomes a process, which keeps the folder's lock until it has said who it is."""
        program = [*self._program, verb, "--run", str(run), *self._flags]
        become = [sys.executable, "-m", "latentlab.runs.child", str(run)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, _path()))}
        self._unwritten.pop(run, None)
        if self._launcher:
            (run / files.QUEUED).replace(run / files.GIVEN)
            self._spawn(run, filled(self._launcher, [*become, "-", *program]), environment, ())
        else:
            self._spawn(run, [*become, str(lock), *program], environment | process.share(self._limit), (lock,))

    def _spawn(self, run: Path, command: list[str], environment: dict[str, str], keeps: tuple[int, ...]) -> None:
        ticket = _waiting(run)
        try:
            with (run / files.LOG).open("ab") as log:
                popen = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                    pass_fds=keeps,
                )
        except OSError as error:
            self.note(run, "failed", f"It could not be started: {error.strerror} ({command[0]}).")
            return
        with self._lock:
            self._started.append(Started(run, ticket, popen))

    def reap(self) -> None:
        """Ask our children for their exit codes, so that none stays a zombie; what they started goes with them."""
        with self._lock:
            for started in list(self._started):
                popen = started.popen
                # still a zombie, so that its number cannot yet be another's
                if os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    continue
                if not self._launcher:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(popen.pid, signal.SIGKILL)
                self._judge(started.run, started.ticket, popen.pid, popen.wait())
                self._started.remove(started)

    def _judge(self, run: Path, ticket: str, pid: int, code: int) -> None:
        """Say how it ended, where it could not say so itself."""
        if _waiting(run) == ticket:  # the launcher, or what did not come so far as to be the run
            if code > 0 or (code and self._launcher):
                self.note(run, "failed", f"It could not be started: {_last_words(run, code)}")
            return
        child = child_of(run)
        told = files.last_event(run / files.EVENTS).get("event") == "end" or (run / files.ENDING).exists()
        if child is None or child.pid != pid or told or _waiting(run):
            return
        if code < 0:
            cause = f"Its process was ended by {signal.Signals(-code).name}: by somebody, or because memory ran out."
            self.note(run, "interrupted", cause)
        elif code in ENDED_BY_SIGNAL:
            self.note(run, "interrupted", "Its process was told to end, by somebody or by the machine going down.")
        else:
            self.note(run, "failed", f"Its process ended without a result: {_last_words(run, code)}")

    def tend(self, running: Mapping[Path, process.Child], minutes: float) -> None:
        """End those on this machine that do not obey, ask those whose time is up, keep their logs short."""
        self._asked = {run: asked for run, asked in self._asked.items() if run in running}
        for run, child in running.items():
            files.shorten(run / files.LOG)
            asked = files.text(run / files.STOP)
            seen = process.look(child.pid)
            if asked in PATIENCE:
                self._insist(run, child, asked)
            elif seen is not None and seen.seconds > 60 * minutes:
                self.ask(run, "save")

    def _insist(self, run: Path, child: process.Child, asked: str) -> None:
        kind, since = self._asked.setdefault(run, (asked, time.monotonic()))
        if kind != asked:
            self._asked[run] = (asked, time.monotonic())
        elif time.monotonic() - since > PATIENCE[asked]:
            self.note(run, "stopped", f"It did not stop within {PATIENCE[asked]:.0f} s and was ended.")
            process.kill(child)

    def ask(self, run: Path, what: str) -> None:
        """By the file; where the disk has no room for it, by a signal."""
        try:
            files.write(run / files.STOP, what)
        except OSError:
            child = child_of(run)
            if child is None or not process.is_here(child) or not process.alive(child):
                raise
            os.kill(child.pid, signal.SIGTERM)

    def note(self, run: Path, state: str, cause: str) -> None:
        """How it ended; on a full disk this is remembered at least here."""
        self._unwritten[run] = state, cause
        with suppress(OSError):
            files.write(run / files.ENDING, json.dumps({"state": state, "cause": cause}))
            del self._unwritten[run]
        for marker in (files.QUEUED, files.GIVEN):
            (run / marker).unlink(missing_ok=True)

    def said(self, run: Path) -> tuple[str, str] | None:
        """What could not be written."""
        return self._unwritten.get(run)

    def beating(self, run: Path) -> bool:
        """By this machine's own steady clock: a file's time was set by another's."""
        now = time.monotonic()
        stamps = tuple(_stamp(run / name) for name in (files.CHILD, files.EVENTS, files.LOG))
        known, since = self._beats.get(run, ((), now))
        if stamps != known:
            known, since = stamps, now
        self._beats[run] = known, since
        return now - since < BEAT


def words(launcher: str) -> list[str]:
    """A template such as `sbatch --wrap {command}`, where the command is one word for a shell, or `srun {*command}`."""
    try:
        parts = shlex.split(launcher)
    except ValueError as error:
        raise UserError(f"The launcher {launcher[:80]!r} cannot be read: {error}.") from error
    if parts and not any("{command}" in part or part == "{*command}" for part in parts):
        raise UserError("The launcher needs {command} (one word for a shell) or {*command} where the command goes.")
    return parts


def filled(template: Sequence[str], command: Sequence[str]) -> list[str]:
    """No shell reads this; whoever gets {command} as a word may have one of its own, so it is quoted for it."""
    line = shlex.join(command)
    return [w for part in template for w in (command if part == "{*command}" else [part.replace("{command}", line)])]


def _waiting(run: Path) -> str:
    """Its ticket, where it waits in the queue or at the launcher's."""
    return files.text(run / files.QUEUED) or files.text(run / files.GIVEN) or ""


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _path() -> list[str]:
    return [str(PACKAGE), os.environ.get("PYTHONPATH", "")]


def _last_words(run: Path, code: int) -> str:
    lines = files.last_bytes(run / files.LOG, 4000).strip().splitlines()
    return f"exit code {code}" + (f", {lines[-1].strip()[:300]}" if lines else "") + "."
