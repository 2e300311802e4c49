"""`latentlab augment` takes a folder of pictures and makes a folder of pictures, their targets and the recipe."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import classifier_flags
from latentlab.cli.network_flags import add_network_flags

if TYPE_CHECKING:
    from latentlab.knobs import Setting

HELP = "move a folder of pictures as an operator or a published method does"
KNOB_PREFIX = "knob_"  # before the names of knobs among the parsed flags: a knob may be called as a flag


def add_augment_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    from latentlab.operators import CORRUPTIONS, METHODS, OPERATORS

    parser.add_argument("source", type=Path, metavar="IN", help="folder of pictures; subfolders are taken for classes")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="new folder: pictures, pictures.csv, targets.csv, recipe.json"
    )
    _add_tool_flags(parser, required=True)
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="`latentlab list` shows them; WORLD-pixels for none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--batch", type=int, default=64, help="pictures that are moved, and mixed, together (default: 64)"
    )
    add_network_flags(parser)
    parser.add_argument("--json", action="store_true", help="say what was done as JSON")
    classifier_flags.add_classifier_flags(parser)
    _add_named_knobs(parser, argv)
    parser.epilog = f"operators: {', '.join([*OPERATORS, *CORRUPTIONS])}. methods: {', '.join(METHODS)}."


def _add_tool_flags(parser: argparse.ArgumentParser, required: bool) -> None:
    choice = parser.add_mutually_exclusive_group(required=required)
    choice.add_argument("--operator", metavar="NAME", help="with --help: its knobs")
    choice.add_argument("--method", metavar="NAME", help="a published method; its knobs can be changed as well")


def _add_named_knobs(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the knobs of the operator that the line names."""
    from latentlab.knobs import list_settings
    from latentlab.operators import make_operator

    first = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_tool_flags(first, required=False)
    try:
        name = _choose_tool_name(first.parse_known_args(argv)[0])
    except argparse.ArgumentError:  # the whole parser says what is wrong
        return
    if name is None:
        return
    tool = make_operator(name)
    group = parser.add_argument_group(f"knobs of {name}")
    for setting in list_settings(type(tool)):
        add_knob_flag(group, setting, getattr(tool, setting.name))


def add_knob_flag(group: argparse._ArgumentGroup, setting: Setting, default: Any) -> None:
    knob, kind = setting.knob, setting.type
    shown = ",".join(default) if kind is tuple else default
    bounds = "" if knob.low is None or knob.high is None else f", {knob.low:g} to {knob.high:g}"
    text = f"{knob.help}{bounds} {knob.unit}".strip().replace("%", "%%")
    options: dict[str, Any] = {"help": f"{text} (default: {shown})"}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        options["type"] = {tuple: lambda text: tuple(text.split(",")), float: float, int: int}.get(kind, str)
        options["metavar"] = ("," if kind is tuple else "|").join(knob.choices) or kind.__name__.upper()
    flag = f"--{setting.name.replace('_', '-')}"
    group.add_argument(flag, dest=KNOB_PREFIX + setting.name, default=argparse.SUPPRESS, **options)


def add_knob_flags(parser: argparse.ArgumentParser, cls: type, skip: Sequence[str] = ()) -> None:
    """Add a flag for every knob of a tool but these."""
    from latentlab.knobs import list_settings

    group = parser.add_argument_group("knobs")
    for setting in list_settings(cls):
        if setting.name not in skip:
            add_knob_flag(group, setting, setting.default)


def collect_knobs(args: argparse.Namespace) -> dict[str, Any]:
    """Return the knobs that were set, by name."""
    return {key.removeprefix(KNOB_PREFIX): value for key, value in vars(args).items() if key.startswith(KNOB_PREFIX)}


def _choose_tool_name(args: argparse.Namespace) -> str | None:
    return args.operator or args.method


def run_augment(args: argparse.Namespace) -> None:
    from latentlab.cli import augment_folder
    from latentlab.knobs import tool_to_json
    from latentlab.operators import make_operator
    from latentlab.recipe import Recipe
    from latentlab.store import Store

    store = Store(args.checkpoints, args.device)
    classifier = classifier_flags.choose_classifier(store, args)
    recipe = Recipe(
        model=args.model,
        model_digest=store.digest(args.model),
        classifier=classifier,
        classifier_digest=store.digest(classifier) if classifier else None,
        operator=_choose_tool_name(args) or "",
        settings=tool_to_json(make_operator(_choose_tool_name(args) or "", collect_knobs(args))),
        seed=args.seed,
    )
    done, skipped = augment_folder.augment_folder(args.source, args.out, recipe, store, args.batch)
    if args.json:
        print(
            json.dumps(
                {"out": str(args.out), "pictures": done, "skipped": skipped, "recipe": json.loads(recipe.to_json())}
            )
        )
    else:
        print(f"{args.out}: {done} pictures and recipe.json{f', {skipped} skipped' if skipped else ''}")
