"""`latentlab audit`: what moves do to a thousand images; from flags, or as the process of a run's directory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import classifier_flags, exec
from latentlab.cli.augment import KNOB_PREFIX, add_knob_flags, collect_knobs
from latentlab.cli.torchrun import is_first_process
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.auditing import Audit
    from latentlab.auditing.result import AuditResult
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.augmented import RunEvent

HELP = "audit moves on many images: which labels they keep, how far one may go, what it costs; also under torchrun"
AUDIT_EXPLICIT_KNOBS = ("world", "moves", "classifier", "images", "rows")  # knobs whose flags are written out here
UNMET_CODE = 1


def add_audit_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.auditing import Audit

    parser.add_argument("--run", dest="folder", type=Path, metavar="DIR", help="do what config.json in DIR says")
    parser.add_argument("--data", metavar="WORLD", default="digits", help="whose images (default: digits)")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="one's own instead; subfolders named as classes")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="report.html, audit.json, CSV files, broken.zip; goes on where it is"
    )
    parser.add_argument(
        "--move",
        action="append",
        default=[],
        metavar="METHOD[@SPACE][:KNOB=VALUE,…]",
        help="randomized-la, mixup, noise@pixels:epsilon=3, …, or a recipe's file; up to six",
    )
    parser.add_argument(
        "--n",
        "--images",
        dest=f"{KNOB_PREFIX}images",
        type=int,
        default=argparse.SUPPRESS,
        metavar="N",
        help="images, the classes by their share (default: 1000)",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="FIGURE>=SHARE",
        help="exit code 1 where a whole interval does not hold: 'kept>=0.95'; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the events for a program")
    exec.add_store_flags(parser)
    classifier_flags.add_classifier_flags(parser)
    add_knob_flags(parser, Audit, skip=AUDIT_EXPLICIT_KNOBS)


def run_audit(args: argparse.Namespace) -> int:
    from latentlab.auditing.image_source import load_audited_world, open_images
    from latentlab.auditing.report_files import write_report_files
    from latentlab.auditing.result import read_result
    from latentlab.auditing.tables import parse_requirement
    from latentlab.knobs import tool_to_json
    from latentlab.runs.writer import RunDirectory

    required = [parse_requirement(text) for text in args.require]
    if not args.folder and not args.out:
        raise UserError("Say where the report goes: --out DIR.")
    directory = RunDirectory.open_at(args.folder or args.out)
    config = _read_config(args, directory)
    if not args.folder and is_first_process():
        directory.write_config("audit", tool_to_json(config))
    if not directory.is_finished:
        code = _follow_audit(args, config, directory)
        if code or not directory.is_finished:
            return code
    if not is_first_process():
        return 0
    result = read_result(directory.read_events())
    images = open_images(config.half, load_audited_world(config.world, result.classes), args.pictures)
    write_report_files(directory.path, result, images)
    return _report_result(args, directory, result, required)


def _follow_audit(args: argparse.Namespace, config: Audit, directory: RunDirectory) -> int:
    from latentlab.auditing import audit_moves
    from latentlab.training import distributed

    device = distributed.choose_device(args.device)
    place = distributed.join_processes(device)
    store = exec.open_store(args)
    if args.classifier:
        classifier_flags.choose_classifier(store, args)
    done = directory.read_events()
    show = _print_json if args.json else _print_line
    try:
        return exec.follow_run(
            directory,
            lambda asked: audit_moves(config, store, done, asked, args.pictures, place),
            show if is_first_process() else lambda event: None,
        )
    finally:
        distributed.leave_processes()


def _read_config(args: argparse.Namespace, directory: RunDirectory) -> Audit:
    from latentlab.auditing import Audit
    from latentlab.auditing.move_words import parse_move
    from latentlab.knobs import tool_from_json

    if args.folder:
        return tool_from_json(Audit, directory.read_config("audit"))
    knobs = collect_knobs(args)
    if args.classifier:
        knobs["classifier"] = Path(args.classifier).stem if args.architecture else args.classifier
    moves = [parse_move(text, args.data) for text in args.move]
    return tool_from_json(Audit, {"world": args.data, "moves": moves, **knobs})


def _report_result(
    args: argparse.Namespace, directory: RunDirectory, result: AuditResult, required: Sequence[Any]
) -> int:
    from latentlab.auditing.tables import list_unmet
    from latentlab.auditing.verdict import SENSITIVITY_TITLE, list_doubts, write_ranking, write_verdict

    if not args.json:
        print("\n".join(list_doubts(result)))
        for move in result.moves:
            print(f"\n{move.title} in {move.space}\n  " + "\n  ".join(write_verdict(result, move)))
        for space in result.rankings:
            print(f"\n{SENSITIVITY_TITLE} In {space}\n  " + "\n  ".join(write_ranking(result, space)))
        print(f"\n{directory.path / 'report.html'}")
    unmet = list(list_unmet(result, required))
    for line in unmet:
        print(f"latentlab: {line}", file=sys.stderr)
    return UNMET_CODE if unmet else 0


def _print_json(event: RunEvent) -> None:
    print(json.dumps(event), flush=True)


def _print_line(event: RunEvent) -> None:
    if line := _describe_event(event):
        print(line, flush=True)


def _describe_event(event: RunEvent) -> str:
    from latentlab.auditing.choices import read_choice, write_choice

    match event["event"]:
        case "begin":
            told = f"{event['images']:,} images, classifier {event['classifier']}, judge {event['judge']}."
            return "\n".join([told, *event["notes"]])
        case "chunk":
            return f"{event['done']:4.0%} of the images, ETA {event['eta']:.0f} s"
        case "trial" if event["kept"]:
            kept = sum(event["kept"]) / len(event["kept"])
            return f"{event['move']}: {event['knob']} {event['value']:.3g} keeps {kept:.1%}"
        case "choice" if event["kept"]:
            kept = sum(event["kept"]) / len(event["kept"])
            return f"{event['move']}: {event['knob']} {write_choice(read_choice(event['value']))} keeps {kept:.1%}"
        case "direction":
            change = sum(event["change"]) / len(event["change"])
            return f"{event['space']}: a σ along {event['direction']} changes the decision by {change:.1%}"
        case "end":
            return str(event["cause"])
    return ""
