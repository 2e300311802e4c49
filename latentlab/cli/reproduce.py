"""`latentlab reproduce`: a paper's headline tested by one command, resumable cell by cell."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import low_data
from latentlab.cli.network_flags import add_network_flags
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.experiments import Effort, Experiment
    from latentlab.store import Store

HELP = "test a paper's headline: one experiment, or all of them"


def add_reproduce_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.experiments import EXPERIMENTS

    told = "; ".join(f"{name}: {experiment.title}" for name, experiment in EXPERIMENTS.items())
    parser.add_argument(
        "experiment",
        choices=[*EXPERIMENTS, "low-data", "all"],
        help=f"{told}; low-data: a few per cent of the training images; all: one after the other, but low-data",
    )
    parser.add_argument("--quick", action="store_true", help="every table in small: to see that it runs, not to learn")
    parser.add_argument("--seeds", type=int, help="paired: the same for every arm (default: as suits the experiment)")
    parser.add_argument("--steps", type=int, help="updates of each training (default: as suits the experiment)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="cells, table and figure (default: the name)")
    parser.add_argument("--json", action="store_true", help="the table for a program")
    low_data.add_low_data_flags(parser)
    add_network_flags(parser)


def run_reproduce(args: argparse.Namespace) -> int:
    from latentlab.experiments import EXPERIMENTS
    from latentlab.store import Store

    for flag, value in (("--seeds", args.seeds), ("--steps", args.steps)):
        if value is not None and value < 1:
            raise UserError(f"{flag} is {value}; it must be at least 1.")
    store = Store(args.checkpoints, args.device)
    args.out = args.out or Path(args.experiment)
    if args.experiment == "low-data":
        args.seeds = args.seeds or (low_data.QUICK_SEEDS if args.quick else low_data.USUAL_SEEDS)
        args.steps = args.steps or (low_data.QUICK_STEPS if args.quick else None)
        return low_data.run_low_data(args, store)
    if foreign := [name for name, value in low_data.DEFAULTS.items() if getattr(args, name) != value]:
        raise UserError(f"--{foreign[0]} is a flag of low-data alone; leave it out.")
    if args.experiment != "all":
        outcome, text = _reproduce_one(args.experiment, EXPERIMENTS[args.experiment], args, store, args.out)
        print(json.dumps(outcome) if args.json else text)
        return 0
    done = {name: _reproduce_one(name, one, args, store, args.out / name) for name, one in EXPERIMENTS.items()}
    texts = [f"{name}\n{text}" for name, (_, text) in done.items()]
    print(json.dumps([outcome for outcome, _ in done.values()]) if args.json else "\n\n".join(texts))
    return 0


def _reproduce_one(
    name: str, experiment: Experiment, args: argparse.Namespace, store: Store, folder: Path
) -> tuple[dict[str, Any], str]:
    from latentlab.experiments import reproduce_experiment

    def tell_cell(line: str) -> None:
        if not args.json:
            print(f"{name} {line} …", flush=True)

    return reproduce_experiment(name, experiment, _choose_effort(experiment, args), store, folder, tell_cell)


def _choose_effort(experiment: Experiment, args: argparse.Namespace) -> Effort:
    effort = experiment.quick if args.quick else experiment.full
    asked = {name: value for name in ("seeds", "steps") if (value := getattr(args, name)) is not None}
    return replace(effort, **asked)
