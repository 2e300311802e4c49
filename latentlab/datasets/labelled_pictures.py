"""Pictures on the disk with what is known of them: their class or attributes, and the half that they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latentlab.datasets.label_tables import LabelTable, find_label_table, read_label_table, sort_class_names
from latentlab.errors import UserError
from latentlab.picture_files import PICTURE_SUFFIXES, list_class_folders, list_picture_files
from latentlab.untrusted import is_plain_text, show_value

HALF_OF_FOLDER = {  # folders that are halves, not classes
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
HELD_OUT_SHARE = 0.1  # of each class, where nobody has said which pictures are the test's
FEWEST_PICTURES = 2

Label = int | tuple[int, ...]  # number of the class, or a 0/1 for each attribute


@dataclass(frozen=True)
class LabelledPicture:
    path: Path
    label: Label
    half: str = ""  # train, test or validation; empty where nobody has said


@dataclass(frozen=True)
class PictureCollection:
    """Pictures with their labels; without classes each label is 0. `notes` say what was left out, and why."""

    pictures: tuple[LabelledPicture, ...]
    classes: tuple[str, ...]
    multilabel: bool
    strangers: int
    notes: tuple[str, ...] = ()

    def select_half(self, half: str) -> tuple[LabelledPicture, ...]:
        return tuple(picture for picture in self.pictures if picture.half == half)


def collect_pictures(folder: Path, table: Path | None = None) -> PictureCollection:
    """Find the pictures below a folder, their labels and their halves.

    Labels come from the table; without one from the `metadata` table of Hugging Face's layout, if it lies there; else
    from a folder per class; where there is neither, the collection has no classes.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give a folder of pictures.")
    found = list_picture_files(folder)
    if not found.files:
        raise UserError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)} are read).")
    known = read_label_table(folder, table) if table else find_label_table(folder)
    collection = _join_table(folder, found.files, known) if known else _read_folders(folder, found.files)
    if len(collection.pictures) < FEWEST_PICTURES:
        raise UserError(f"{folder}: a world needs at least {FEWEST_PICTURES} pictures with a label.")
    told = () if known else _name_empty_classes(folder, collection)
    whole = replace(collection, strangers=found.strangers, notes=(*collection.notes, *told))
    return _tell_one_sided_classes(_complete_halves(_forget_single_class(whole)))


def _read_folders(folder: Path, files: Sequence[Path]) -> PictureCollection:
    """Take the first folder of each path for its class, behind that of its half."""
    has_halves = any(_find_half(file) == "train" for file in files)
    rows = [(file, _find_half(file) if has_halves else "") for file in files]
    folders = [file.parts[1 if half else 0] if len(file.parts) > (2 if half else 1) else "" for file, half in rows]
    classes = _check_class_names(folder, set(folders) - {""})
    if len(classes) < 2:
        pictures = tuple(LabelledPicture(folder / file, 0, half) for file, half in rows)
        return PictureCollection(pictures, classes, False, 0)
    loose = folders.count("")
    notes = (f"{loose:,} pictures lie beside the folders of classes and are left out",) if loose else ()
    pictures = tuple(
        LabelledPicture(folder / file, classes.index(name), half)
        for (file, half), name in zip(rows, folders, strict=True)
        if name
    )
    return PictureCollection(pictures, classes, False, 0, notes)


def _forget_single_class(collection: PictureCollection) -> PictureCollection:
    """Give a world of one class none: there is nothing to tell apart."""
    if collection.multilabel or len(collection.classes) != 1:
        return collection
    told = f"all pictures are of one class, {collection.classes[0]!r}, so there are no classes"
    return replace(collection, classes=(), notes=(*collection.notes, told))


def _join_table(folder: Path, files: Sequence[Path], table: LabelTable) -> PictureCollection:
    """Join the rows of a table with the pictures that are there; what has no partner is counted."""
    there, rows = set(files), {row.file: row for row in table.rows}
    joined = [(file, rows[file]) for file in files if file in rows]
    notes = list(table.notes)
    if missing := [file for file in rows if file not in there]:
        notes.append(f"{len(missing):,} files of the table are not there, such as {show_value(missing[0], 60)}")
    if unnamed := len(there) - len(joined):
        notes.append(f"{unnamed:,} pictures stand in no row of the table and are left out")
    pictures = [
        LabelledPicture(folder / file, row.label, HALF_OF_FOLDER.get(row.half.lower(), _find_half(file)))
        for file, row in joined
    ]
    return PictureCollection(tuple(pictures), table.classes, table.multilabel, 0, tuple(notes))


def _find_half(file: Path) -> str:
    return HALF_OF_FOLDER.get(file.parts[0].lower(), "") if len(file.parts) > 1 else ""


def _check_class_names(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    if bad := next((name for name in names if not is_plain_text(name)), None):
        raise UserError(f"{folder}: the folder name {show_value(bad)} is not valid Unicode; rename it.")
    return sort_class_names(names)


def _complete_halves(collection: PictureCollection) -> PictureCollection:
    """Give every picture to train or test: validation counts as test where there is none, else as train; where
    nothing is a test, a tenth of each class becomes one.
    """
    halves = {picture.half for picture in collection.pictures}
    spare = "train" if "test" in halves else "test"
    given = {"": "train", "validation": spare}
    pictures = [replace(p, half=given.get(p.half, p.half)) for p in collection.pictures]
    if not halves & {"test", "validation"}:
        held = set(_hold_out(pictures, collection.multilabel))
        pictures = [replace(p, half="test" if p.path in held else "train") for p in pictures]
    elif not any(p.half == "train" for p in pictures):
        raise UserError("All pictures are the test's; put most of them into train/, or leave the halves to LatentLab.")
    return replace(collection, pictures=tuple(pictures))


def _hold_out(pictures: Sequence[LabelledPicture], multilabel: bool) -> Iterable[Path]:
    """Choose by the hash of the names a tenth of each class of two or more, one at least."""
    groups: dict[Label, list[Path]] = {}
    for picture in pictures:
        groups.setdefault(0 if multilabel else picture.label, []).append(picture.path)
    least = 1 if len(groups) > 1 else 2  # the page shows two test pictures
    for paths in groups.values():
        count = max(least, round(HELD_OUT_SHARE * len(paths))) if len(paths) > least else 0
        yield from sorted(paths, key=hash_name)[:count]


def hash_name(path: Path) -> bytes:
    """Hash the file's name and its folder's: an order that is the same wherever the pictures lie."""
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode("utf-8", "surrogateescape")).digest()


def _name_empty_classes(folder: Path, collection: PictureCollection) -> tuple[str, ...]:
    roots = [folder / name for name in list_class_folders(folder) if HALF_OF_FOLDER.get(name.lower()) == "train"]
    names = set(list_class_folders(roots[0] if roots else folder))
    empty = names - set(collection.classes) - {name for name in names if name.lower() in HALF_OF_FOLDER}
    if not empty or not collection.classes:
        return ()
    return (f"{_quote_names(empty)} no picture and {'is no class' if len(empty) == 1 else 'are no classes'}",)


def _tell_one_sided_classes(collection: PictureCollection) -> PictureCollection:
    """Note the classes, or attributes, that one half lacks."""
    notes = []
    for half in ("train", "test"):
        labels = [picture.label for picture in collection.select_half(half)]
        seen = [
            any(label[place] for label in labels if isinstance(label, tuple))
            if collection.multilabel
            else place in labels
            for place in range(len(collection.classes))
        ]
        if missing := {name for name, is_there in zip(collection.classes, seen, strict=True) if not is_there}:
            notes.append(f"{_quote_names(missing)} no {half} picture")
    return replace(collection, notes=(*collection.notes, *notes))


def _quote_names(names: set[str]) -> str:
    return f"{', '.join(repr(name) for name in sorted(names))} {'has' if len(names) == 1 else 'have'}"
