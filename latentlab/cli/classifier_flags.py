"""The flags that bring one's own classifier, for every verb that takes one."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.store import Store

WEIGHTS_SUFFIX = ".safetensors"


def add_classifier_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("classifier")
    group.add_argument(
        "--classifier",
        metavar="NAME",
        help="one that `latentlab list` shows, or one's own: a folder of Hugging Face's, or FILE.safetensors with",
    )
    group.add_argument("--architecture", metavar="LIBRARY:NAME", help="torchvision:resnet18, timm:resnet18, …")
    group.add_argument("--classes", metavar="A,B,…", help="its class names in order, or @FILE with one a line")
    group.add_argument(
        "--mean",
        type=parse_numbers,
        metavar="R,G,B",
        help="its normalisation of [0, 1] (default: none)",
    )
    group.add_argument("--std", type=parse_numbers, metavar="R,G,B")
    group.add_argument(
        "--size",
        type=int,
        help="side of the images it was trained with, in pixels (default: as its architecture says, else the world's)",
    )


def choose_classifier(store: Store, args: argparse.Namespace) -> str | None:
    """Return the name under which the store knows the chosen classifier; a file is read in."""
    from latentlab.models.classifiers.hub_folder import HUB_CONFIG_FILE

    if args.classifier is not None and (Path(args.classifier) / HUB_CONFIG_FILE).is_file():
        return _tell_notes(lambda: store.bring_folder(Path(args.classifier)))
    if args.classifier is None or not args.classifier.endswith(WEIGHTS_SUFFIX):
        if args.architecture or args.classes:
            raise UserError(
                f"--architecture and --classes describe one's own --classifier FILE{WEIGHTS_SUFFIX}; name that file."
            )
        if args.classifier is not None:
            store.card(args.classifier)  # refuses a name that is not there
        return args.classifier
    if not args.architecture or not args.classes:
        raise UserError(f"{args.classifier} needs --architecture (torchvision:resnet18, …) and --classes (cat,dog,…).")
    names = parse_class_names(args.classes)
    return _tell_notes(
        lambda: store.bring_classifier(Path(args.classifier), args.architecture, names, args.mean, args.std, args.size)
    )


def _tell_notes(bring: Callable[[], str]) -> str:
    """Bring the network, and print what is found out about it."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        name = bring()
    for note in notes:
        print(f"latentlab: {note.message}", file=sys.stderr)
    return name


def parse_class_names(text: str) -> list[str]:
    if not text.startswith("@"):
        return [name.strip() for name in text.split(",")]
    try:
        return [line.strip() for line in Path(text[1:]).read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The class names in {text[1:]} cannot be read: {error}.") from error


def parse_numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be numbers with commas between, such as 0.5,0.5,0.5"
        ) from error
