"""A directory of runs, as the server sees it; each call says who asks."""

from __future__ import annotations

import builtins
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from latentlab.errors import UserError
from latentlab.runs import files, layout, process
from latentlab.runs.files import EventTail
from latentlab.runs.limits import Limits, check_name
from latentlab.runs.owner import derive_owner, is_same_owner
from latentlab.runs.run import NO_LAST_WORD, Run, read_child, read_queue_place, read_run
from latentlab.runs.supervisor import Supervisor

RUN_PROGRAM = (sys.executable, "-m", "latentlab")
RUNS_AT_ONCE, LAUNCHED_RUNS_AT_ONCE = 1, 4
TICK_SECONDS = 1.0  # seconds
NO_RUNS_HERE = (
    "Runs are not started on this system: a server that ends must not leave a process that nobody knows, and that "
    "needs the locks of Linux or macOS. `latentlab train` trains here without a page; WSL has all of it."
)


class Runs:
    """A directory of runs: one sees and changes one's own; those without an owner, made by hand, are seen by all.

    `limit` run at once. `launcher` is a template that starts them elsewhere, on machines that share this folder.
    """

    def __init__(
        self,
        folder: str | Path = "runs",
        limit: int | None = None,
        launcher: str = "",
        limits: Limits = Limits(),  # noqa: B008 - frozen
        program: Sequence[str] = RUN_PROGRAM,
        flags: Sequence[str] = (),
    ) -> None:
        if not files.can_lock_folders():
            raise UserError(NO_RUNS_HERE)
        self.path, self.limits = Path(folder).resolve(), limits
        self._limit = limit or (LAUNCHED_RUNS_AT_ONCE if launcher else RUNS_AT_ONCE)
        self._supervisor = Supervisor(program, flags, launcher, self._limit)
        self._closed = Event()
        self.taken = 0  # threads of the runs that compute on this machine, as last looked
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"The folder of runs {folder} cannot be made: {error.strerror}; choose another.") from error
        with files.lock_folder(self.path):
            for remains in self._list_remains():
                shutil.rmtree(remains, ignore_errors=True)

    def list_runs(self, token: str | None) -> builtins.list[Run]:
        """Return the runs that may be seen, newest first."""
        owner = derive_owner(token)
        self._advance_queue()
        return [run for run in self._list_all(owner) if run.mine or not run.owner]

    def find_run(self, id: str, token: str | None) -> Run:
        owner = derive_owner(token)
        self._advance_queue()
        return self._require_visible(id, owner)

    def submit_run(self, verb: str, config: Mapping[str, Any], name: str, token: str | None) -> Run:
        """Put a new run into the queue, and start it at once where there is room."""
        owner = derive_owner(token)
        told = layout.make_config_record(verb, check_name(name), owner, self.limits.check_config(verb, config))
        with self._hold_lock():
            self._require_room(owner, new=True)
            id = layout.make_run_id()
            made = self.path / f"{layout.NEW_PREFIX}{id}"
            made.mkdir()
            files.write_atomically(made / layout.CONFIG_FILE, json.dumps(told))
            files.write_atomically(made / layout.QUEUED_FILE, self._make_ticket())
            made.rename(self.path / id)
        self._advance_queue()
        return self._require_visible(id, owner)

    def stop_run(self, id: str, token: str | None, save: bool = False) -> Run:
        """Take the run out of the queue; or ask it to stop, and with `save` to ship what it has learned so far."""
        owner = derive_owner(token)
        with self._hold_lock():
            run, path = self._require_own(id, owner), self.path / id
            if run.state == "queued":
                (path / layout.QUEUED_FILE).unlink(missing_ok=True)
                (path / layout.GIVEN_FILE).unlink(missing_ok=True)
            elif run.state == "running":
                self._supervisor.send_request(path, "save" if save else "stop")
        return self.find_run(id, token)

    def resume_run(self, id: str, token: str | None) -> Run:
        """Put the run into the queue again, to go on from the last saved state."""
        owner = derive_owner(token)
        with self._hold_lock():
            run = self._require_own(id, owner)
            if not run.is_resumable:
                raise UserError(f"This run is {run.state}; only one that was stopped, interrupted or failed can go on.")
            self._require_room(owner, new=False)
            files.write_atomically(self.path / id / layout.QUEUED_FILE, self._make_ticket())
        return self.find_run(id, token)

    def delete_run(self, id: str, token: str | None) -> None:
        """Delete the run: it is gone at once under its name, then file by file."""
        owner = derive_owner(token)
        with self._hold_lock():
            if self._require_own(id, owner).state == "running":
                raise UserError("This run is still running; stop it first.")
            gone = self.path / f"{layout.GONE_PREFIX}{layout.make_run_id()}"
            (self.path / id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def read_events(self, id: str, token: str | None, after: str = "") -> EventTail:
        """Return the whole lines behind the cursor of the last look."""
        return files.read_events(self.find_folder(id, token) / layout.EVENTS_FILE, str(after))

    def read_log(self, id: str, token: str | None, size: int = 8000) -> str:
        return files.read_last_bytes(self.find_folder(id, token) / layout.LOG_FILE, size)

    def find_folder(self, id: str, token: str | None) -> Path:
        self._require_visible(id, derive_owner(token))
        return self.path / id

    def start_watching(self) -> None:
        """Start runs and look after them from now on also while nobody asks."""
        Thread(target=self._watch_queue, name="runs", daemon=True).start()

    def stop_watching(self) -> None:
        """Look after the runs no longer; they themselves go on."""
        self._closed.set()

    def _watch_queue(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            try:
                self._advance_queue()
            except (OSError, UserError) as error:  # a full disk or a lost mount: say so, and look again
                print(f"latentlab: runs in {self.path}: {error}", file=sys.stderr)

    def _advance_queue(self) -> None:
        """Do whatever has become possible; nothing while another process decides, for that one does the same."""
        self._supervisor.reap_children()
        with suppress(files.BusyError), files.lock_folder(self.path, patience=0) as lock:
            runs = self._list_all("")
            busy = [run for run in runs if run.state == "running" or (run.state == "queued" and not run.position)]
            running = {self.path / run.id: read_child(self.path / run.id) for run in busy if run.state == "running"}
            here = {
                path: child
                for path, child in running.items()
                if child is not None and process.is_on_this_machine(child)
            }
            self.taken = len(here) * process.count_run_threads(self._limit)
            self._supervisor.tend_runs(here, self.limits.minutes)
            waiting = sorted((run for run in runs if run.position), key=lambda run: run.position)
            if waiting and len(busy) < self._limit:
                self._supervisor.start_run(self.path / waiting[0].id, waiting[0].verb, lock)

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        self._supervisor.reap_children()
        try:
            with files.lock_folder(self.path):
                yield
        except OSError as error:
            raise UserError(
                f"The folder of runs cannot be written: {error.strerror}. Make room and try again."
            ) from error

    def _list_all(self, owner: str) -> builtins.list[Run]:
        queue = self._list_queue()
        return [
            run
            for name in sorted(self._list_names(), reverse=True)
            if (run := self._read_one(name, owner, queue)) is not None
        ]

    def _read_one(self, id: str, owner: str, queue: builtins.list[str]) -> Run | None:
        path = self.path / id
        if not layout.RUN_ID_PATTERN.fullmatch(id) or path.is_symlink() or not path.is_dir():
            return None
        run = read_run(path, queue, self._supervisor)
        if run is not None and run.cause == NO_LAST_WORD:  # it may have ended since its exit code was last asked for
            self._supervisor.reap_children()
            run = read_run(path, queue, self._supervisor)
        if run is None:
            return None
        if run.is_resumable and (said := self._supervisor.recall_ending(path)):
            run = replace(run, state=said[0], cause=said[1])
        return replace(run, mine=bool(run.owner) and is_same_owner(run.owner, owner))

    def _require_visible(self, id: str, owner: str) -> Run:
        run = self._read_one(id, owner, self._list_queue()) if isinstance(id, str) else None
        if run is None or not (run.mine or not run.owner):
            raise UserError(f"There is no run {str(id)[:40]!r} of yours here.")
        return run

    def _require_own(self, id: str, owner: str) -> Run:
        run = self._require_visible(id, owner)
        if not run.mine:
            raise UserError("This run was started by hand; whoever started it ends it.")
        return run

    def _list_queue(self) -> builtins.list[str]:
        tickets = {name: read_queue_place(self.path / name) for name in self._list_names()}
        return [name for _, name in sorted((place, name) for name, place in tickets.items() if place is not None)]

    def _list_remains(self) -> builtins.list[Path]:
        """List what was being made or deleted when a server was killed."""
        return [path for prefix in (layout.NEW_PREFIX, layout.GONE_PREFIX) for path in self.path.glob(f"{prefix}*")]

    def _list_names(self) -> builtins.list[str]:
        try:
            return [name for name in os.listdir(self.path) if layout.RUN_ID_PATTERN.fullmatch(name)]
        except OSError as error:
            raise UserError(f"The folder of runs {self.path} cannot be read: {error.strerror}.") from error

    def _make_ticket(self) -> str:
        """Return a number larger than all that wait, for no clock can be trusted.

        It bears a mark that no other ticket bears.
        """
        last = max((read_queue_place(self.path / name) or 0 for name in self._list_queue()), default=0)
        return f"{last + 1} {secrets.token_hex(4)}"

    def _require_room(self, owner: str, new: bool) -> None:
        mine = [run for run in self._list_all(owner) if run.mine]
        if sum(run.state == "queued" for run in mine) >= self.limits.waiting:
            raise UserError(f"{self.limits.waiting} of your runs are waiting already; take one out of the queue first.")
        if new and len(mine) >= self.limits.kept:
            raise UserError(f"You have {self.limits.kept} runs here; delete some first.")
