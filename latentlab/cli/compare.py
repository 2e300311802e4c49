"""`latentlab compare`: classifiers side by side; from flags, or as the process of a run's directory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import exec
from latentlab.cli.augment import add_knob_flags, collect_knobs

if TYPE_CHECKING:
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.augmented import RunEvent

HELP = "measure classifiers and runs on the same test images: every figure with its interval"
COMPARE_EXPLICIT_KNOBS = ("classifiers", "world")  # knobs whose flags are written out here


def add_compare_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.comparison import Comparison

    parser.add_argument("names", nargs="*", metavar="NAME", help="classifiers that `latentlab list` shows, and runs")
    parser.add_argument("--run", dest="folder", type=Path, metavar="DIR", help="do what config.json in DIR says")
    parser.add_argument("--data", metavar="WORLD", default="digits", help="whose test images (default: digits)")
    parser.add_argument("--json", action="store_true", help="print the events for a program")
    exec.add_store_flags(parser)
    add_knob_flags(parser, Comparison, skip=COMPARE_EXPLICIT_KNOBS)


def run_compare(args: argparse.Namespace) -> int:
    from latentlab.comparison import Comparison, compare_classifiers
    from latentlab.knobs import tool_from_json

    show = _print_json if args.json else _print_line
    if args.folder:
        return _run_in_directory(args, show)
    knobs = collect_knobs(args)
    config = tool_from_json(Comparison, {"classifiers": args.names, "world": args.data, **knobs})
    for event in compare_classifiers(config, exec.open_store(args)):
        show(event)
    return 0


def _run_in_directory(args: argparse.Namespace, show: Callable[[RunEvent], None]) -> int:
    from latentlab.comparison import Comparison, compare_classifiers
    from latentlab.knobs import tool_from_json
    from latentlab.runs.writer import RunDirectory

    directory = RunDirectory.open_at(args.folder)
    config = tool_from_json(Comparison, directory.read_config("compare"))
    if directory.is_finished:
        print(f"{directory.path} is finished already.")
        return 0
    done = _find_done_metrics(directory)
    return exec.follow_run(
        directory, lambda asked: compare_classifiers(config, exec.open_store(args), done, asked), show
    )


def _find_done_metrics(directory: RunDirectory) -> set[str]:
    return {event["metric"] for event in directory.read_events() if event["event"] == "metric"}


def _print_json(event: RunEvent) -> None:
    print(json.dumps(event), flush=True)


def _print_line(event: RunEvent) -> None:
    if line := _describe_event(event):
        print(line, flush=True)


def _describe_event(event: dict[str, Any]) -> str:
    if event["event"] in ("figures", "difference", "seeds"):
        who = event.get("classifier") or event.get("second") or f"{len(event['classifiers'])} seeds"
        who = f"{who} − {event['first']}" if event["event"] == "difference" else who
        return f"{event['metric']:20} {who:36} {event['value']:9.4f}  [{event['low']:.4f}, {event['high']:.4f}]"
    if event["event"] == "flips":
        return f"{'':20} {event['second']}: {len(event['gained'])} images gained, {len(event['lost'])} lost"
    if event["event"] == "note" and "metric" in event:
        reason = event["text"].removeprefix(f"{event['metric']} of {event['classifier']}: ")
        return f"{event['metric']:20} {event['classifier']:36} not measured: {reason}"
    return event.get("text") or (event["cause"] if event["event"] == "end" else "")
