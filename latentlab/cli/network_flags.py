"""The flags of every verb that loads networks: where they lie, and on which device they compute."""

from __future__ import annotations

import argparse

from latentlab.resources import CHECKPOINTS_VARIABLE, find_checkpoints_folder


def add_checkpoints_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoints",
        default=str(find_checkpoints_folder()),
        metavar="DIR",
        help=f"folder of the networks; also ${CHECKPOINTS_VARIABLE} (default: %(default)s)",
    )


def add_network_flags(parser: argparse.ArgumentParser) -> None:
    add_checkpoints_flag(parser)
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
