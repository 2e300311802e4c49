"""The broken images to take away: originals, what the moves made of them, and a table that says what is wrong."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator

from latentlab.auditing.image_source import ImageSource
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.images import png
from latentlab.zip_archive import zip_files

BROKEN_HEADS = ("move", "row", "image", "label", "judge", "classifier", "l2 distance", "original", "moved")


def zip_broken_images(result: AuditResult, images: ImageSource) -> bytes:
    """Zip every image whose label the judge sees no more; moved as far as its picture was kept while measuring."""
    files: dict[str, bytes] = {}
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(BROKEN_HEADS)
    for move in result.moves:
        for row, moved, line in _list_broken(result, move):
            original = f"originals/{row:05d}.png"
            if original not in files:
                files[original] = png(images.take_images([row])[0])
            name = f"{_clean_title(move.title)}/{row:05d}.png" if moved else ""
            if moved:
                files[name] = base64.b64decode(moved)
            lines.writerow([move.title, row, images.name_image(row), *line, original, name])
    return zip_files({"broken.csv": table.getvalue().encode(), **files})


def _list_broken(result: AuditResult, move: MoveResult) -> Iterator[tuple[int, str, list[str | float]]]:
    """Yield row, picture and what is to be said, the farthest moved first."""
    columns, pictures = result.columns.moves[move.title], result.columns.pictures[move.title]
    for place in move.summary.broken:
        said = [result.classes[int(columns[name][place])] for name in ("target", "judged", "guess")]
        row = int(result.columns.clean["row"][place])
        yield row, pictures.get(place, ""), [*said, round(float(columns["distance"][place]), 4)]


def _clean_title(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", title).strip("-")
