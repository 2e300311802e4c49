"""`latentlab fit`: a network from scratch; from flags, or as the process of a run's directory."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from latentlab.cli import exec
from latentlab.cli.torchrun import is_first_process
from latentlab.errors import UserError

HELP = "train a network from scratch; the same command goes on where it was stopped"


def add_fit_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument(
        "kind",
        metavar="KIND",
        nargs="?",
        help="glow, vae, stylegan2, airbench, resnet18, resnet20, resnet, or classifier: the one that suits the size",
    )
    parser.add_argument("--data", metavar="WORLD", help="digits, cifar10, mnist, faces, or one's own")
    parser.add_argument("--out", type=Path, metavar="FILE", help="checkpoints/WORLD-KIND.safetensors")
    parser.add_argument("--minutes", type=float, help="budget of time")
    parser.add_argument("--steps", type=int, help="budget of updates; the first budget that is used up ends the fit")
    parser.add_argument("--from", dest="parent", type=Path, metavar="FILE", help="start from this checkpoint's weights")
    parser.add_argument("--eye", type=Path, metavar="FILE", help="a classifier of the data, for a stylegan2 or vae")
    parser.add_argument("--batch", type=int, help="images an update (default: as suits the kind)")
    parser.add_argument("--seed", type=int, default=0)
    group = parser.add_argument_group("as a run of the page")
    group.add_argument("--run", dest="folder", type=Path, metavar="DIR", help="do what config.json in DIR says")
    exec.add_store_flags(parser)


def run_fit(args: argparse.Namespace) -> int:
    if args.folder:
        return _run_fit_directory(args)
    if not (args.kind and args.data and args.out):
        raise UserError("Say what to fit: KIND, --data WORLD and --out FILE; or --run DIR.")
    from latentlab.training.fit import fit

    names = ("minutes", "steps", "batch", "seed", "device", "parent", "eye")
    card = fit(args.kind, args.data, args.out, **{name: getattr(args, name) for name in names})
    if is_first_process():
        scores = ", ".join(f"{score} {value:g}" for score, value in card.scores.items())
        print(f"{args.out}: {card.images_seen:,} images in {card.seconds:.0f} s on {card.device}; {scores}")
    return 0


def _run_fit_directory(args: argparse.Namespace) -> int:
    """Follow a fit whose events go into its directory, where the page reads them."""
    import json

    from latentlab.fit_run import FitFiles, iterate_fit_events
    from latentlab.knobs import tool_from_json
    from latentlab.runs import layout
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.fit_config import FitConfig

    directory = RunDirectory.open_at(args.folder)
    config = tool_from_json(FitConfig, directory.read_config(layout.FIT_VERB))
    files = FitFiles(directory.files.resume, directory.files.out, args.folder / layout.SHEET_FILE)
    store = exec.open_store(args)
    return exec.follow_run(
        directory,
        lambda asked: iterate_fit_events(config, store, files, asked),
        lambda event: print(json.dumps(event), flush=True),
    )
