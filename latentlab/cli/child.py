"""A process whose story others read: its flags, its last word, and what a signal does to it."""

from __future__ import annotations

import argparse
import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli.torchrun import speaks
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.store import Store
    from latentlab.training import Event
    from latentlab.training.directory import Directory

Asked = Callable[[], str]


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoints", default="checkpoints", metavar="DIR", help="folder of the networks")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of runs whose classifiers are networks too")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")


def store(args: argparse.Namespace) -> Store:
    from latentlab.fit import parallel
    from latentlab.store import Store

    runs = args.runs or (args.folder.parent if args.folder else "runs")
    return Store(args.checkpoints, parallel.device(args.device), runs=runs)


def follow(directory: Directory, begin: Callable[[Asked], Iterator[Event]], show: Callable[[Event], None]) -> int:
    """Every event into the directory; the exit code. Whatever ends it, its cause is the last line.

    A signal to end keeps the state and leaves no last line: the run was interrupted and can be gone on from.
    """
    import torch

    step, first = 0, speaks()
    with _signals() as caught:
        try:
            for event in begin(lambda: "interrupt" if caught else directory.asked()):
                step = event["step"]
                if first:
                    _keep(directory, event)
                    show(event)
        except (UserError, MemoryError, OSError, RuntimeError, ValueError) as error:
            alone = os.environ.get("WORLD_SIZE", "1") == "1"
            if first and (alone or isinstance(error, UserError | torch.OutOfMemoryError)):
                said = {"event": "end", "step": step, "seconds": 0.0, "state": "failed", "cause": cause(error)}
                directory.end(said)
            if isinstance(error, RuntimeError | ValueError) and not memory(error):
                raise
            raise UserError(cause(error)) from error
    return 128 + caught[0] if caught else 0


def _keep(directory: Directory, event: Event) -> None:
    if event["event"] == "begin":
        directory.take_back(event["step"])
    (directory.end if event["event"] == "end" else directory.tell)(event)


def memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def cause(error: BaseException) -> str:
    """One sentence."""
    if isinstance(error, UserError):
        return str(error)
    if memory(error):
        return "Out of memory; the last good state is kept. Take a smaller batch or a smaller network."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full; the last good state is kept. Make room and resume the run."
    return f"It broke off: {type(error).__name__}, {(str(error).splitlines() or ['no word'])[0][:200]}."


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals to end that came, instead of an end in the middle of an update."""
    caught: list[int] = []

    def note(number: int, frame: Any) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
