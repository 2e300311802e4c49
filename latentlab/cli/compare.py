"""`latentlab compare`: classifiers side by side; from flags, or as the process of a run's directory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import child
from latentlab.cli.augment import flags_of, given

if TYPE_CHECKING:
    from latentlab.training import Event
    from latentlab.training.directory import Directory

HELP = "measure classifiers and runs on the same test images: every figure with its interval"
OWN = ("classifiers", "world")  # knobs whose flags are written out here


def flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.comparison import Comparison

    parser.add_argument("names", nargs="*", metavar="NAME", help="classifiers that `latentlab list` shows, and runs")
    parser.add_argument("--run", dest="folder", type=Path, metavar="DIR", help="do what config.json in DIR says")
    parser.add_argument("--data", metavar="WORLD", default="digits", help="whose test images (default: digits)")
    parser.add_argument("--json", action="store_true", help="print the events for a program")
    child.flags(parser)
    flags_of(parser, Comparison, skip=OWN)


def run(args: argparse.Namespace) -> int:
    from latentlab.comparison import Comparison, compare
    from latentlab.knobs import from_json

    show = _json if args.json else _table
    if args.folder:
        return _in_directory(args, show)
    knobs = given(args)
    config = from_json(Comparison, {"classifiers": args.names, "world": args.data, **knobs})
    for event in compare(config, child.store(args)):
        show(event)
    return 0


def _in_directory(args: argparse.Namespace, show: Callable[[Event], None]) -> int:
    from latentlab.comparison import Comparison, compare
    from latentlab.knobs import from_json
    from latentlab.training.directory import Directory

    directory = Directory.of(args.folder)
    config = from_json(Comparison, directory.order("compare"))
    if directory.finished:
        print(f"{directory.path} is finished already.")
        return 0
    done = _done(directory)
    return child.follow(directory, lambda asked: compare(config, child.store(args), done, asked), show)


def _done(directory: Directory) -> set[str]:
    return {event["metric"] for event in directory.told() if event["event"] == "metric"}


def _json(event: Event) -> None:
    print(json.dumps(event), flush=True)


def _table(event: Event) -> None:
    if line := _line(event):
        print(line, flush=True)


def _line(event: dict[str, Any]) -> str:
    if event["event"] in ("figures", "difference", "seeds"):
        who = event.get("classifier") or event.get("second") or f"{len(event['classifiers'])} seeds"
        who = f"{who} − {event['first']}" if event["event"] == "difference" else who
        return f"{event['metric']:20} {who:36} {event['value']:9.4f}  [{event['low']:.4f}, {event['high']:.4f}]"
    if event["event"] == "flips":
        return f"{'':20} {event['second']}: {len(event['gained'])} images gained, {len(event['lost'])} lost"
    return event.get("text") or (event["cause"] if event["event"] == "end" else "")
