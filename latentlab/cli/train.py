"""`latentlab train`: a classifier with augmentations; from flags, or as the process of a run's directory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import exec
from latentlab.cli.augment import add_knob_flags, collect_knobs
from latentlab.cli.torchrun import is_first_process
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.augmented import Config, RunEvent

HELP = "train a classifier with augmentations; the same command goes on where it was stopped, also under torchrun"
TRAIN_EXPLICIT_KNOBS = ("world", "augmentations", "rows")  # knobs whose flags are written out here


def add_train_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.training.augmented import Config

    parser.add_argument(
        "--run",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="do what config.json in DIR says; under torchrun: torchrun --standalone … -m -- latentlab train --run DIR",
    )
    parser.add_argument("--data", metavar="WORLD", help="digits, cifar10, mnist, faces, or one's own")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the classifier that is made")
    parser.add_argument(
        "--augment",
        action="append",
        default=[],
        metavar="METHOD",
        help='randomized-la, mixup, …, or JSON: {"method": "noise", "settings": {"epsilon": 5}, "probability": 0.5, '
        '"space": "digits-glow"}; may be repeated, in sequence',
    )
    parser.add_argument("--rows", type=_parse_rows, default=(), metavar="N,N,…", help="training images to learn from")
    parser.add_argument("--json", action="store_true", help="print the events for a program")
    exec.add_store_flags(parser)
    add_knob_flags(parser, Config, skip=TRAIN_EXPLICIT_KNOBS)


def run_train(args: argparse.Namespace) -> int:
    from latentlab.knobs import tool_from_json
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.augmented import Config

    if args.folder:
        directory = RunDirectory.open_at(args.folder)
        config = tool_from_json(Config, directory.read_config("train"))
    elif args.data and args.out:
        directory, config = RunDirectory.open_beside(args.out), _build_config(args)
    else:
        raise UserError("Say what to train: --data WORLD and --out FILE, or --run DIR.")
    if directory.is_finished and (args.folder or args.out.exists()):
        print(f"{directory.path} is finished already; its classifier is {directory.files.out}.")
        return 0
    return exec.follow_run(directory, _make_event_source(config, directory, args), _make_printer(args.json))


def _make_event_source(config: Config, directory: RunDirectory, args: argparse.Namespace) -> Any:
    from latentlab.training.augmented import train_classifier

    return lambda asked: train_classifier(config, exec.open_store(args), directory.files, asked)


def _build_config(args: argparse.Namespace) -> Config:
    from latentlab.knobs import tool_from_json
    from latentlab.training.augmented import Config

    knobs = collect_knobs(args)
    if {"steps", "minutes"} & set(knobs) and "epochs" not in knobs:
        knobs["epochs"] = 0  # the budget that is asked for is the only one
    moves = [_parse_augmentation(text) for text in args.augment]
    return tool_from_json(Config, {"world": args.data, "augmentations": moves, "rows": args.rows, **knobs})


def _parse_augmentation(text: str) -> Any:
    if not text.startswith("{"):
        return {"method": text}
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"--augment {text[:60]} is not valid JSON: {error}.") from error


def _parse_rows(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(row) for row in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} must be whole numbers with commas between") from error


def _make_printer(as_json: bool) -> Any:
    def print_event(event: RunEvent) -> None:
        if as_json:
            print(json.dumps(event), flush=True)
        elif line := _describe_event(event):
            print(line, flush=True)

    return print_event if is_first_process() else lambda event: None


def _describe_event(event: RunEvent) -> str:
    if event["event"] == "epoch":
        found = ", ".join(f"{name} {value:.1%}" for name, value in event["accuracy"].items())
        return f"epoch {event['epoch']:g}, {event['seconds']:.0f} s: {found}"
    if event["event"] == "end":
        scores = ", ".join(f"{name} {value:.4g}" for name, value in event.get("scores", {}).items())
        return f"{event['cause']} {scores and 'Test: ' + scores}".strip()
    if event["event"] == "step" and sys.stderr.isatty():
        print(f"\r{event['done']:4.0%} loss {event['loss']:.3f} ETA {event['eta']:.0f} s ", end="", file=sys.stderr)
    return ""
