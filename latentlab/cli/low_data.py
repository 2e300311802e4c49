"""`latentlab reproduce low-data`: the papers' augmentations on few images, at equal distance travelled."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import exec
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.store import Store
    from latentlab.training.augmented import Config
    from latentlab.types import Batch

FIXED_WEIGHT = {
    "weight": "fixed"
}  # λ is calibrated; a drawn one travels half the way to the partner on average, whatever α is


@dataclass(frozen=True)
class Arm:
    """A published method and the knob that says how far it moves; `standard` and `reconstruct` have none."""

    method: str
    kind: str  # of its space
    knob: str = ""
    settings: tuple[tuple[str, Any], ...] = ()


ARMS: dict[str, Arm | None] = {
    "standard": None,
    "mixup": Arm("mixup", "pixels", "lam", tuple(FIXED_WEIGHT.items())),
    "k-mixup": Arm("k-mixup", "pixels", "lam", (*FIXED_WEIGHT.items(), ("distinct", True))),
    "varmixup": Arm("varmixup", "vae", "lam", tuple(FIXED_WEIGHT.items())),
    "randomized-la": Arm("randomized-la", "glow", "epsilon"),
    "adversarial-la": Arm("adversarial-la", "glow", "epsilon"),
    "reconstruct": Arm("reconstruct", "vae"),
    "pixel-pgd": Arm("pixel-pgd", "pixels", "epsilon"),
}
PAPER_PROTOCOL: dict[str, Any] = {  # Yuksel et al. 2021, as in okyksl/flow-lp
    "network": "resnet18",
    "optimiser": "sgd",
    "rate": 0.1,
    "schedule": "fifths",
    "epochs": 200,
    "batch": 128,
}
WORLD_PROTOCOLS: dict[str, dict[str, Any]] = {"digits": {"network": "resnet", "epochs": 0, "steps": 100, "batch": 32}}
DEFAULTS: dict[str, Any] = {  # of the flags that no other experiment has
    "data": "digits",
    "percent": 5.0,
    "distance": 2.0,
    "methods": ",".join(ARMS),
    "network": None,
    "epochs": None,
}
QUICK_SEEDS, QUICK_STEPS, USUAL_SEEDS = 2, 2, 3
FIGURE_TITLES = {"accuracy": "test accuracy", "corrupted": "under corruptions", "nll": "NLL"}


def add_low_data_flags(parser: argparse.ArgumentParser) -> None:
    own = parser.add_argument_group("low-data")
    own.add_argument(
        "--data", default=DEFAULTS["data"], metavar="WORLD", help="cifar10, or digits in a minute (default)"
    )
    own.add_argument("--percent", type=float, default=DEFAULTS["percent"], help="of the training images (default: 5)")
    own.add_argument(
        "--distance", type=float, default=DEFAULTS["distance"], help="mean l2 from the clean path (default: 2)"
    )
    own.add_argument("--methods", default=DEFAULTS["methods"], metavar="A,B,…", help=f"some of {', '.join(ARMS)}")
    own.add_argument("--network", help="resnet, resnet18 or airbench (default: as suits the data)")
    own.add_argument("--epochs", type=float, help="budget (default: 200 as published, for digits 100 steps)")


def run_low_data(args: argparse.Namespace, store: Store) -> int:
    names = args.methods.split(",")
    if unknown := [name for name in names if name not in ARMS]:
        raise UserError(f"There is no method {unknown[0][:40]!r} here; choose from {', '.join(ARMS)}.")
    arms = _calibrate_arms(args, names, store)
    cells = {}
    for seed in range(args.seeds):  # all methods of one seed first: an unfinished table is already fair
        for name in names:
            code, cells[name, seed] = _train_cell(
                args.out / f"{name}-{seed}", _build_config(args, arms[name], seed), store, args.json
            )
            if code:
                return code
    table = _build_table(names, args.seeds, cells, arms)
    (args.out / "low-data.json").write_text(json.dumps(table, indent=1), "utf-8")
    _write_plot(table, args)
    print(json.dumps(table) if args.json else _format_table(table))
    return 0


def _build_config(args: argparse.Namespace, arm: dict[str, Any], seed: int) -> Config:
    from latentlab.knobs import tool_from_json
    from latentlab.training.augmented import Config

    asked = {"network": args.network, "epochs": args.epochs, "steps": args.steps}
    if args.steps and args.epochs is None:
        asked["epochs"] = 0
    knobs = WORLD_PROTOCOLS.get(args.data, PAPER_PROTOCOL) | {
        name: value for name, value in asked.items() if value is not None
    }
    own = {"world": args.data, "fraction": args.percent / 100, "validation": 0, "seed": seed}
    return tool_from_json(Config, {**knobs, **own, "augmentations": arm["augmentations"]})


def _calibrate_arms(args: argparse.Namespace, names: Sequence[str], store: Store) -> dict[str, dict[str, Any]]:
    """Return each method's augmentation at the distance that is asked for; measured once, then read again."""
    path = args.out / "arms.json"
    order = {"data": args.data, "distance": args.distance}
    known = json.loads(path.read_text("utf-8")) if path.exists() else {"order": order, "arms": {}}
    if known["order"] != order:
        raise UserError(f"{args.out} holds the experiment {known['order']}, not {order}; name another --out.")
    batch = _load_batch(args, store)
    for name in names:
        if name not in known["arms"]:
            known["arms"][name] = _calibrate_arm(name, args, store, batch)
            args.out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known, indent=1), "utf-8")
    return known["arms"]


def _calibrate_arm(name: str, args: argparse.Namespace, store: Store, batch: Batch) -> dict[str, Any]:
    """Set a method to the distance and say how far it moves, measured against the world's own classifier: the ones in
    training do not exist yet.
    """
    from latentlab.operators import calibrate_knob, make_operator, measure_distance, rebuild_images

    arm = ARMS[name]
    if arm is None:
        return {"augmentations": [], "from clean": 0.0, "from image": 0.0}
    space = f"{args.data}-{arm.kind}"
    operator = make_operator(arm.method, dict(arm.settings))
    if arm.knob:
        bench = store.bench(space, f"{args.data}-resnet")
        operator = calibrate_knob(operator, arm.knob, args.distance, batch, bench)
    bench = store.bench(space, f"{args.data}-resnet")
    moved = operator(batch, bench).images
    return {
        "augmentations": [
            {"method": arm.method, "settings": _find_changed_knobs(arm.method, operator), "space": space}
        ],
        "from clean": round(float(measure_distance(moved, rebuild_images(batch, bench)).mean()), 3),
        "from image": round(float(measure_distance(moved, batch.images).mean()), 3),
    }


def _find_changed_knobs(method: str, operator: Any) -> dict[str, Any]:
    """Return the knobs that are not as published."""
    from latentlab.knobs import tool_to_json
    from latentlab.operators import make_operator

    published = tool_to_json(make_operator(method))
    return {name: value for name, value in tool_to_json(operator).items() if value != published[name]}


def _load_batch(args: argparse.Namespace, store: Store) -> Batch:
    from torch.nn.functional import one_hot

    from latentlab import chance, datasets
    from latentlab.types import Batch

    world = datasets.load_world(args.data)
    if world.multilabel:
        raise UserError(f"{world.name} has attributes, not classes; choose digits or cifar10.")
    images, labels = world.train.take_batch(chance.draw_permutation(len(world.train), chance.make_generator(0))[:32])
    return Batch(images.to(store.device), one_hot(labels, len(world.classes)).float().to(store.device))


def _train_cell(path: Path, config: Config, store: Store, quiet: bool) -> tuple[int, dict[str, float]]:
    """Train one run in a directory of its own: a finished one is only read, a half-done one goes on."""
    from latentlab.knobs import tool_to_json
    from latentlab.runs.writer import RunDirectory
    from latentlab.training.augmented import train_classifier

    directory = RunDirectory.open_at(path)
    directory.write_config("train", tool_to_json(config))
    code = 0
    if not directory.is_finished:
        if not quiet:
            print(f"{path.name} …", flush=True)
        code = exec.follow_run(
            directory, lambda asked: train_classifier(config, store, directory.files, asked), lambda event: None
        )
    last = (directory.read_events() or [{}])[-1]
    return code or (1 if last.get("state") == "stopped" else 0), last.get("scores", {})


def _build_table(
    names: Sequence[str], seeds: int, cells: dict[Any, dict[str, float]], arms: dict[str, Any]
) -> list[Any]:
    """Build a row a method: seeds' means with Student's interval, and the gain over `standard` on the same images."""
    import torch

    from latentlab import metrics

    def average_seeds(values: list[float]) -> dict[str, float]:
        found = metrics.estimate_mean(torch.tensor(values))
        return {end: round(getattr(found, end), 5) for end in ("value", "low", "high")}

    rows = []
    for name in names:
        scores = [cells[name, seed] for seed in range(seeds)]
        row: dict[str, Any] = {"method": name, "seeds": seeds}
        row |= {key: arms[name][key] for key in ("from clean", "from image", "augmentations")}
        row |= {figure: average_seeds([score[figure] for score in scores]) for figure in FIGURE_TITLES}
        if "standard" in names:
            base = [cells["standard", seed]["accuracy"] for seed in range(seeds)]
            row["gain"] = average_seeds([score["accuracy"] - b for score, b in zip(scores, base, strict=True)])
        rows.append(row)
    return rows


def _format_table(table: list[Any]) -> str:
    """Format the table: `moved` is the distance from the clean path, equal for all; a rebuilding adds its own to
    `from image`.
    """
    lines = [f"{'method':16}{'moved':>7}{'from image':>12}{'accuracy':>20}{'gain':>22}{'corrupted':>20}"]
    for row in table:
        gain = _format_percent(row["gain"], "+") if "gain" in row else "–"
        figures = f"{_format_percent(row['accuracy']):>20}{gain:>22}{_format_percent(row['corrupted']):>20}"
        lines.append(f"{row['method']:16}{row['from clean']:7.2f}{row['from image']:12.2f}{figures}")
    return "\n".join(lines)


def _format_percent(figure: dict[str, float], sign: str = "") -> str:
    """Format a figure and half its interval in per cent; a single seed has no interval."""
    half = (figure["high"] - figure["low"]) / 2
    return f"{100 * figure['value']:{sign}.1f}{f' ± {100 * half:.1f}' if half else ''} %"


def _write_plot(table: list[Any], args: argparse.Namespace) -> None:
    """Write the plot as one file that opens without a network."""
    import plotly.graph_objects as go

    bars = []
    for figure in ("accuracy", "corrupted"):
        found = [row[figure] for row in table]
        error = {"array": [100 * (f["high"] - f["value"]) for f in found], "thickness": 1}
        values = [100 * f["value"] for f in found]
        bars.append(go.Bar(name=FIGURE_TITLES[figure], x=[row["method"] for row in table], y=values, error_y=error))
    seeds = f"{args.seeds} seed{'s' if args.seeds > 1 else ''}"
    title = f"{args.percent:g} % of {args.data}, moved by l2 {args.distance:g}, {seeds}, 95 % intervals"
    layout = {"title": title, "yaxis": {"title": "%", "rangemode": "tozero"}, "barmode": "group"}
    go.Figure(bars, layout).write_html(args.out / "low-data.html", include_plotlyjs=True)
