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
from latentlab.resources import make_import_path
from latentlab.runs import files, layout, process
from latentlab.runs.run import read_child

STOP_PATIENCE = {"stop": 120.0, "save": 600.0}  # seconds in which one that was asked must have stopped
HEARTBEAT_PATIENCE = 180.0  # seconds without a sign of life after which a process on another machine counts as gone
SIGNAL_EXIT_CODES = (128 + signal.SIGTERM, 128 + signal.SIGINT)  # exit codes of a program that caught it


@dataclass(frozen=True)
class StartedProcess:
    run: Path
    ticket: str  # for one and the same run may be started many times
    popen: subprocess.Popen[bytes]


class Supervisor:
    """A `Supervisor` has what it started itself as its children; of all other runs it knows what the disk says."""

    def __init__(self, program: Sequence[str], flags: Sequence[str], launcher: str, limit: int) -> None:
        self._program, self._flags, self._limit = list(program), list(flags), limit
        self._launcher = parse_launcher(launcher)
        self._started: list[StartedProcess] = []
        self._asked: dict[Path, tuple[str, float]] = {}
        self._beats: dict[Path, tuple[tuple[int, ...], float]] = {}
        self._unwritten: dict[Path, tuple[str, str]] = {}
        self._lock = Lock()

    def start_run(self, run: Path, verb: str, lock: int) -> None:
        """Make the head of the queue a process, which keeps the folder's lock until it has said who it is."""
        program = [*self._program, verb, "--run", str(run), *self._flags]
        become = [sys.executable, "-m", "latentlab.runs.exec", str(run)]
        environment = {**os.environ, "PYTHONPATH": make_import_path()}
        self._unwritten.pop(run, None)
        if self._launcher:
            (run / layout.QUEUED_FILE).replace(run / layout.GIVEN_FILE)
            self._spawn_process(run, fill_launcher(self._launcher, [*become, "-", *program]), environment, ())
        else:
            self._spawn_process(
                run, [*become, str(lock), *program], environment | process.make_thread_environment(self._limit), (lock,)
            )

    def _spawn_process(
        self, run: Path, command: list[str], environment: dict[str, str], keeps: tuple[int, ...]
    ) -> None:
        ticket = _read_ticket(run)
        try:
            with (run / layout.LOG_FILE).open("ab") as log:
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
            self.note_ending(run, "failed", f"It could not be started: {error.strerror} ({command[0]}).")
            return
        with self._lock:
            self._started.append(StartedProcess(run, ticket, popen))

    def reap_children(self) -> None:
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
                self._note_exit(started.run, started.ticket, popen.pid, popen.wait())
                self._started.remove(started)

    def _note_exit(self, run: Path, ticket: str, pid: int, code: int) -> None:
        """Say how it ended, where it could not say so itself."""
        if _read_ticket(run) == ticket:  # the launcher, or what did not come so far as to be the run
            if code > 0 or (code and self._launcher):
                self.note_ending(run, "failed", f"It could not be started: {_quote_last_words(run, code)}")
            return
        child = read_child(run)
        told = (
            files.read_last_event(run / layout.EVENTS_FILE).get("event") == "end" or (run / layout.ENDING_FILE).exists()
        )
        if child is None or child.pid != pid or told or _read_ticket(run):
            return
        if code < 0:
            cause = f"Its process was ended by {signal.Signals(-code).name}: by somebody, or because memory ran out."
            self.note_ending(run, "interrupted", cause)
        elif code in SIGNAL_EXIT_CODES:
            self.note_ending(
                run, "interrupted", "Its process was told to end, by somebody or by the machine going down."
            )
        else:
            self.note_ending(run, "failed", f"Its process ended without a result: {_quote_last_words(run, code)}")

    def tend_runs(self, running: Mapping[Path, process.ChildProcess], minutes: float) -> None:
        """End those on this machine that do not obey, ask those whose time is up, keep their logs short."""
        self._asked = {run: asked for run, asked in self._asked.items() if run in running}
        for run, child in running.items():
            files.shorten_log(run / layout.LOG_FILE)
            asked = files.read_text_file(run / layout.STOP_FILE)
            seen = process.inspect_process(child.pid)
            if asked in STOP_PATIENCE:
                self._insist_on_stop(run, child, asked)
            elif seen is not None and seen.seconds > 60 * minutes:
                self.send_request(run, "save")

    def _insist_on_stop(self, run: Path, child: process.ChildProcess, asked: str) -> None:
        kind, since = self._asked.setdefault(run, (asked, time.monotonic()))
        if kind != asked:
            self._asked[run] = (asked, time.monotonic())
        elif time.monotonic() - since > STOP_PATIENCE[asked]:
            self.note_ending(run, "stopped", f"It did not stop within {STOP_PATIENCE[asked]:.0f} s and was ended.")
            process.kill_group(child)

    def send_request(self, run: Path, what: str) -> None:
        """Ask the run by the file; where the disk has no room for it, by a signal."""
        try:
            files.write_atomically(run / layout.STOP_FILE, what)
        except OSError:
            child = read_child(run)
            if child is None or not process.is_on_this_machine(child) or not process.is_process_alive(child):
                raise
            os.kill(child.pid, signal.SIGTERM)

    def note_ending(self, run: Path, state: str, cause: str) -> None:
        """Write down how it ended; on a full disk this is remembered at least here."""
        self._unwritten[run] = state, cause
        with suppress(OSError):
            files.write_atomically(run / layout.ENDING_FILE, json.dumps({"state": state, "cause": cause}))
            del self._unwritten[run]
        for marker in (layout.QUEUED_FILE, layout.GIVEN_FILE):
            (run / marker).unlink(missing_ok=True)

    def recall_ending(self, run: Path) -> tuple[str, str] | None:
        """Return the ending that could not be written, as state and cause."""
        return self._unwritten.get(run)

    def has_heartbeat(self, run: Path) -> bool:
        """Say whether its files have changed lately.

        This machine's own steady clock times it, for a file's time was set by another's.
        """
        now = time.monotonic()
        stamps = tuple(_read_stamp(run / name) for name in (layout.CHILD_FILE, layout.EVENTS_FILE, layout.LOG_FILE))
        known, since = self._beats.get(run, ((), now))
        if stamps != known:
            known, since = stamps, now
        self._beats[run] = known, since
        return now - since < HEARTBEAT_PATIENCE


def parse_launcher(launcher: str) -> list[str]:
    """Read a launcher's template.

    It is such as `sbatch --wrap {command}`, where the command is one word for a shell, or `srun {*command}`.
    """
    try:
        parts = shlex.split(launcher)
    except ValueError as error:
        raise UserError(f"The launcher {launcher[:80]!r} cannot be read: {error}.") from error
    if parts and not any("{command}" in part or part == "{*command}" for part in parts):
        raise UserError("The launcher needs {command} (one word for a shell) or {*command} where the command goes.")
    return parts


def fill_launcher(template: Sequence[str], command: Sequence[str]) -> list[str]:
    """Put the command into the launcher's template.

    No shell reads this; whoever gets {command} as a word may have one of its own, so it is quoted for it.
    """
    line = shlex.join(command)
    return [w for part in template for w in (command if part == "{*command}" else [part.replace("{command}", line)])]


def _read_ticket(run: Path) -> str:
    """Return its ticket, where it waits in the queue or at the launcher's."""
    return files.read_text_file(run / layout.QUEUED_FILE) or files.read_text_file(run / layout.GIVEN_FILE) or ""


def _read_stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _quote_last_words(run: Path, code: int) -> str:
    lines = files.read_last_bytes(run / layout.LOG_FILE, 4000).strip().splitlines()
    return f"exit code {code}" + (f", {lines[-1].strip()[:300]}" if lines else "") + "."
