"""`latentlab project` lays a data set in a space of its own out in the plane."""

from __future__ import annotations

import argparse
import csv
import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli.augment import collect_knobs
from latentlab.cli.network_flags import add_network_flags
from latentlab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.datasets import Dataset
    from latentlab.projections import FittedProjection, Projection, ProjectionQuality
    from latentlab.types import Images, ImageShape

HELP = "lay out a model's latents or a classifier's features: coordinates as CSV, or a page that opens alone"
PROJECTION_NAMES = ("pca", "pacmap", "umap")  # the keys of PROJECTIONS, which --help must not import
AXIS_NAMES = ("x", "y", "z")
QUALITY_NEIGHBOURS = 15  # of the quality's figures


def add_project_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("space", metavar="SPACE", help="a model or a classifier that `latentlab list` shows")
    parser.add_argument("--data", metavar="WORLD", help="data set (default: the one that SPACE was fitted on)")
    parser.add_argument(
        "--method", choices=PROJECTION_NAMES, default="pacmap", help="(default: pacmap); with --help: its knobs"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="(default: test)")
    parser.add_argument("--count", type=int, default=2000, help="its first so many images (default: 2000)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.csv or FILE.html")
    add_network_flags(parser)
    parser.add_argument("--json", action="store_true", help="say what was done, and the quality, as JSON")
    _add_method_knobs(parser, argv)


def _add_method_knobs(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the knobs of the method that the line names."""
    from latentlab.cli.augment import add_knob_flag
    from latentlab.knobs import list_settings
    from latentlab.projections import PROJECTIONS

    first = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    first.add_argument("--method", default="pacmap")
    name = first.parse_known_args(argv)[0].method
    if name not in PROJECTIONS:
        return  # the whole parser says what is wrong
    group = parser.add_argument_group(f"knobs of {name}")
    for setting in list_settings(PROJECTIONS[name]):
        add_knob_flag(group, setting, setting.default)


def run_project(args: argparse.Namespace) -> None:
    from latentlab import datasets, embeddings
    from latentlab.projections import measure_projection
    from latentlab.store import Store

    _check_output(args.out)
    store = Store(args.checkpoints, args.device)
    network = store.load(args.space)
    world = datasets.load_world(args.data or store.card(args.space).data)
    images, labels = _load_images(world, args.split, args.count, network.image_shape)
    points = embeddings.embed_images(network, images)
    fitted = _make_projection(args).fit(points)
    figures = measure_projection(points, fitted.coordinates, min(QUALITY_NEIGHBOURS, (len(points) - 1) // 2))
    names = _name_labels(world, labels, args.space)
    if args.out.suffix == ".csv":
        _write_csv(args.out, fitted, names)
    else:
        write_projection_page(args.out, f"{args.space} on {world.name} {args.split}, {args.method}", fitted, names)
    print(_format_json(args, fitted, figures) if args.json else _describe_result(args, fitted, figures))


def _check_output(out: Path) -> None:
    if out.suffix == ".parquet":
        raise UserError("Parquet needs pyarrow, which LatentLab does not install; write FILE.csv.")
    if out.suffix not in (".csv", ".html"):
        raise UserError(f"{out.name} must end in .csv or .html, which says what it shall be.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent}; make it first.")


def _make_projection(args: argparse.Namespace) -> Projection:
    from latentlab.knobs import tool_from_json
    from latentlab.projections import PROJECTIONS

    return tool_from_json(PROJECTIONS[args.method], collect_knobs(args))


def _load_images(world: Dataset, split: str, count: int, shape: ImageShape) -> tuple[Images, Tensor]:
    if count < 1:
        raise UserError(f"--count is {count}; it must be 1 or more.")
    if tuple(world.image_shape) != tuple(shape):
        sizes = ["×".join(map(str, each)) for each in (world.image_shape, shape)]
        raise UserError(f"The images of {world.name} are {sizes[0]}, SPACE takes {sizes[1]}; choose other --data.")
    return getattr(world, split).take_batch(slice(0, count))


def _name_labels(world: Dataset, labels: Tensor, space: str) -> list[str]:
    """Return each image's class; where labels are attributes, the one that SPACE names, else the first."""
    if not world.classes:
        return [""] * len(labels)
    if not world.multilabel:
        return [world.classes[label] for label in labels.tolist()]
    attribute = space.partition(":")[2]
    place = world.classes.index(attribute) if attribute in world.classes else 0
    name = world.classes[place]
    return [name if on else f"not {name}" for on in labels[:, place].tolist()]


def _write_csv(out: Path, fitted: FittedProjection, names: Sequence[str]) -> None:
    """Write a row an image, in the order of the data set."""
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["row", "label", *AXIS_NAMES[: fitted.projection.dims]])
        for row, (name, place) in enumerate(zip(names, fitted.coordinates.tolist(), strict=True)):
            rows.writerow([row, name, *(f"{number:.6g}" for number in place)])


def write_projection_page(out: Path, title: str, fitted: FittedProjection, names: Sequence[str]) -> None:
    """Write a page that asks for nothing else: Plotly's script lies in the file."""
    from plotly.io import to_html

    heading = {"text": html.escape(title, quote=False)}
    figure = {
        "data": [_build_trace(fitted, names, name) for name in sorted(set(names))],
        "layout": {"title": heading, "legend": {"itemsizing": "constant"}, "hovermode": "closest"},
    }
    figure["layout"] |= {"yaxis": {"scaleanchor": "x"}} if fitted.projection.dims == 2 else {}
    out.write_text(to_html(figure, {"displaylogo": False, "responsive": True}, validate=False), "utf-8")


def _build_trace(fitted: FittedProjection, names: Sequence[str], name: str) -> dict[str, Any]:
    """Return the trace of one class; Plotly reads a subset of HTML in its texts, so names are escaped."""
    rows = [row for row, other in enumerate(names) if other == name]
    flat = fitted.projection.dims == 2
    return {
        "type": "scattergl" if flat else "scatter3d",
        "mode": "markers",
        "name": html.escape(name, quote=False),
        "marker": {"size": 5 if flat else 3, "opacity": 0.8},
        "text": [f"row {row}" for row in rows],
        **{
            axis: fitted.coordinates[rows, place].tolist()
            for place, axis in enumerate(AXIS_NAMES[: fitted.projection.dims])
        },
    }


def _format_json(args: argparse.Namespace, fitted: FittedProjection, figures: ProjectionQuality) -> str:
    from latentlab.knobs import tool_to_json

    return json.dumps(
        {
            "out": str(args.out),
            "space": args.space,
            "method": args.method,
            "knobs": tool_to_json(fitted.projection),
            "count": len(fitted.coordinates),
            "quality": asdict(figures),
        }
    )


def _describe_result(args: argparse.Namespace, fitted: FittedProjection, figures: ProjectionQuality) -> str:
    return (
        f"{args.out}: {len(fitted.coordinates)} points by {args.method}; trustworthiness "
        f"{figures.trustworthiness:.3f}, neighbours preserved {figures.preservation:.1%} "
        f"({figures.neighbours} neighbours, among {figures.points} points)"
    )
