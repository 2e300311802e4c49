"""Which process is meant by a pid, whether it is still there, and how it is ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")
NICENESS = 19  # among the processes of one session; the page goes first
SESSION = (
    10  # of the run's session beside others: a ninth of their weight. At 19 it is a seventieth, and beside two busy
)
# processes a run would take minutes for its imports alone.
FIRST_TO_GO = "500"  # when memory runs out, the run is ended and not the page


@dataclass(frozen=True)
class Child:
    """A pid alone may be used again; with the time of its start it is one process for ever."""

    pid: int
    started: str
    host: str


@dataclass(frozen=True)
class Seen:
    started: str
    ended: bool  # a zombie: it has ended, and nobody has asked for its exit code yet
    seconds: float  # since its start


def myself() -> Child:
    seen = look(os.getpid())
    assert seen is not None, "this process is there"
    return Child(os.getpid(), seen.started, socket.gethostname())


def look(pid: int) -> Seen | None:
    """None: there is no such process."""
    return _proc(pid) if (PROC / "self" / "stat").exists() else _ps(pid)


def _proc(pid: int) -> Seen | None:
    """Linux: ticks since boot, which no change of the clock moves."""
    try:
        words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    ticks = int(words[19])
    seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return Seen(f"{_boot()}:{ticks}", words[0] in "ZX", seconds)


@cache
def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _ps(pid: int) -> Seen | None:
    """Where there is no /proc."""
    command = ["ps", "-o", "lstart=,etime=,stat=", "-p", str(pid)]
    words = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout.split()
    if len(words) < 7:
        return None
    days, hours, minutes, seconds = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", words[5]).groups("0")  # type: ignore[union-attr]
    return Seen(
        " ".join(words[:5]),
        words[6].startswith("Z"),
        ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds),
    )


def is_here(child: Child) -> bool:
    """Whether this machine can see the process at all."""
    return child.host == socket.gethostname()


def alive(child: Child) -> bool:
    seen = look(child.pid)
    return seen is not None and seen.started == child.started and not seen.ended


def kill(child: Child) -> None:
    """The process and all that it has started: each run leads a group of its own."""
    if alive(child):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def step_back() -> None:
    """This process gives way to the page: in computing, and when memory runs out.

    Linux shares the cores among sessions first and heeds niceness only within one; a run is a session of its own.
    """
    os.nice(max(0, NICENESS - os.nice(0)))
    for file, said in {"autogroup": str(SESSION), "oom_score_adj": FIRST_TO_GO}.items():
        with suppress(OSError):  # not every system has them
            (PROC / "self" / file).write_text(said)


def share(limit: int) -> dict[str, str]:
    """Environment of one of `limit` runs beside a page.

    Two torch processes that both use all cores slow each other up to fifty-fold: threads that have done their part
    spin, and take the core from those that have not. So one core is the page's, and waiting threads sleep.
    """
    count = str(threads(limit))
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
    }


def threads(limit: int) -> int:
    """Of one of `limit` runs."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, (cores - 1) // limit)
