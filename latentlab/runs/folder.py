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
from latentlab.runs import files, process
from latentlab.runs.crew import Crew
from latentlab.runs.files import Tail
from latentlab.runs.limits import Limits, checked_name
from latentlab.runs.owner import owner_of, same
from latentlab.runs.run import NO_WORD, Run, child_of, read, ticket

PROGRAM = (sys.executable, "-m", "latentlab")
AT_ONCE, LAUNCHED_AT_ONCE = 1, 4
TICK = 1.0  # seconds


class Runs:
    """One sees and changes one's own; those without an owner, made by hand, are seen by all.

    `limit` run at once. `launcher` is a template that starts them elsewhere, on machines that share this folder.
    """

    def __init__(
        self,
        folder: str | Path = "runs",
        limit: int | None = None,
        launcher: str = "",
        limits: Limits = Limits(),  # noqa: B008 - frozen
        program: Sequence[str] = PROGRAM,
        flags: Sequence[str] = (),
    ) -> None:
        self.path, self.limits = Path(folder).resolve(), limits
        self._limit = limit or (LAUNCHED_AT_ONCE if launcher else AT_ONCE)
        self._crew = Crew(program, flags, launcher, self._limit)
        self._closed = Event()
        self.taken = 0  # threads of the runs that compute on this machine, as last looked
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"The folder of runs {folder} cannot be made: {error.strerror}; choose another.") from error
        with files.locked(self.path):
            for remains in (*self.path.glob(".new-*"), *self.path.glob(".gone-*")):
                shutil.rmtree(remains, ignore_errors=True)

    def list(self, token: str | None) -> builtins.list[Run]:
        """Newest first."""
        owner = owner_of(token)
        self._advance()
        return [run for run in self._all(owner) if run.mine or not run.owner]

    def get(self, id: str, token: str | None) -> Run:
        owner = owner_of(token)
        self._advance()
        return self._seen(id, owner)

    def start(self, verb: str, config: Mapping[str, Any], name: str, token: str | None) -> Run:
        """Into the queue, and out of it at once where there is room."""
        owner = owner_of(token)
        told = {"verb": verb, "name": checked_name(name), "owner": owner, "config": self.limits.check(verb, config)}
        with self._deciding():
            self._room(owner, new=True)
            id = files.new_id()
            made = self.path / f".new-{id}"
            made.mkdir()
            files.write(made / files.CONFIG, json.dumps(told))
            files.write(made / files.QUEUED, self._next_ticket())
            made.rename(self.path / id)
        self._advance()
        return self._seen(id, owner)

    def stop(self, id: str, token: str | None, save: bool = False) -> Run:
        """Out of the queue; or asked to stop, and with `save` to ship what it has learned so far."""
        owner = owner_of(token)
        with self._deciding():
            run, path = self._own(id, owner), self.path / id
            if run.state == "queued":
                (path / files.QUEUED).unlink(missing_ok=True)
                (path / files.GIVEN).unlink(missing_ok=True)
            elif run.state == "running":
                self._crew.ask(path, "save" if save else "stop")
        return self.get(id, token)

    def resume(self, id: str, token: str | None) -> Run:
        """Into the queue again, to go on from the last saved state."""
        owner = owner_of(token)
        with self._deciding():
            run = self._own(id, owner)
            if not run.resumable:
                raise UserError(f"This run is {run.state}; only one that was stopped, interrupted or failed can go on.")
            self._room(owner, new=False)
            files.write(self.path / id / files.QUEUED, self._next_ticket())
        return self.get(id, token)

    def delete(self, id: str, token: str | None) -> None:
        """Gone at once under its name, then file by file."""
        owner = owner_of(token)
        with self._deciding():
            if self._own(id, owner).state == "running":
                raise UserError("This run is still running; stop it first.")
            gone = self.path / f".gone-{files.new_id()}"
            (self.path / id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def events(self, id: str, token: str | None, after: str = "") -> Tail:
        """The whole lines behind the cursor of the last look."""
        return files.events(self.folder(id, token) / files.EVENTS, str(after))

    def log(self, id: str, token: str | None, size: int = 8000) -> str:
        return files.last_bytes(self.folder(id, token) / files.LOG, size)

    def folder(self, id: str, token: str | None) -> Path:
        self._seen(id, owner_of(token))
        return self.path / id

    def watch(self) -> None:
        """From now on runs are started and looked after also while nobody asks."""
        Thread(target=self._watch, name="runs", daemon=True).start()

    def close(self) -> None:
        """No longer; the runs themselves go on."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(TICK):
            try:
                self._advance()
            except (OSError, UserError) as error:  # a full disk or a lost mount: say so, and look again
                print(f"latentlab: runs in {self.path}: {error}", file=sys.stderr)

    def _advance(self) -> None:
        """Whatever has become possible; nothing while another process decides, for that one does the same."""
        self._crew.reap()
        with suppress(files.BusyError), files.locked(self.path, patience=0) as lock:
            runs = self._all("")
            busy = [run for run in runs if run.state == "running" or (run.state == "queued" and not run.position)]
            running = {self.path / run.id: child_of(self.path / run.id) for run in busy if run.state == "running"}
            here = {path: child for path, child in running.items() if child is not None and process.is_here(child)}
            self.taken = len(here) * process.threads(self._limit)
            self._crew.tend(here, self.limits.minutes)
            waiting = sorted((run for run in runs if run.position), key=lambda run: run.position)
            if waiting and len(busy) < self._limit:
                self._crew.start(self.path / waiting[0].id, waiting[0].verb, lock)

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        self._crew.reap()
        try:
            with files.locked(self.path):
                yield
        except OSError as error:
            raise UserError(
                f"The folder of runs cannot be written: {error.strerror}. Make room and try again."
            ) from error

    def _all(self, owner: str) -> builtins.list[Run]:
        queue = self._queue()
        return [
            run for name in sorted(self._names(), reverse=True) if (run := self._read(name, owner, queue)) is not None
        ]

    def _read(self, id: str, owner: str, queue: builtins.list[str]) -> Run | None:
        path = self.path / id
        if not files.ID.fullmatch(id) or path.is_symlink() or not path.is_dir():
            return None
        run = read(path, queue, self._crew)
        if run is not None and run.cause == NO_WORD:  # it may have ended since its exit code was last asked for
            self._crew.reap()
            run = read(path, queue, self._crew)
        if run is None:
            return None
        if run.resumable and (said := self._crew.said(path)):
            run = replace(run, state=said[0], cause=said[1])
        return replace(run, mine=bool(run.owner) and same(run.owner, owner))

    def _seen(self, id: str, owner: str) -> Run:
        run = self._read(id, owner, self._queue()) if isinstance(id, str) else None
        if run is None or not (run.mine or not run.owner):
            raise UserError(f"There is no run {str(id)[:40]!r} of yours here.")
        return run

    def _own(self, id: str, owner: str) -> Run:
        run = self._seen(id, owner)
        if not run.mine:
            raise UserError("This run was started by hand; whoever started it ends it.")
        return run

    def _queue(self) -> builtins.list[str]:
        tickets = {name: ticket(self.path / name) for name in self._names()}
        return [name for _, name in sorted((place, name) for name, place in tickets.items() if place is not None)]

    def _names(self) -> builtins.list[str]:
        try:
            return [name for name in os.listdir(self.path) if files.ID.fullmatch(name)]
        except OSError as error:
            raise UserError(f"The folder of runs {self.path} cannot be read: {error.strerror}.") from error

    def _next_ticket(self) -> str:
        """A number larger than all that wait, for no clock can be trusted; and a mark that no other ticket bears."""
        last = max((ticket(self.path / name) or 0 for name in self._queue()), default=0)
        return f"{last + 1} {secrets.token_hex(4)}"

    def _room(self, owner: str, new: bool) -> None:
        mine = [run for run in self._all(owner) if run.mine]
        if sum(run.state == "queued" for run in mine) >= self.limits.waiting:
            raise UserError(f"{self.limits.waiting} of your runs are waiting already; take one out of the queue first.")
        if new and len(mine) >= self.limits.kept:
            raise UserError(f"You have {self.limits.kept} runs here; delete some first.")
