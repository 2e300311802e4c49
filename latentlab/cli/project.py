"""`latentlab project`: a data set in a space of its own, laid out in the plane."""

from __future__ import annotations

import argparse
import csv
import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli.augment import given
from latentlab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.data import World
    from latentlab.projections import Fitted, Projection, Quality
    from latentlab.types import Images, ImageShape

HELP = "lay out a model's latents or a classifier's features: coordinates as CSV, or a page that opens alone"
METHODS = ("pca", "pacmap", "umap")  # the keys of PROJECTIONS, which --help must not import
AXES = ("x", "y", "z")
NEIGHBOURS = 15  # of the quality's figures


def flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("space", metavar="SPACE", help="a model or a classifier that `latentlab list` shows")
    parser.add_argument("--data", metavar="WORLD", help="data set (default: the one that SPACE was fitted on)")
    parser.add_argument("--method", choices=METHODS, default="pacmap", help="(default: pacmap); with --help: its knobs")
    parser.add_argument("--split", choices=("test", "train"), default="test", help="(default: test)")
    parser.add_argument("--count", type=int, default=2000, help="its first so many images (default: 2000)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.csv or FILE.html")
    parser.add_argument("--checkpoints", default="checkpoints", metavar="DIR", help="folder of the networks")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument("--json", action="store_true", help="say what was done, and the quality, as JSON")
    _knob_flags(parser, argv)


def _knob_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """The knobs of the method that the line names."""
    from latentlab.cli.augment import knob_flag
    from latentlab.knobs import settings
    from latentlab.projections import PROJECTIONS

    first = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    first.add_argument("--method", default="pacmap")
    name = first.parse_known_args(argv)[0].method
    if name not in PROJECTIONS:
        return  # the whole parser says what is wrong
    group = parser.add_argument_group(f"knobs of {name}")
    for setting in settings(PROJECTIONS[name]):
        knob_flag(group, setting, setting.default)


def run(args: argparse.Namespace) -> None:
    from latentlab import data, spaces
    from latentlab.projections import quality
    from latentlab.store import Store

    _writable(args.out)
    store = Store(args.checkpoints, args.device)
    network = store.load(args.space)
    world = data.load(args.data or store.card(args.space).data)
    images, labels = _images(world, args.split, args.count, network.image_shape)
    points = spaces.points(network, images)
    fitted = _tool(args).fit(points)
    figures = quality(points, fitted.coordinates, min(NEIGHBOURS, (len(points) - 1) // 2))
    names = _names(world, labels, args.space)
    if args.out.suffix == ".csv":
        _csv(args.out, fitted, names)
    else:
        write_html(args.out, f"{args.space} on {world.name} {args.split}, {args.method}", fitted, names)
    print(_json(args, fitted, figures) if args.json else _words(args, fitted, figures))


def _writable(out: Path) -> None:
    if out.suffix == ".parquet":
        raise UserError("Parquet needs pyarrow, which LatentLab does not install; write FILE.csv.")
    if out.suffix not in (".csv", ".html"):
        raise UserError(f"{out.name} must end in .csv or .html, which says what it shall be.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent}; make it first.")


def _tool(args: argparse.Namespace) -> Projection:
    from latentlab.knobs import from_json
    from latentlab.projections import PROJECTIONS

    return from_json(PROJECTIONS[args.method], given(args))


def _images(world: World, split: str, count: int, shape: ImageShape) -> tuple[Images, Tensor]:
    if count < 1:
        raise UserError(f"--count is {count}; it must be 1 or more.")
    if tuple(world.image_shape) != tuple(shape):
        sizes = ["×".join(map(str, each)) for each in (world.image_shape, shape)]
        raise UserError(f"The images of {world.name} are {sizes[0]}, SPACE takes {sizes[1]}; choose other --data.")
    return getattr(world, split).batch(slice(0, count))


def _names(world: World, labels: Tensor, space: str) -> list[str]:
    """Of each image its class; of attributes the one that SPACE names, else the first."""
    if not world.multilabel:
        return [world.classes[label] for label in labels.tolist()]
    attribute = space.partition(":")[2]
    place = world.classes.index(attribute) if attribute in world.classes else 0
    name = world.classes[place]
    return [name if on else f"not {name}" for on in labels[:, place].tolist()]


def _csv(out: Path, fitted: Fitted, names: Sequence[str]) -> None:
    """A row an image, in the order of the data set."""
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["row", "label", *AXES[: fitted.projection.dims]])
        for row, (name, place) in enumerate(zip(names, fitted.coordinates.tolist(), strict=True)):
            rows.writerow([row, name, *(f"{number:.6g}" for number in place)])


def write_html(out: Path, title: str, fitted: Fitted, names: Sequence[str]) -> None:
    """Plotly's script lies in the file, which asks for nothing else."""
    from plotly.io import to_html

    heading = {"text": html.escape(title, quote=False)}
    figure = {
        "data": [_trace(fitted, names, name) for name in sorted(set(names))],
        "layout": {"title": heading, "legend": {"itemsizing": "constant"}, "hovermode": "closest"},
    }
    figure["layout"] |= {"yaxis": {"scaleanchor": "x"}} if fitted.projection.dims == 2 else {}
    out.write_text(to_html(figure, {"displaylogo": False, "responsive": True}, validate=False), "utf-8")


def _trace(fitted: Fitted, names: Sequence[str], name: str) -> dict[str, Any]:
    """One class; Plotly reads a subset of HTML in its texts, so names are escaped."""
    rows = [row for row, other in enumerate(names) if other == name]
    flat = fitted.projection.dims == 2
    return {
        "type": "scattergl" if flat else "scatter3d",
        "mode": "markers",
        "name": html.escape(name, quote=False),
        "marker": {"size": 5 if flat else 3, "opacity": 0.8},
        "text": [f"row {row}" for row in rows],
        **{axis: fitted.coordinates[rows, place].tolist() for place, axis in enumerate(AXES[: fitted.projection.dims])},
    }


def _json(args: argparse.Namespace, fitted: Fitted, figures: Quality) -> str:
    from latentlab.knobs import to_json

    return json.dumps(
        {
            "out": str(args.out),
            "space": args.space,
            "method": args.method,
            "knobs": to_json(fitted.projection),
            "count": len(fitted.coordinates),
            "quality": asdict(figures),
        }
    )


def _words(args: argparse.Namespace, fitted: Fitted, figures: Quality) -> str:
    return (
        f"{args.out}: {len(fitted.coordinates)} points by {args.method}; trustworthiness "
        f"{figures.trustworthiness:.3f}, neighbours preserved {figures.preservation:.1%} "
        f"({figures.neighbours} neighbours, among {figures.points} points)"
    )
