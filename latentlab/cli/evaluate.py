"""`latentlab evaluate` says whether a card tells the truth."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.cli.torchrun import is_first_process

if TYPE_CHECKING:
    from latentlab.evaluation import Evaluation

HELP = "measure the figures of a card again, from the data, also under torchrun; exit code 1 where one differs"


def add_evaluate_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--write", action="store_true", help="the card states what was measured, from now on")
    parser.add_argument("--json", action="store_true", help="the figures for a program")


def run_evaluate(args: argparse.Namespace) -> int:
    from latentlab.evaluation import CARD_TOLERANCE, evaluate_checkpoint, write_figures

    found = evaluate_checkpoint(args.checkpoint)
    if not is_first_process():
        return 0
    print(_format_json(found) if args.json else _format_table(found))
    if args.write:
        write_figures(found)
        return 0
    if found.wrong_figures:
        names = ", ".join(figure.name for figure in found.wrong_figures)
        print(
            f"latentlab: the card of {args.checkpoint.name} differs from the data by more than {CARD_TOLERANCE} "
            f"in {names}; fit it again.",
            file=sys.stderr,
        )
    return 1 if found.wrong_figures else 0


def _format_json(found: Evaluation) -> str:
    figures = [asdict(figure) | {"agrees": figure.agrees} for figure in found.figures]
    return json.dumps({"checkpoint": found.checkpoint.name, "data": found.data, "figures": figures}, indent=1)


def _format_table(found: Evaluation) -> str:
    rows = [f"{found.checkpoint.stem + ' on ' + found.data:44} {'card':>10} {'again':>10}"]
    for figure in found.figures:
        card, again = (f"{value:10.4g}" if value is not None else f"{'–':>10}" for value in (figure.card, figure.again))
        rows.append(f"{figure.name:44} {card} {again}{'' if figure.agrees else '  differs'}")
    return "\n".join(rows)
