"""`latentlab convert`: published StyleGAN2 weights as a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

HELP = "turn published StyleGAN2 weights (rosinality's .pt, NVlabs's .pkl of StyleGAN2-ADA) into a checkpoint"


def add_convert_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("source", type=Path, metavar="FILE.pt|FILE.pkl")
    parser.add_argument("out", type=Path, metavar="FILE.safetensors")


def run_convert(args: argparse.Namespace) -> None:
    from latentlab.models.stylegan2.convert import convert_stylegan2

    convert_stylegan2(args.source, args.out)
    print(args.out)
