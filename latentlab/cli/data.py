"""`latentlab data` says which data sets are there, and how to get the others."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.datasets import Dataset

HELP = "show, download or check the data sets"
NPZ_LAYOUT = (
    "train_x, test_x uint8 N H W C; train_y, test_y whole numbers, or 0/1 rows of attributes; names of the classes"
)


def add_data_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    parser.add_argument("name", nargs="?", help="digits, cifar10, mnist, faces, or one's own; all of them if left out")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where data lie ($LATENTLAB_DATA, else data/)")
    parser.add_argument("--check", action="store_true", help="load it and count what is in it; download nothing")
    parser.add_argument("--json", action="store_true", help="counts for a program")
    parser.epilog = f"NAME.npz holds {NPZ_LAYOUT}. `latentlab world` makes one of any pictures."


def run_data(args: argparse.Namespace) -> None:
    from latentlab import datasets

    if args.name is None:
        made = [name for name, path in datasets.list_world_files(args.folder).items() if datasets.read_world_head(path)]
        found = {name: _collect_if_there(name, args.folder) for name in (*datasets.WORLD_NAMES, *made)}
        print(
            json.dumps(found, indent=1)
            if args.json
            else "\n".join(f"{n:8} {_format_facts(v)}" for n, v in found.items())
        )
        return
    facts = _collect_facts(_load_world(args))
    print(json.dumps(facts, indent=1) if args.json else _format_facts(facts))


def _load_world(args: argparse.Namespace) -> Dataset:
    """Load the world of this name; one that can be downloaded is, unless it shall only be checked."""
    from latentlab import datasets

    try:
        return datasets.load_world(args.name, args.folder)
    except UserError as error:
        if args.name == "faces":
            raise UserError(f"{error} It holds {NPZ_LAYOUT}; of CelebA 64×64 images and the 40 attributes.") from error
        if args.check or args.name not in datasets.TORCHVISION_LAYOUTS:
            raise
    datasets.download_world(args.name, args.folder)
    return datasets.load_world(args.name, args.folder)


def _collect_if_there(name: str, folder: Path | None) -> dict[str, Any]:
    from latentlab import datasets

    try:
        return _collect_facts(datasets.load_world(name, folder))
    except UserError as error:
        return {"missing": str(error)}


def _collect_facts(world: Dataset) -> dict[str, Any]:
    """Return the counts: of a class in train and test, of an attribute where it is present."""
    return {
        "name": world.name,
        "image_shape": world.image_shape,
        "train": len(world.train),
        "test": len(world.test),
        "classes": {
            label: [_count_class(world, split.labels, place) for split in (world.train, world.test)]
            for place, label in enumerate(world.classes)
        },
        "multilabel": world.multilabel,
        "licence": world.licence,
    }


def _count_class(world: Dataset, labels: Any, place: int) -> int:
    return int(labels[:, place].sum() if world.multilabel else (labels == place).sum())


def _format_facts(facts: dict[str, Any]) -> str:
    if "missing" in facts:
        return facts["missing"]
    each = [f"{label} {train:,} + {test:,}" for label, (train, test) in facts["classes"].items()]
    counts = ", ".join(each) or "no classes"
    size = "×".join(map(str, facts["image_shape"]))
    return f"{facts['train']:,} + {facts['test']:,} images of {size}; {counts}; {facts['licence'] or 'licence unknown'}"
