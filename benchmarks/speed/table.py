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

from benchmarks.speed.jobs import JOBS, Job
from benchmarks.speed.peers import PEERS

PATIENCE = 300  # seconds for one entrant
PACKAGES = {name: name for name in PEERS} | {
    "POT": "ot",
    "torchattacks": "torchattacks",
    "pacmap": "pacmap",
    "umap-learn": "umap",
}
FP32, BF16 = "GEMM fp32 GFLOP/s", "GEMM bf16 GFLOP/s"
DTYPES = {FP32: torch.float32, BF16: torch.bfloat16}


@dataclass(frozen=True)
class Row:
    job: str
    entrant: str
    milliseconds: float | None  # median; None where it failed or took too long
    p95: float | None  # of the same times, where there are many
    megabytes: float | None  # memory beyond what was there before the first call
    ratio: float | None  # of its time to ours
    limit: float | None  # milliseconds that its products take at the measured rate
    share: float | None  # of that limit in its time; of a part, its time in the time of the whole


def rows(jobs: list[str], peers: bool, machine: dict[str, float]) -> Iterator[Row]:
    times: dict[str, float] = {}  # of the first entrants
    for name in jobs:
        job = JOBS[name]
        rate = machine[FP32 if job.exact else BF16]
        limit = 1000 * job.gflop / rate if job.gflop else None
        for entrant in entrants(job, peers):
            found = one(name, entrant)
            if (median := found.get("milliseconds")) is None:
                yield Row(name, entrant, None, None, None, None, limit, None)
                continue
            ours, whole = times.setdefault(name, median), times.get(job.within)
            share = limit / median if limit else median / whole if whole else None
            yield Row(name, entrant, median, found.get("p95"), found["mb"], median / ours, limit, share)


def entrants(job: Job, peers: bool) -> list[str]:
    """Peers take part where they are asked for and installed."""
    packages = {name: PACKAGES.get(name.partition(",")[0]) for name in job.entrants}
    return [name for name, package in packages.items() if not package or (peers and importlib.util.find_spec(package))]


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
    found = {name: max(product(dtype, rows) for rows in (2048, 16384)) for name, dtype in DTYPES.items()}
    block = torch.ones(2**26)
    found["copy GB/s"] = 2 * block.nbytes / best(lambda: block.clone()) / 1e9
    return found


def product(dtype: torch.dtype, rows: int, width: int = 512) -> float:
    """GFLOP/s of a 1×1 convolution's product."""
    a, b = torch.ones(rows, width, dtype=dtype), torch.ones(width, width, dtype=dtype)
    return 2 * rows * width**2 / best(lambda: a @ b) / 1e9


def best(call) -> float:
    call()
    times = []
    for _ in range(10):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def text(found: list[Row], machine: dict[str, float]) -> str:
    lines = [
        f"{torch.get_num_threads()} threads; " + ", ".join(f"{name} {value:,.0f}" for name, value in machine.items())
    ]
    for job in dict.fromkeys(row.job for row in found):
        lines += ["", JOBS[job].title]
        for row in (row for row in found if row.job == job):
            time_, memory = ("–" if v is None else f"{v:,.1f}" for v in (row.milliseconds, row.megabytes))
            late = "" if row.p95 is None else f"p95 {row.p95:,.1f} ms"
            ratio = "" if row.ratio is None else f"{row.ratio:8.2f} ×"
            of = "of the step" if JOBS[job].within else f"of the limit, {row.limit:,.1f} ms" if row.limit else ""
            share = "" if row.share is None else f"{row.share:8.1%} {of}"
            rate = f"{1000 * JOBS[job].images / row.milliseconds:8,.1f} images/s" if row.milliseconds else ""
            told = late or (rate if JOBS[job].images else share)
            lines.append(f"  {row.entrant:32} {time_:>12} ms {ratio:>10} {memory:>10} MB {told}".rstrip())
    return "\n".join(lines)


def as_json(found: list[Row], machine: dict[str, float]) -> str:
    return json.dumps({"machine": machine, "rows": [asdict(row) for row in found]}, indent=1)
