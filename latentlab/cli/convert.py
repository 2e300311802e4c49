"""`latentlab convert`: published StyleGAN2 weights as a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

HELP = "turn published StyleGAN2 weights (.pt of the rosinality layout, tensors only) into a checkpoint"


def flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("source", type=Path, metavar="FILE.pt")
    parser.add_argument("out", type=Path, metavar="FILE.safetensors")


def run(args: argparse.Namespace) -> None:
    from latentlab.models.convert import convert

    convert(args.source, args.out)
    print(args.out)
