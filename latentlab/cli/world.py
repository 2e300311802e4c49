"""`latentlab world` makes a world of a folder of pictures, and says before what it would be."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from latentlab.cli.network_flags import add_checkpoints_flag
from latentlab.errors import UserError

HELP = "make a world of a folder of pictures, to look at, move and map at once; with --fit its networks too"
FIT_NAMES = ("crop", "pad", "stretch")  # of `images.PICTURE_FITS`


def add_world_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pictures; a folder per class, or any other order")
    parser.add_argument("--name", metavar="TEXT", help="what the page calls it, in any letters (default: the folder's)")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="CSV, JSON lines or Parquet: a file and its class, or a file and a 0/1 for each attribute "
        "(default: metadata.csv or .jsonl as Hugging Face lays them, else the folders)",
    )
    parser.add_argument("--size", metavar="SIDE|WxH", help="of its pictures in pixels (default: proposed)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="grey or colour (default: as the files are)")
    parser.add_argument(
        "--shape-by", choices=FIT_NAMES, default="crop", help="crop the centre, pad or stretch (default: crop)"
    )
    parser.add_argument("--licence", default="", metavar="TEXT", help="of the pictures; every card repeats it")
    parser.add_argument("--report", action="store_true", help="say what it would be, and make nothing")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw some of its pictures as they would be")
    parser.add_argument("--replace", action="store_true", help="make it anew where it is there already")
    parser.add_argument("--json", action="store_true", help="say what was made as JSON")
    add_world_fit_flags(parser)


def add_world_fit_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("networks")
    group.add_argument(
        "--fit",
        nargs="+",
        metavar="KIND",
        default=[],
        help="vae, glow, stylegan2, classifier, …: one after the other; the same command goes on where it was stopped",
    )
    group.add_argument(
        "--minutes", type=float, nargs="+", metavar="M", help="for all of them or each (default: proposed by measuring)"
    )
    group.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    add_checkpoints_flag(parser)


def run_world(args: argparse.Namespace) -> None:
    from latentlab import datasets

    title = (args.name if args.name is not None else args.folder.resolve().name).strip()
    slug = datasets.make_slug(title)
    path = datasets.find_data_folder() / f"{slug}.npz"
    goes_on = path.exists() and not args.replace
    if goes_on and not args.fit and not args.report:
        raise UserError(f"{path} is there already; --replace makes it anew, --name makes another, --fit goes on.")
    if not goes_on or args.report:
        made = make_world_of_folder(args, path, title)
        print(json.dumps({"world": slug, "title": title, **made}) if args.json else _format_made(title, slug, made))
    if args.fit and not args.report:
        from latentlab.cli.world_fits import fit_world_networks

        fit_world_networks(slug, args.fit, args.minutes, Path(args.checkpoints), args.device)


def make_world_of_folder(args: argparse.Namespace, path: Path, title: str) -> dict[str, object]:
    """Report on the folder and, unless that is all that is wanted, write the world; return what was made."""
    from latentlab.datasets.labelled_pictures import collect_pictures
    from latentlab.datasets.world_making import choose_world_shape, draw_crops, make_world
    from latentlab.datasets.world_survey import survey_pictures
    from latentlab.images import png
    from latentlab.training.fit import describe_unfit_kinds

    survey = survey_pictures(collect_pictures(args.folder, args.labels))
    shape = choose_world_shape(args.size, args.channels, survey.proposed)
    report = [*survey.write_report(shape), *describe_unfit_kinds(shape)]
    if not args.json:
        print("\n".join(report), flush=True)
    if args.sheet:
        args.sheet.write_bytes(png(draw_crops(survey, shape, args.shape_by)))
        print(args.sheet)
    if args.report:
        return {"report": report}
    made = make_world(survey, path, title, shape, args.shape_by, args.licence)
    skipped = list(made.skipped)
    return {"report": report, "file": str(path), "train": made.train, "test": made.test, "skipped": skipped}


def _format_made(title: str, slug: str, made: dict[str, object]) -> str:
    if "file" not in made:
        return "nothing was made: leave --report out"
    skipped = made["skipped"]
    assert isinstance(skipped, list)
    lines = [f"left out: {reason}" for reason in skipped[:5]]
    lines += [f"… and {len(skipped) - 5} more"] if len(skipped) > 5 else []
    where = f"{made['file']}: the world {title!r}"
    return "\n".join(
        [*lines, f"{where}; `latentlab app` opens it, `latentlab fit KIND --data {slug} …` makes its networks"]
    )
