"""This module works a recipe on a folder of pictures, batch after batch."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from tqdm import tqdm

from latentlab.chance import draw_permutation, make_generator
from latentlab.cli.augment_table import MovedPicture, find_partners, read_sights, write_table
from latentlab.errors import UserError
from latentlab.images import fit_to, png, read, round_levels
from latentlab.operators import measure_distance
from latentlab.picture_files import PICTURE_SUFFIXES, list_picture_files
from latentlab.recipe import Recipe
from latentlab.store import Store
from latentlab.types import Batch, Bench, Images, ImageShape, Targets
from latentlab.untrusted import is_plain_text

MAX_PATH_LETTERS = 4096


@dataclass(frozen=True)
class PictureFolder:
    """Files within a folder, their class names, and each file's class: -1 where the classifier must say it."""

    source: Path
    files: tuple[Path, ...]
    classes: tuple[str, ...]
    labels: tuple[int, ...]

    def name_outputs(self) -> tuple[Path, ...]:
        """Say where each one goes: `a.jpg` to `a.png`; where that is taken by another file, to `a.jpg.png`."""
        plain = [file.with_suffix(".png") for file in self.files]
        counts = Counter(plain)
        return tuple(
            name if counts[name] == 1 or file == name else file.with_name(file.name + ".png")
            for file, name in zip(self.files, plain, strict=True)
        )


def augment_folder(source: Path, out: Path, recipe: Recipe, store: Store, batch: int = 64) -> tuple[int, int]:
    """Write the moved pictures; return how many were written and how many could not be read. With classes,
    `targets.csv` has the soft labels; `pictures.csv` has a row a picture: what it was, and what became of it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already; name a new or an empty folder.")
    if batch < 1:
        raise UserError(f"The batch is {batch}; it must be at least 1.")
    bench = store.bench(recipe.model, recipe.classifier, recipe.seed)
    pictures = find_pictures(source, tuple(getattr(bench.classifier, "classes", ())))
    found = [row for rows in _move_batches(pictures, out, recipe, bench, store.device, batch) for row in rows]
    rows = sorted(found, key=lambda row: row.file)
    if not rows:
        raise UserError(f"No picture in {source} could be read; give PNG, JPEG or WebP files.")
    (out / "recipe.json").write_text(recipe.to_json(), "utf-8")
    if len(pictures.classes) > 1:
        _write_targets(out / "targets.csv", pictures.classes, rows)
    write_table(out / "pictures.csv", pictures.classes, rows)
    return len(rows), len(pictures.files) - len(rows)


def find_pictures(source: Path, classes: tuple[str, ...] = ()) -> PictureFolder:
    """Find every picture below the folder; the first subfolder is its class where it is one of the classifier's."""
    if not source.is_dir():
        raise UserError(f"{source} is no folder; give a folder of pictures.")
    files = list_picture_files(source).files
    if not files:
        raise UserError(f"{source} holds no picture ({', '.join(PICTURE_SUFFIXES)}).")
    folders = [file.parts[0] if len(file.parts) > 1 else "" for file in files]
    names = classes or tuple(sorted(filter(is_plain_text, set(folders))))
    return PictureFolder(source, files, names, tuple(names.index(name) if name in names else -1 for name in folders))


def _move_batches(
    pictures: PictureFolder, out: Path, recipe: Recipe, bench: Bench, device: torch.device, batch: int
) -> Iterator[list[MovedPicture]]:
    """Move the pictures in an order that the seed chooses, so that neighbours in the folder are not always partners."""
    operator, outputs = recipe.make_operator(), pictures.name_outputs()
    order = draw_permutation(len(outputs), make_generator(recipe.seed)).tensor_split(-(-len(outputs) // batch))
    for chosen in tqdm(order, unit="batch", disable=None):
        rows, images = _read_pictures(pictures, chosen.tolist(), bench.model.image_shape)
        if not rows:
            continue
        images = images.to(device)
        before = Batch(images, _make_targets(pictures, rows, images, bench))
        partners = find_partners(operator, before, bench)
        moved = operator(before, bench)
        for row, image in zip(rows, moved.images, strict=True):
            path = out / outputs[row]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(image, recipe.to_json()))
        yield _describe_batch(pictures, rows, partners, before, moved, bench)


def _describe_batch(
    pictures: PictureFolder,
    rows: Sequence[int],
    partners: Sequence[int | None],
    before: Batch,
    moved: Batch,
    bench: Bench,
) -> list[MovedPicture]:
    """Say of each picture what became of it."""
    names, outputs = pictures.classes, pictures.name_outputs()
    shown = round_levels(moved.images).to(before.images)  # as it is saved
    sights = [read_sights(bench, images, names) for images in (before.images, shown)]
    distances = measure_distance(before.images, shown).tolist()
    return [
        MovedPicture(
            source=pictures.files[row].as_posix(),
            true_class=names[pictures.labels[row]] if pictures.labels[row] >= 0 else "",
            partner="" if (met := partners[place]) is None else pictures.files[rows[met]].as_posix(),
            target=tuple(moved.targets[place].tolist()),
            before=sights[0][place],
            after=sights[1][place],
            distance=distances[place],
            file=outputs[row].as_posix(),
        )
        for place, row in enumerate(rows)
    ]


def _read_pictures(pictures: PictureFolder, rows: Sequence[int], shape: ImageShape) -> tuple[list[int], Images]:
    """Return those that can be read; of each other one a line on stderr says why not."""
    images: dict[int, Tensor] = {}
    for row in rows:
        try:
            if not is_plain_text(str(pictures.files[row]), MAX_PATH_LETTERS):
                raise UserError("its name is not valid Unicode; rename it.")
            images[row] = fit_to(read((pictures.source / pictures.files[row]).read_bytes()), shape)
        except UserError as error:
            tqdm.write(f"skipped {pictures.files[row]}: {error}", file=sys.stderr)
    return list(images), torch.stack([*images.values()]) if images else torch.empty(0, *shape)


def _make_targets(pictures: PictureFolder, rows: Sequence[int], images: Images, bench: Bench) -> Targets:
    labels = torch.tensor([pictures.labels[row] for row in rows], device=images.device)
    if bench.classifier is not None and (labels < 0).any():
        with torch.no_grad():
            labels = torch.where(labels < 0, bench.classifier(images).argmax(1), labels)
    return one_hot(labels, len(pictures.classes)).float()


def _write_targets(path: Path, classes: Sequence[str], rows: Sequence[MovedPicture]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", *classes])
        table.writerows([row.file, *(f"{share:.6g}" for share in row.target)] for row in rows)
