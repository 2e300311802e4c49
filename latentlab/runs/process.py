"""This module says which process is meant by a pid, whether it is still there, and how it is ended."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC_FOLDER = Path("/proc")
RUN_NICENESS = 19  # among the processes of one session; the page goes first
SESSION_NICENESS = (
    10  # of the run's session beside others: a ninth of their weight. At 19 it is a seventieth, and beside two busy
)
# processes a run would take minutes for its imports alone.
OOM_SCORE = "500"  # when memory runs out, the run is ended and not the page


@dataclass(frozen=True)
class ChildProcess:
    """A pid alone may be used again; with the time of its start it is one process for ever."""

    pid: int
    started: str
    host: str


@dataclass(frozen=True)
class ProcessState:
    started: str
    ended: bool  # a zombie: it has ended, and nobody has asked for its exit code yet
    seconds: float  # since its start


def identify_self() -> ChildProcess:
    seen = inspect_process(os.getpid())
    assert seen is not None, "this process is there"
    return ChildProcess(os.getpid(), seen.started, socket.gethostname())


def inspect_process(pid: int) -> ProcessState | None:
    """Return what the system says of this process; None: there is no such process."""
    return _inspect_by_proc(pid) if (PROC_FOLDER / "self" / "stat").exists() else _inspect_by_psutil(pid)


def _inspect_by_proc(pid: int) -> ProcessState | None:
    """Ask Linux: its ticks since boot are moved by no change of the clock."""
    try:
        words = (PROC_FOLDER / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    ticks = int(words[19])
    seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return ProcessState(f"{_read_boot_id()}:{ticks}", words[0] in "ZX", seconds)


@cache
def _read_boot_id() -> str:
    return (PROC_FOLDER / "sys/kernel/random/boot_id").read_text().strip()


def _inspect_by_psutil(pid: int) -> ProcessState | None:
    """Ask a library that knows the other systems."""
    import psutil

    try:
        found = psutil.Process(pid)
        began, status = found.create_time(), found.status()
    except psutil.NoSuchProcess:
        return None
    return ProcessState(f"{began:.2f}", status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD), time.time() - began)


def is_on_this_machine(child: ChildProcess) -> bool:
    """Say whether this machine can see the process at all."""
    return child.host == socket.gethostname()


def is_process_alive(child: ChildProcess) -> bool:
    seen = inspect_process(child.pid)
    return seen is not None and seen.started == child.started and not seen.ended


def kill_group(child: ChildProcess) -> None:
    """Kill the process and all that it has started: each run leads a group of its own."""
    if is_process_alive(child):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def yield_to_page() -> None:
    """Let this process give way to the page: in computing, and when memory runs out.

    Linux shares the cores among sessions first and heeds niceness only within one; a run is a session of its own.
    """
    os.nice(max(0, RUN_NICENESS - os.nice(0)))
    for file, said in {"autogroup": str(SESSION_NICENESS), "oom_score_adj": OOM_SCORE}.items():
        with suppress(OSError):  # not every system has them
            (PROC_FOLDER / "self" / file).write_text(said)


def make_thread_environment(limit: int) -> dict[str, str]:
    """Return the environment of one of `limit` runs beside a page.

    Two torch processes that both use all cores slow each other up to fifty-fold: threads that have done their part
    spin, and take the core from those that have not. So one core is the page's, and waiting threads sleep.
    """
    count = str(count_run_threads(limit))
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
    }


def count_run_threads(limit: int) -> int:
    """Return the threads of one of `limit` runs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, (cores - 1) // limit)
