"""How quick a slider stays while a run trains on the same machine: p95 of a move, alone and beside a run, in one go.

python -m benchmarks.beside [--world cifar10] [--moves 60] [--rounds 3] [--checkpoints checkpoints]

Alone and beside take turns, so that whatever else the machine does falls on both. Last comes the same run without
what keeps it out of the way: all cores, threads that spin while they wait, no lower priority.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from latentlab.operators import Shift
from latentlab.runs import Runs, make_token
from latentlab.runs.queue import RUN_PROGRAM
from latentlab.session import Session, Workspace, apply_move, choose_networks, open_world
from latentlab.store import Store

WARM = 5  # moves that are not counted
Moves = list[float]


def moves(workspace: Workspace, session: Session, count: int, first: int) -> Moves:
    """Seconds of each move along the first direction, never twice to the same place."""
    direction = workspace.list_directions(session.model)[0]
    taken = []
    for number in range(count + WARM):
        tool = Shift(direction=direction, amount=1 + (first + number) * 1e-4)
        start = time.perf_counter()
        session = apply_move(workspace, replace(session), tool)
        taken.append(time.perf_counter() - start)
    return taken[WARM:]


def config(world: str) -> dict[str, object]:
    return {"world": world, "steps": 500_000, "epochs": 0.0, "batch": 64, "validation": 0.0}


@contextmanager
def beside(runs: Runs, world: str) -> Iterator[None]:
    """A run as the page starts it."""
    token = make_token()
    id = runs.submit_run("train", config(world), "", token).id
    try:
        until(lambda: runs.find_run(id, token).latest.get("event") == "step", lambda: runs.read_log(id, token))
        yield
    finally:
        runs.stop_run(id, token)
        until(lambda: not runs.find_run(id, token).is_active and not runs.taken, lambda: runs.read_log(id, token))


@contextmanager
def unshared(folder: Path, world: str, flags: list[str]) -> Iterator[None]:
    """The same program as anybody would start it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"verb": "train", "name": "", "owner": "", "config": config(world)}))
    with (folder / "log.txt").open("w") as log:
        child = subprocess.Popen([*RUN_PROGRAM, "train", "--run", str(folder), *flags], stdout=log, stderr=log)
    events = folder / "events.jsonl"
    try:
        until(lambda: events.exists() and '"step", ' in events.read_text(), (folder / "log.txt").read_text)
        yield
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def until(true: Callable[[], bool], log: Callable[[], str]) -> None:
    deadline = time.monotonic() + 300
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"the run does not come so far:\n{log()}")
        time.sleep(0.2)


def p95(taken: Moves) -> float:
    return statistics.quantiles(taken, n=20)[-1]


def line(name: str, taken: Moves, alone: Moves) -> None:
    print(
        f"{name:24} median {1000 * statistics.median(taken):7.1f} ms   p95 {1000 * p95(taken):7.1f} ms"
        f"   p95 ratio {p95(taken) / p95(alone):5.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="cifar10")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpoints", default="checkpoints")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and the run beside it is stopped on the way out
    flags = ["--checkpoints", str(Path(options.checkpoints).resolve()), "--device", "cpu"]
    found: dict[str, Moves] = {"alone": [], "beside a run": [], "beside an unshared run": []}
    made = 0

    def measure(name: str) -> None:
        nonlocal made
        found[name] += moves(workspace, session, options.moves, made)
        made += options.moves + WARM
        line(name, found[name], found["alone"])

    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder) / "runs", flags=flags)
        runs.start_watching()
        workspace = Workspace(Store(options.checkpoints, "cpu"), runs=runs)
        session = choose_networks(workspace, open_world(workspace, options.world), model=f"{options.world}-glow")
        for turn in range(options.rounds):
            measure("alone")
            with beside(runs, options.world):
                measure("beside a run")
            with unshared(Path(folder) / f"unshared-{turn}", options.world, flags):
                measure("beside an unshared run")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"{options.world}-glow, a slider move; {os.cpu_count()} cores, {torch.get_num_threads()} threads, load {load}"
    )
    for name, taken in found.items():
        line(name, taken, found["alone"])


if __name__ == "__main__":
    main()
