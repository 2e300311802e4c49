"""Labels of pictures in a table: CSV, JSON lines or Parquet; a class a file, or a 0/1 for each attribute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.untrusted import is_plain_text, parse_json, show_value

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "image_path", "name", "id")
CLASS_COLUMNS = ("class", "label", "labels", "category", "target", "class_name", "label_name")
HALF_COLUMNS = ("split", "half", "subset", "partition")
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # of Hugging Face's imagefolder
ATTRIBUTE_VALUES = {"0": 0, "1": 1, "-1": 0, "0.0": 0, "1.0": 1, "false": 0, "true": 1}  # −1 as CelebA writes it
DELIMITERS = ",;\t"

Row = Mapping[str, str]


@dataclass(frozen=True)
class TableRow:
    file: Path  # relative to the folder of the pictures
    label: int | tuple[int, ...]
    half: str


@dataclass(frozen=True)
class LabelTable:
    rows: tuple[TableRow, ...]
    classes: tuple[str, ...]
    multilabel: bool
    notes: tuple[str, ...] = ()


def find_label_table(folder: Path) -> LabelTable | None:
    """Read the metadata tables of Hugging Face's layout, beside the pictures or in the folder of each half."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    tables = [place / name for place in places for name in METADATA_NAMES if (place / name).is_file()]
    rows = [row for table in tables for row in _read_rows(folder, table)]
    if not rows:
        return None
    return _read_labels(rows, tables[0], needs_labels=False)


def read_label_table(folder: Path, table: Path) -> LabelTable:
    """Read one table; its files are named from its own place, or from the folder of the pictures."""
    found = _read_labels(_read_rows(folder, table), table, needs_labels=True)
    assert found is not None
    return found


def _read_rows(folder: Path, table: Path) -> list[tuple[Path, Row]]:
    rows = _parse_table(table)
    if not rows:
        raise UserError(f"{table} has no row.")
    column = _find_column(rows[0], FILE_COLUMNS) or next(iter(rows[0]))
    bases = [table.parent.resolve(), folder.resolve()]
    named = []
    for row in rows:
        places = [(base / row[column]).resolve() for base in bases]
        inside = [place for place in places if place.is_relative_to(bases[1])]
        if not inside:
            raise UserError(f"{table} names {show_value(row[column], 60)}, which lies outside of {folder}.")
        chosen = next((place for place in inside if place.is_file()), inside[0])
        rest = {name: value for name, value in row.items() if name != column}
        named.append((chosen.relative_to(bases[1]), rest))
    return named


def _parse_table(table: Path) -> list[dict[str, str]]:
    try:
        match table.suffix.lower():
            case ".csv" | ".tsv" | ".txt":
                return _parse_csv(table.read_text("utf-8-sig"))
            case ".jsonl":
                lines = table.read_text("utf-8-sig").splitlines()
                return [_make_plain(parse_json(line)) for line in lines if line.strip()]
            case ".parquet":
                return _parse_parquet(table)
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(f"{table} cannot be read as a table: {show_value(error, 120)}.") from error
    raise UserError(f"{table} must end in .csv, .tsv, .jsonl or .parquet.")


def _parse_csv(text: str) -> list[dict[str, str]]:
    header = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return [_make_plain(row) for row in reader]


def _parse_parquet(table: Path) -> list[dict[str, str]]:
    import pandas

    try:
        frame = pandas.read_parquet(table)
    except ImportError as error:
        raise UserError(f"Reading {table.name} needs pyarrow: `pip install pyarrow`, or save it as CSV.") from error
    filled = frame.astype(object).where(frame.notna(), "")  # what is missing, as in a CSV
    return [_make_plain(row) for row in filled.to_dict("records")]


def _make_plain(row: Mapping[Any, Any]) -> dict[str, str]:
    if None in row or any(value is None for value in row.values()):
        raise ValueError("a row is longer or shorter than the header")
    plain = {str(name).strip(): str(value).strip() for name, value in row.items()}
    if not all(is_plain_text(text, 4096) for pair in plain.items() for text in pair):
        raise ValueError("a text in it is too long or not valid Unicode")
    return plain


def _find_column(row: Row, names: Sequence[str]) -> str | None:
    known = {name.lower(): name for name in row}
    return next((known[name] for name in names if name in known), None)


def _read_labels(rows: Sequence[tuple[Path, Row]], table: Path, needs_labels: bool) -> LabelTable | None:
    """Tell classes from attributes: a column that is called class or stands alone, or several of 0 and 1."""
    half = _find_column(rows[0][1], HALF_COLUMNS)
    columns = [name for name in rows[0][1] if name != half]
    if any([name for name in row if name != half] != columns for _, row in rows):
        raise UserError(f"{table}: the rows have not all the same columns.")
    marks = [name for name in columns if all(row[name].lower() in ATTRIBUTE_VALUES for _, row in rows)]
    chosen = _find_column(dict.fromkeys(columns, ""), CLASS_COLUMNS) or (columns[0] if len(columns) == 1 else None)
    named = [each for each in rows if each[1][chosen]] if chosen is not None else rows
    halves = [row[half] if half else "" for _, row in named]
    if chosen is not None:
        rows = named  # a file without a class is one that the table does not name
        classes = sort_class_names({row[chosen] for _, row in rows})
        labels: list[int | tuple[int, ...]] = [classes.index(row[chosen]) for _, row in rows]
        left = [name for name in columns if name != chosen]
        return _build_table(rows, labels, halves, classes, False, left)
    if len(marks) > 1:
        labels = [tuple(ATTRIBUTE_VALUES[row[name].lower()] for name in marks) for _, row in rows]
        return _build_table(rows, labels, halves, tuple(marks), True, [name for name in columns if name not in marks])
    if needs_labels:
        raise UserError(
            f"{table}: none of its columns {', '.join(columns) or '(there is only one)'} is called class or label, and "
            "they are not attributes of 0 and 1; name the column of the classes `class`."
        )
    return None


def _build_table(
    rows: Sequence[tuple[Path, Row]],
    labels: Sequence[int | tuple[int, ...]],
    halves: Sequence[str],
    classes: tuple[str, ...],
    multilabel: bool,
    left: Sequence[str],
) -> LabelTable:
    notes = (f"the columns {', '.join(left)} of the table are not used",) if left else ()
    made = (TableRow(file, label, half) for (file, _), label, half in zip(rows, labels, halves, strict=True))
    return LabelTable(tuple(made), classes, multilabel, notes)


def sort_class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort numbers by value and before words."""
    return tuple(sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name)))
