"""Projections run in a process of their own: what a compiler's runtime does there cannot end the server."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from queue import SimpleQueue
from threading import Event, Lock, Thread, Timer
from typing import BinaryIO, Literal, cast

from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.projections.cache import ProjectionCache, assemble_projection
from latentlab.projections.fitted import FittedProjection, Projection, check_points
from latentlab.projections.frames import PipeMessage, receive_message, send_message
from latentlab.resources import make_import_path
from latentlab.types import Flat

CANCEL_GRACE = 3.0  # seconds in which a cancelled fit must have stopped by itself
STAGE_SPANS = {
    "neighbours": (0.0, 0.3),
    "compiling": (0.3, 0.4),
    "layout": (0.4, 1.0),
    "axes": (0.9, 1.0),
}  # of the whole
ProjectionState = Literal["waiting", "running", "finished", "failed", "cancelled"]


class ProjectionJob:
    """One projection that somebody asked for; read it from any thread."""

    def __init__(self, points: Flat, tool: Projection, owner: ProjectionWorker) -> None:
        self.points, self.tool = points, tool
        self.state: ProjectionState = "waiting"
        self.stage, self.progress = "", 0.0
        self._owner, self._lock, self._over = owner, Lock(), Event()
        self._fitted: FittedProjection | None = None
        self._why = ""

    @property
    def is_done(self) -> bool:
        return self._over.is_set()

    def await_result(self, timeout: float | None = None) -> FittedProjection:
        """Wait for the projection; raise UserError where it failed, was cancelled or is not there in `timeout` s."""
        if not self._over.wait(timeout):
            raise UserError(f"The projection is not finished after {timeout:g} s; wait longer or cancel it.")
        if self._fitted is None:
            raise UserError(self._why)
        return self._fitted

    def cancel(self) -> None:
        """Cancel the job, at once for who waits; the fit stops soon after. What has ended stays as it is."""
        if self.end_as("cancelled", why="The projection was cancelled; ask again for another."):
            self._owner.stop_job(self)

    def try_begin(self) -> bool:
        with self._lock:
            if not self.is_done:
                self.state = "running"
            return not self.is_done

    def record_progress(self, stage: str, share: float) -> None:
        first, last = STAGE_SPANS[stage]
        self.stage, self.progress = stage, max(self.progress, first + share * (last - first))

    def end_as(self, state: ProjectionState, fitted: FittedProjection | None = None, why: str = "") -> bool:
        """End the job in this state; return False where it had ended before."""
        with self._lock:
            if self.is_done:
                return False
            self.state, self._fitted, self._why = state, fitted, why
            self.progress = 1.0 if fitted is not None else self.progress
            self._over.set()
            return True


class ProjectionWorker:
    """A child process, started when it is first needed and kept warm; it fits one projection at a time, in order.

    It ends with this process, however this one ends. If it is killed, that job fails and the next starts a new one.
    """

    def __init__(self, cache: ProjectionCache | None = None) -> None:
        self._cache = cache
        self._jobs: SimpleQueue[ProjectionJob | None] = SimpleQueue()
        self._lock = Lock()  # of the four below
        self._child: subprocess.Popen[bytes] | None = None
        self._current: ProjectionJob | None = None  # what the child was asked for
        self._thread: Thread | None = None
        self._closed = False
        atexit.register(self.close)

    @property
    def child_pid(self) -> int | None:
        """Return the process id of the child, while there is one."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def request_projection(self, points: Flat, tool: Projection) -> ProjectionJob:
        """Ask for a projection and return at once. The points must not be changed until the job is done."""
        job = ProjectionJob(check_points(points, least=1), tool, self)
        self._jobs.put(job)
        with self._lock:
            if self._closed:
                job.end_as("failed", why="The projections were closed; start LatentLab again.")
            elif self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run_jobs, name="projections", daemon=True)
                self._thread.start()
        return job

    def close(self) -> None:
        """End the child; jobs that wait fail."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            child, thread = self._child, self._thread
            if child is not None:
                child.kill()
        self._jobs.put(None)
        if thread is not None:
            thread.join()

    def stop_job(self, job: ProjectionJob) -> None:
        """Ask the child to leave this job; kill it where it does not in a few seconds."""
        with self._lock:
            if self._current is not job or self._child is None:
                return
            try:
                send_message(_cast_pipe(self._child.stdin), {"ask": "cancel"})
            except BrokenPipeError:  # it has ended; whoever reads its answers notices
                return
        timer = Timer(CANCEL_GRACE, self._kill_if_busy, (job,))
        timer.daemon = True
        timer.start()

    def _kill_if_busy(self, job: ProjectionJob) -> None:
        with self._lock:
            if self._current is job and self._child is not None:
                self._child.kill()

    def _run_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.try_begin():
                continue
            try:
                job.end_as("finished", self._read_cached(job) or self._fit_in_child(job))
            except UserError as error:
                job.end_as("failed", why=str(error))
            finally:
                job.end_as("failed", why="The projection failed by a fault of LatentLab; its log says more.")
        self._end_child()

    def _read_cached(self, job: ProjectionJob) -> FittedProjection | None:
        return self._cache.read_fitted(job.tool, job.points) if self._cache else None

    def _fit_in_child(self, job: ProjectionJob) -> FittedProjection | None:
        try:
            self._send_request(job)
            answer = self._receive_answer(job)
        except BrokenPipeError:
            answer = None
        finally:
            with self._lock:
                self._current = None
        if answer is None:
            raise UserError(
                f"The process of the projections ended ({self._end_child()}); ask again, a new one is started."
            )
        word, tensors = answer
        if word["end"] != "fitted":
            raise UserError(word.get("why", "The projection was cancelled; ask again for another."))
        fitted = assemble_projection(job.tool, word["digest"], job.points, tensors)
        if self._cache:
            self._cache.write_fitted(fitted)
        return fitted

    def _send_request(self, job: ProjectionJob) -> None:
        word = {"ask": "fit", "method": type(job.tool).__name__.lower(), "knobs": tool_to_json(job.tool)}
        with self._lock:
            if self._closed:
                raise UserError("The projections were closed; start LatentLab again.")
            if self._child is None or self._child.poll() is not None:
                self._child = _start_child()
            self._current = job
            send_message(_cast_pipe(self._child.stdin), word, {"points": job.points})

    def _receive_answer(self, job: ProjectionJob) -> PipeMessage | None:
        assert self._child is not None
        while (message := receive_message(_cast_pipe(self._child.stdout))) is not None:
            word, _ = message
            if "end" in word:
                return message
            job.record_progress(word["stage"], word["share"])
        return None

    def _end_child(self) -> str:
        """End the child and say in words how it ended."""
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return "not started"
        child.kill()  # it has closed its end, or shall
        code = child.wait()
        for pipe in (child.stdin, child.stdout):
            _cast_pipe(pipe).close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _start_child() -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, so that Ctrl-C reaches it through us; it ends when our end of the pipe
    is closed.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "latentlab.projections.serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": make_import_path()},
        start_new_session=True,
    )


def _cast_pipe(pipe: object) -> BinaryIO:
    return cast(BinaryIO, pipe)
