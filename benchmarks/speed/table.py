"""Every job, every entrant, one after the other; ratios are to the first entrant, which is ours."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.speed.jobs import JOBS
from benchmarks.speed.peers import PEERS

PATIENCE = 300  # seconds for one entrant


@dataclass(frozen=True)
class Row:
    job: str
    entrant: str
    milliseconds: float | None  # median; None where it failed or took too long
    megabytes: float | None  # memory beyond what was there before the first call
    ratio: float | None  # of its time to ours


def rows(jobs: list[str], peers: bool) -> Iterator[Row]:
    for job in jobs:
        ours = None
        for entrant in entrants(job, peers):
            found = one(job, entrant)
            median = found.get("milliseconds")
            ours = ours or median
            yield Row(job, entrant, median, found.get("mb"), median / ours if median and ours else None)


def entrants(job: str, peers: bool) -> list[str]:
    """Peers take part where they are asked for and installed."""
    names = JOBS[job][0]
    there = {name for name in PEERS if peers and importlib.util.find_spec(name)}
    return [name for name in names if name.partition(",")[0] not in PEERS or name.partition(",")[0] in there]


def one(job: str, entrant: str) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.one", job, entrant]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, cwd=Path(__file__).parents[2], check=True
        )
    except subprocess.TimeoutExpired:
        tqdm.write(f"{job}, {entrant}: given up after {PATIENCE} s", sys.stderr)
        return {}
    except subprocess.CalledProcessError as error:
        tqdm.write(f"{job}, {entrant}: {error.stderr.strip().splitlines()[-1:]}", sys.stderr)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def limits() -> dict[str, float]:
    """What the machine can do: products in fp32 and bf16, in GFLOP/s; copies, in GB/s."""
    size, found = 2048, {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(size, size, dtype=dtype)
        found[f"GEMM {str(dtype).removeprefix('torch.')} GFLOP/s"] = 2 * size**3 / best(lambda a=a: a @ a) / 1e9
    block = torch.ones(2**26)
    found["copy GB/s"] = 2 * block.nbytes / best(lambda: block.clone()) / 1e9
    return found


def best(call) -> float:
    call()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def text(found: list[Row], machine: dict[str, float]) -> str:
    lines = [
        f"{torch.get_num_threads()} threads; " + ", ".join(f"{name} {value:,.0f}" for name, value in machine.items())
    ]
    for job in dict.fromkeys(row.job for row in found):
        lines += ["", JOBS[job][2]]
        for row in (row for row in found if row.job == job):
            time_, memory = ("–" if v is None else f"{v:,.1f}" for v in (row.milliseconds, row.megabytes))
            ratio = "" if row.ratio is None else f"{row.ratio:8.2f} ×"
            lines.append(f"  {row.entrant:24} {time_:>12} ms {ratio} {memory:>10} MB")
    return "\n".join(lines)


def as_json(found: list[Row], machine: dict[str, float]) -> str:
    return json.dumps({"machine": machine, "rows": [asdict(row) for row in found]}, indent=1)
