"""The worker's own process: `python -m latentlab.projections.serve`. Numba lives here and nowhere else.

It fits one projection after the other, says how far it is, and ends with the process that started it.
"""

from __future__ import annotations

import os
import sys
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, BinaryIO

from torch import Tensor

from latentlab.errors import UserError
from latentlab.knobs import tool_from_json
from latentlab.projections import PROJECTIONS
from latentlab.projections.cache import extract_tensors
from latentlab.projections.frames import receive_message, send_message

SMALLEST_SHARE = 0.01  # of a stage: smaller progress is not told


class FitCancelledError(Exception):
    """The owner no longer wants it."""


class ProgressTeller:
    """It tells the owner how far the fit is, and stops the fit where he has cancelled."""

    def __init__(self, pipe: BinaryIO, cancelled: Event) -> None:
        self._pipe, self._cancelled, self._last = pipe, cancelled, ("", 0.0)

    def __call__(self, stage: str, share: float) -> None:
        if self._cancelled.is_set():
            raise FitCancelledError
        before, told = self._last
        if stage != before or share >= told + SMALLEST_SHARE:
            self._last = stage, share
            send_message(self._pipe, {"stage": stage, "share": share})


def listen_to_owner(pipe: BinaryIO, wanted: SimpleQueue[tuple[dict[str, Any], Tensor]], cancelled: Event) -> None:
    """Read the owner's messages until he has gone, killed or not: the system closes his end of the pipe."""
    while (message := receive_message(pipe)) is not None:
        word, tensors = message
        if word["ask"] == "cancel":
            cancelled.set()
        else:
            cancelled.clear()  # the owner asks again only when he has his answer
            wanted.put((word, tensors["points"]))
    os._exit(0)  # a fit that runs has nobody to report to


def serve_fits(pipe: BinaryIO, wanted: SimpleQueue[tuple[dict[str, Any], Tensor]], cancelled: Event) -> None:
    while True:
        word, points = wanted.get()
        try:
            tool = tool_from_json(PROJECTIONS[word["method"]], word["knobs"])
            fitted = tool.fit(points, ProgressTeller(pipe, cancelled))
        except FitCancelledError:
            send_message(pipe, {"end": "cancelled"})
        except UserError as error:
            send_message(pipe, {"end": "refused", "why": str(error)})
        else:
            send_message(pipe, {"end": "fitted", "digest": fitted.digest}, extract_tensors(fitted))


def run_worker_process() -> None:
    """Serve on stdin and stdout. What libraries print goes to stderr: stdout belongs to the messages."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    wanted: SimpleQueue[tuple[dict[str, Any], Tensor]] = SimpleQueue()
    cancelled = Event()
    Thread(target=listen_to_owner, args=(sys.stdin.buffer, wanted, cancelled), daemon=True).start()
    serve_fits(answers, wanted, cancelled)


if __name__ == "__main__":
    run_worker_process()
