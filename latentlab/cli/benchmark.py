"""`latentlab benchmark`: the times of what must be quick, beside those of the peers that are installed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from latentlab.errors import UserError

HELP = "time the project, and the installed peers beside it, in one run"
NOT_HERE = (
    "The benchmarks lie beside the package in a checkout of LatentLab; run `python -m latentlab benchmark` there."
)


def add_benchmark_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("--peers", action="store_true", help="also the peers of benchmarks/requirements.txt")
    parser.add_argument("--only", action="append", metavar="JOB", help="this job alone; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures for a program")


def run_benchmark(args: argparse.Namespace) -> None:
    try:
        from benchmarks.speed import jobs, table
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("benchmarks"):
            raise
        raise UserError(NOT_HERE) from error
    wanted = args.only or list(jobs.JOBS)
    if unknown := [name for name in wanted if name not in jobs.JOBS]:
        raise UserError(f"There is no job {unknown[0][:40]!r}; there are {', '.join(jobs.JOBS)}.")
    machine = table.limits()
    found = list(table.rows(wanted, args.peers, machine))
    print(table.text(found, machine))
    if args.json:
        args.json.write_text(table.as_json(found, machine), "utf-8")
