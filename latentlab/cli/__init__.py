"""`latentlab VERB` does what the page does, and what goes before it, without a page.

Each verb is a module and a row of `VERBS`; what is heavy is imported when it runs. A person's mistake is one line on
stderr and exit code 2; a verb that checks something may end with another code. What a verb computes belongs in the room
of its noun; here are its flags, its order of calls and its words.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import NoReturn

from latentlab.cli import (
    app,
    audit,
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
    world,
)
from latentlab.disk import explain_disk_errors
from latentlab.errors import UserError


@dataclass(frozen=True)
class Verb:
    """A verb has a line of help, flags of its own, and something to do with them."""

    help: str
    add_flags: Callable[[argparse.ArgumentParser, Sequence[str]], None]
    run: Callable[[argparse.Namespace], int | None]


VERBS: dict[str, Verb] = {
    "app": Verb(app.HELP, app.add_app_flags, app.run_app),
    "list": Verb(listing.HELP, listing.add_list_flags, listing.run_list),
    "data": Verb(data.HELP, data.add_data_flags, data.run_data),
    "world": Verb(world.HELP, world.add_world_flags, world.run_world),
    "fit": Verb(fit.HELP, fit.add_fit_flags, fit.run_fit),
    "train": Verb(train.HELP, train.add_train_flags, train.run_train),
    "compare": Verb(compare.HELP, compare.add_compare_flags, compare.run_compare),
    "reproduce": Verb(reproduce.HELP, reproduce.add_reproduce_flags, reproduce.run_reproduce),
    "audit": Verb(audit.HELP, audit.add_audit_flags, audit.run_audit),
    "evaluate": Verb(evaluate.HELP, evaluate.add_evaluate_flags, evaluate.run_evaluate),
    "augment": Verb(augment.HELP, augment.add_augment_flags, augment.run_augment),
    "project": Verb(project.HELP, project.add_project_flags, project.run_project),
    "benchmark": Verb(benchmark.HELP, benchmark.add_benchmark_flags, benchmark.run_benchmark),
    "convert": Verb(convert.HELP, convert.add_convert_flags, convert.run_convert),
}


class VerbParser(argparse.ArgumentParser):
    """It is argparse, with its complaint as one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    accept_any_letter()
    try:
        args = build_parser(argv).parse_args(argv)
        with explain_disk_errors():
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


def accept_any_letter() -> None:
    """Let a terminal of a small code page show a λ as \\u03bb instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def build_parser(argv: Sequence[str]) -> VerbParser:
    whole = VerbParser(
        "latentlab", description="See what a latent-space augmentation does before paying for the training."
    )
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=VerbParser)
    for name, verb in VERBS.items():
        one = verbs.add_parser(name, help=verb.help, description=verb.help)
        one.set_defaults(run=verb.run)
        if argv[:1] == [name]:
            verb.add_flags(one, argv[1:])
    return whole
