"""`latentlab list` shows the checkpoints, without reading a weight."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.cli.network_flags import add_checkpoints_flag
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.models import Card
    from latentlab.store import Store
    from latentlab.types import Images

DETAILS = re.compile("^(mean|deviation|covariance)|, at (least|most)$")  # of a card, for --json alone
HELP = "list the checkpoints with their scores"


def add_list_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    add_checkpoints_flag(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the whole cards, for a program")
    form.add_argument("--sheet", type=Path, metavar="FOLDER", help="a contact sheet of every latent model, as a PNG")


def run_list(args: argparse.Namespace) -> None:
    from latentlab.store import Store

    store = Store(args.checkpoints, "cpu")
    if args.json:
        cards = {name: asdict(card) for name, card in store.cards.items()}
        print(json.dumps({"checkpoints": cards, "broken": store.broken}, indent=1))
        return
    if args.sheet:
        return _write_sheets(store, args.sheet)
    for name, card in store.cards.items():
        print(_format_card(name, card))
    for name, reason in store.broken.items():
        print(f"{name:24} broken: {reason}")
    if not store.cards and not store.broken:
        print(
            f"There is no checkpoint in {args.checkpoints}; make one: "
            f"latentlab fit glow --data digits --minutes 5 --out {args.checkpoints}/digits-glow.safetensors"
        )


def _write_sheets(store: Store, folder: Path) -> None:
    """Write the sheets; where a world's data are missing, they have only what the models draw, and stderr says so."""
    from latentlab import sheets
    from latentlab.images import png
    from latentlab.models.kinds import holds_latent_model

    folder.mkdir(parents=True, exist_ok=True)
    originals: dict[str, Images | None] = {}
    for name, card in store.cards.items():
        if not holds_latent_model(card.kind):
            continue
        if card.data not in originals:
            originals[card.data] = _load_originals(card.data, sheets.SHEET_COLUMNS)
        path = folder / f"{name}.png"
        path.write_bytes(png(sheets.draw_sheet(store.load(name), originals[card.data])))
        print(path)


def _load_originals(world: str, count: int) -> Images | None:
    from latentlab import datasets

    try:
        return datasets.load_world(world).test.take_batch(slice(0, count))[0]
    except UserError as error:
        print(f"latentlab: no originals on the sheets of {world}: {error}", file=sys.stderr)
        return None


def _format_card(name: str, card: Card) -> str:
    scores = ", ".join(f"{score} {value:g}" for score, value in card.scores.items() if not DETAILS.search(score))
    size = "×".join(map(str, card.image_shape))
    return f"{name:24} {card.kind:10} {size:9} {card.data:8} {_format_seconds(card.seconds):>7}  {scores}"


def _format_seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
