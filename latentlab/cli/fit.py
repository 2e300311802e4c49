"""`latentlab fit`: a network from scratch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from latentlab.cli.torchrun import is_first_process

HELP = "train a network from scratch; the same command goes on where it was stopped"


def add_fit_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument(
        "kind",
        metavar="KIND",
        help="glow, vae, stylegan2, airbench, resnet18, resnet20, resnet, or classifier: the one that suits the size",
    )
    parser.add_argument("--data", required=True, metavar="WORLD", help="digits, cifar10, mnist, faces, or one's own")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="checkpoints/WORLD-KIND.safetensors")
    parser.add_argument("--minutes", type=float, help="budget of time")
    parser.add_argument("--steps", type=int, help="budget of updates; the first budget that is used up ends the fit")
    parser.add_argument("--from", dest="parent", type=Path, metavar="FILE", help="start from this checkpoint's weights")
    parser.add_argument("--eye", type=Path, metavar="FILE", help="a classifier of the data, for a stylegan2 or vae")
    parser.add_argument("--batch", type=int, help="images an update (default: as suits the kind)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")


def run_fit(args: argparse.Namespace) -> None:
    from latentlab.training.fit import fit

    names = ("minutes", "steps", "batch", "seed", "device", "parent", "eye")
    card = fit(args.kind, args.data, args.out, **{name: getattr(args, name) for name in names})
    if is_first_process():
        scores = ", ".join(f"{score} {value:g}" for score, value in card.scores.items())
        print(f"{args.out}: {card.images_seen:,} images in {card.seconds:.0f} s on {card.device}; {scores}")
