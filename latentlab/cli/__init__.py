"""`latentlab VERB` does what the page does, and what goes before it, without a page.

Each verb is a module with HELP, `add_VERB_flags(parser, argv)` and `run_VERB(args)`; what is heavy is imported when it
runs. A person's mistake is one line on stderr and exit code 2; a verb that checks something may end with another code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from latentlab.cli import (
    app,
    augment,
    benchmark,
    compare,
    convert,
    data,
    evaluate,
    fit,
    listing,
    project,
    reproduce,
    train,
)
from latentlab.errors import UserError

VERB_MODULES: dict[str, ModuleType] = {
    "app": app,
    "list": listing,
    "data": data,
    "fit": fit,
    "train": train,
    "compare": compare,
    "reproduce": reproduce,
    "evaluate": evaluate,
    "augment": augment,
    "project": project,
    "benchmark": benchmark,
    "convert": convert,
}


class VerbParser(argparse.ArgumentParser):
    """It is argparse, with its complaint as one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = build_parser(argv).parse_args(argv)
        code = args.run(args)
        sys.stdout.flush()
    except UserError as error:
        print(f"latentlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `latentlab list | head`: nobody reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code or 0


def build_parser(argv: Sequence[str]) -> VerbParser:
    whole = VerbParser(
        "latentlab", description="See what a latent-space augmentation does before paying for the training."
    )
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=VerbParser)
    for name, verb in VERB_MODULES.items():
        one = verbs.add_parser(name, help=verb.HELP, description=verb.HELP)
        one.set_defaults(run=verb.run)
        if argv[:1] == [name]:
            verb.flags(one, argv[1:])
    return whole
