"""Work that takes longer than a moment: in the background, piece by piece, watched and cancelled by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Event, Lock, Semaphore, Thread
from typing import Any, Literal

from latentlab.errors import UserError

AT_ONCE = 4  # others wait their turn
WAITING = 24  # beyond it a visitor is asked to wait
State = Literal["waiting", "running", "finished", "failed", "cancelled"]


class CancelledError(UserError):
    """Raised inside of a chore that nobody wants any more."""


class Chore:
    """One piece of long work; read it from any thread. `early` is what can be shown before the end."""

    def __init__(self, work: Callable[[Chore], Any]) -> None:
        self.state: State = "waiting"
        self.stage, self.share = "", 0.0
        self.early: Any = None
        self.value: Any = None
        self.why = ""
        self._work, self._unwanted, self._over = work, Event(), Event()

    @property
    def done(self) -> bool:
        return self._over.is_set()

    def told(self, stage: str, share: float) -> None:
        """Called by the work after each piece."""
        if self._unwanted.is_set():
            raise CancelledError("This was cancelled; ask again for another.")
        self.stage, self.share = stage, share

    def cancel(self) -> None:
        """The work stops after the piece that it is at."""
        self._unwanted.set()

    def wait(self, seconds: float | None = None) -> Any:
        """Its value; a UserError where it failed, was cancelled or takes longer."""
        if not self._over.wait(seconds):
            raise UserError(f"This is not finished after {seconds:g} s; wait longer or cancel it.")
        if self.state != "finished":
            raise UserError(self.why)
        return self.value

    def run(self) -> None:
        state: State = "failed"
        self.why = "This failed by a fault of LatentLab; its log says more."
        try:
            self.told("", 0.0)
            self.state = "running"
            self.value = self._work(self)
            state, self.why = "finished", ""
        except CancelledError as error:
            state, self.why = "cancelled", str(error)
        except UserError as error:
            self.why = str(error)
        finally:
            self.state = state
            self._over.set()


class Chores:
    """The chores of all visitors by what they compute, so that nothing is computed twice; the oldest are forgotten."""

    def __init__(self, keep: int) -> None:
        self._keep, self._lock = keep, Lock()
        self._room = Semaphore(AT_ONCE)
        self._known: OrderedDict[Hashable, Chore] = OrderedDict()

    def ask(self, key: Hashable, work: Callable[[Chore], Any], again: bool = False) -> Chore:
        """The chore of this key, started if it is not known; `again`: also where it had failed or was cancelled."""
        with self._lock:
            known = self._known.get(key)
            if known is None or (again and known.state in ("failed", "cancelled")):
                if sum(not chore.done for chore in self._known.values()) >= WAITING:
                    raise UserError("Too much is being computed; wait until some of it is finished.")
                known = self._known[key] = Chore(work)
                Thread(target=self._run, args=(known,), name="chore", daemon=True).start()
            self._known.move_to_end(key)
            self._forget()
            return known

    def _run(self, chore: Chore) -> None:
        with self._room:
            chore.run()

    def _forget(self) -> None:
        done = [key for key, chore in self._known.items() if chore.done]
        for key in done[: max(0, len(self._known) - self._keep)]:
            del self._known[key]

    def find(self, key: Hashable) -> Chore | None:
        with self._lock:
            return self._known.get(key)
