"""Work that takes longer than a moment: it runs in the background, piece by piece, watched and cancelled by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Event, Lock, Semaphore, Thread
from typing import Any, Literal

from latentlab.errors import UserError

JOBS_AT_ONCE = 4  # others wait their turn
MAX_OPEN_JOBS = 24  # beyond it a visitor is asked to wait
JobState = Literal["waiting", "running", "finished", "failed", "cancelled"]


class JobCancelledError(UserError):
    """A `JobCancelledError` is raised inside of a job that nobody wants any more."""


class Job:
    """One piece of long work; read it from any thread. `early` is what can be shown before the end."""

    def __init__(self, work: Callable[[Job], Any]) -> None:
        self.state: JobState = "waiting"
        self.stage, self.share = "", 0.0
        self.early: Any = None
        self.value: Any = None
        self.why = ""
        self._work, self._unwanted, self._over = work, Event(), Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def report_progress(self, stage: str, share: float) -> None:
        """Note how far the work is, which calls this after each piece; end it where nobody wants it any more."""
        if self._unwanted.is_set():
            raise JobCancelledError("This was cancelled; ask again for another.")
        self.stage, self.share = stage, share

    def cancel(self) -> None:
        """Stop the work after the piece that it is at."""
        self._unwanted.set()

    def wait_for_value(self, seconds: float | None = None) -> Any:
        """Return its value; raise a UserError where it failed, was cancelled or takes longer."""
        if not self._over.wait(seconds):
            raise UserError(f"This is not finished after {seconds:g} s; wait longer or cancel it.")
        if self.state != "finished":
            raise UserError(self.why)
        return self.value

    def run_work(self) -> None:
        """Do the work and keep its value, or why there is none."""
        state: JobState = "failed"
        self.why = "This failed by a fault of LatentLab; its log says more."
        try:
            self.report_progress("", 0.0)
            self.state = "running"
            self.value = self._work(self)
            state, self.why = "finished", ""
        except JobCancelledError as error:
            state, self.why = "cancelled", str(error)
        except UserError as error:
            self.why = str(error)
        finally:
            self.state = state
            self._over.set()


class JobPool:
    """A `JobPool` holds the jobs of all visitors by what they compute, so that nothing is computed twice.

    The oldest are forgotten.
    """

    def __init__(self, keep: int) -> None:
        self._keep, self._lock = keep, Lock()
        self._room = Semaphore(JOBS_AT_ONCE)
        self._known: OrderedDict[Hashable, Job] = OrderedDict()

    def request_job(self, key: Hashable, work: Callable[[Job], Any], again: bool = False) -> Job:
        """Return the job of this key, started if it is not known; with `again` also if it failed or was cancelled."""
        with self._lock:
            known = self._known.get(key)
            if known is None or (again and known.state in ("failed", "cancelled")):
                if sum(not job.is_over for job in self._known.values()) >= MAX_OPEN_JOBS:
                    raise UserError("Too much is being computed; wait until some of it is finished.")
                known = self._known[key] = Job(work)
                Thread(target=self._run_in_turn, args=(known,), name="chore", daemon=True).start()
            self._known.move_to_end(key)
            self._forget_oldest()
            return known

    def _run_in_turn(self, job: Job) -> None:
        with self._room:
            job.run_work()

    def _forget_oldest(self) -> None:
        done = [key for key, job in self._known.items() if job.is_over]
        for key in done[: max(0, len(self._known) - self._keep)]:
            del self._known[key]

    def find_job(self, key: Hashable) -> Job | None:
        with self._lock:
            return self._known.get(key)
