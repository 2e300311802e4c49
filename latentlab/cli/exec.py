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

from latentlab.cli.network_flags import add_network_flags
from latentlab.cli.torchrun import is_first_process
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.runs.writer import RunDirectory
    from latentlab.store import Store
    from latentlab.training.augmented import RunEvent

RequestReader = Callable[[], str]


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    add_network_flags(parser)
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of runs whose classifiers are networks too")


def open_store(args: argparse.Namespace) -> Store:
    from latentlab.store import Store
    from latentlab.training import distributed

    runs = args.runs or (args.folder.parent if args.folder else "runs")
    return Store(args.checkpoints, distributed.choose_device(args.device), runs=runs)


def follow_run(
    directory: RunDirectory, begin: Callable[[RequestReader], Iterator[RunEvent]], show: Callable[[RunEvent], None]
) -> int:
    """Write every event into the directory and return the exit code. Whatever ends it, its cause is the last line.

    A signal to end keeps the state and leaves no last line: the run was interrupted and can be gone on from.
    """
    import torch

    step, first = 0, is_first_process()
    with _catch_signals() as caught:
        try:
            for event in begin(lambda: "interrupt" if caught else directory.read_request()):
                step = event["step"]
                if first:
                    _record_event(directory, event)
                    show(event)
        except (UserError, MemoryError, OSError, RuntimeError, ValueError) as error:
            alone = os.environ.get("WORLD_SIZE", "1") == "1"
            if first and (alone or isinstance(error, UserError | torch.OutOfMemoryError)):
                said = {
                    "event": "end",
                    "step": step,
                    "seconds": 0.0,
                    "state": "failed",
                    "cause": describe_failure(error),
                }
                directory.write_end(said)
            if isinstance(error, RuntimeError | ValueError) and not is_out_of_memory(error):
                raise
            raise UserError(describe_failure(error)) from error
    return 128 + caught[0] if caught else 0


def _record_event(directory: RunDirectory, event: RunEvent) -> None:
    if event["event"] == "begin":
        directory.take_back_events(event["step"])
    (directory.write_end if event["event"] == "end" else directory.write_event)(event)


def is_out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def describe_failure(error: BaseException) -> str:
    """Say in one sentence why it broke off."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return "Out of memory; the last good state is kept. Take a smaller batch or a smaller network."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full; the last good state is kept. Make room and resume the run."
    return f"It broke off: {type(error).__name__}, {(str(error).splitlines() or ['no word'])[0][:200]}."


@contextmanager
def _catch_signals() -> Iterator[list[int]]:
    """Collect the signals to end that came, instead of an end in the middle of an update."""
    caught: list[int] = []

    def note_signal(number: int, frame: Any) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
