"""Projections in a process of their own: what a compiler's runtime does there cannot end the server."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread, Timer
from typing import BinaryIO, Literal, cast

from latentlab.errors import UserError
from latentlab.knobs import to_json
from latentlab.projections.cache import Cache, assemble
from latentlab.projections.fitted import Fitted, Projection, checked
from latentlab.projections.frames import Message, receive, send
from latentlab.types import Flat

ROOT = Path(__file__).parents[2]
GRACE = 3.0  # seconds in which a cancelled fit must have stopped by itself
STAGES = {"neighbours": (0.0, 0.3), "compiling": (0.3, 0.4), "layout": (0.4, 1.0), "axes": (0.9, 1.0)}  # of the whole
State = Literal["waiting", "running", "finished", "failed", "cancelled"]


class Job:
    """One projection that somebody asked for; read it from any thread."""

    def __init__(self, points: Flat, tool: Projection, owner: Worker) -> None:
        self.points, self.tool = points, tool
        self.state: State = "waiting"
        self.stage, self.progress = "", 0.0
        self._owner, self._lock, self._over = owner, Lock(), Event()
        self._fitted: Fitted | None = None
        self._why = ""

    @property
    def done(self) -> bool:
        return self._over.is_set()

    def result(self, timeout: float | None = None) -> Fitted:
        """Waits for it; a UserError where it failed, was cancelled or is not there in so many seconds."""
        if not self._over.wait(timeout):
            raise UserError(f"The projection is not finished after {timeout:g} s; wait longer or cancel it.")
        if self._fitted is None:
            raise UserError(self._why)
        return self._fitted

    def cancel(self) -> None:
        """At once for who waits; the fit stops soon after. What has ended stays as it is."""
        if self.end("cancelled", why="The projection was cancelled; ask again for another."):
            self._owner.stop(self)

    def begin(self) -> bool:
        with self._lock:
            if not self.done:
                self.state = "running"
            return not self.done

    def told(self, stage: str, share: float) -> None:
        first, last = STAGES[stage]
        self.stage, self.progress = stage, max(self.progress, first + share * (last - first))

    def end(self, state: State, fitted: Fitted | None = None, why: str = "") -> bool:
        """False where it had ended before."""
        with self._lock:
            if self.done:
                return False
            self.state, self._fitted, self._why = state, fitted, why
            self.progress = 1.0 if fitted is not None else self.progress
            self._over.set()
            return True


class Worker:
    """A child process, started when it is first needed and kept warm; it fits one projection at a time, in order.

    It ends with this process, however this one ends. If it is killed, that job fails and the next starts a new one.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        self._cache = cache
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = Lock()  # of the four below
        self._child: subprocess.Popen[bytes] | None = None
        self._current: Job | None = None  # what the child was asked for
        self._thread: Thread | None = None
        self._closed = False
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def project(self, points: Flat, tool: Projection) -> Job:
        """Returns at once. The points must not be changed until the job is done."""
        job = Job(checked(points, least=1), tool, self)
        self._jobs.put(job)
        with self._lock:
            if self._closed:
                job.end("failed", why="The projections were closed; start LatentLab again.")
            elif self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._work, name="projections", daemon=True)
                self._thread.start()
        return job

    def close(self) -> None:
        """Ends the child; jobs that wait fail."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            child, thread = self._child, self._thread
            if child is not None:
                child.kill()
        self._jobs.put(None)
        if thread is not None:
            thread.join()

    def stop(self, job: Job) -> None:
        """Asks the child to leave this job; kills it where it does not in a few seconds."""
        with self._lock:
            if self._current is not job or self._child is None:
                return
            try:
                send(_pipe(self._child.stdin), {"ask": "cancel"})
            except BrokenPipeError:  # it has ended; whoever reads its answers notices
                return
        timer = Timer(GRACE, self._insist, (job,))
        timer.daemon = True
        timer.start()

    def _insist(self, job: Job) -> None:
        with self._lock:
            if self._current is job and self._child is not None:
                self._child.kill()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.begin():
                continue
            try:
                job.end("finished", self._known(job) or self._fit(job))
            except UserError as error:
                job.end("failed", why=str(error))
            finally:
                job.end("failed", why="The projection failed by a fault of LatentLab; its log says more.")
        self._reap()

    def _known(self, job: Job) -> Fitted | None:
        return self._cache.get(job.tool, job.points) if self._cache else None

    def _fit(self, job: Job) -> Fitted | None:
        try:
            self._ask(job)
            answer = self._answer(job)
        except BrokenPipeError:
            answer = None
        finally:
            with self._lock:
                self._current = None
        if answer is None:
            raise UserError(f"The process of the projections ended ({self._reap()}); ask again, a new one is started.")
        word, tensors = answer
        if word["end"] != "fitted":
            raise UserError(word.get("why", "The projection was cancelled; ask again for another."))
        fitted = assemble(job.tool, word["digest"], job.points, tensors)
        if self._cache:
            self._cache.put(fitted)
        return fitted

    def _ask(self, job: Job) -> None:
        word = {"ask": "fit", "method": type(job.tool).__name__.lower(), "knobs": to_json(job.tool)}
        with self._lock:
            if self._closed:
                raise UserError("The projections were closed; start LatentLab again.")
            if self._child is None or self._child.poll() is not None:
                self._child = _started()
            self._current = job
            send(_pipe(self._child.stdin), word, {"points": job.points})

    def _answer(self, job: Job) -> Message | None:
        assert self._child is not None
        while (message := receive(_pipe(self._child.stdout))) is not None:
            word, _ = message
            if "end" in word:
                return message
            job.told(word["stage"], word["share"])
        return None

    def _reap(self) -> str:
        """How the child ended, in words."""
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return "not started"
        child.kill()  # it has closed its end, or shall
        code = child.wait()
        for pipe in (child.stdin, child.stdout):
            _pipe(pipe).close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _started() -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches it through us; it ends when our end of the pipe is closed."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "latentlab.projections.serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def _pipe(pipe: object) -> BinaryIO:
    return cast(BinaryIO, pipe)
