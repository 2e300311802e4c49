"""One entrant of one job, in this process alone: python -m benchmarks.speed.one JOB ENTRANT."""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.browser import p95
from benchmarks.speed.jobs import JOBS

REPEATS, LONG_ENOUGH = 7, 6.0  # seconds after which three repeats will do
TOO_LONG = 30.0  # seconds after which one will do


def measure(job: str, entrant: str) -> dict[str, float]:
    run = JOBS[job].prepare(entrant)
    before = forget_peak()
    run()  # caches, kernels
    times = [run() for _ in range(JOBS[job].turns)] or timed(run)
    found = {"milliseconds": statistics.median(times), "best": min(times)}
    found |= {"p95": p95(times)} if JOBS[job].turns else {}
    return {name: 1000 * seconds for name, seconds in found.items()} | {"mb": memory("VmHWM") - before}


def timed(run: Callable[[], Any]) -> list[float]:
    times: list[float] = []
    while sum(times) < TOO_LONG and (len(times) < 3 or (len(times) < REPEATS and sum(times) < LONG_ENOUGH)):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def forget_peak() -> float:
    """Memory in use now, in MB, from which the peak grows again (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "the kernel tells its memory"
    return int(found[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
