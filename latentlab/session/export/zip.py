"""A zip to take home: pictures before and after, their latents, their labels, the recipe and the lines that run it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from safetensors.torch import save

from latentlab import images
from latentlab.errors import UserError
from latentlab.operators import Attack, name_operator
from latentlab.session.actions import apply_move, encode_input, find_true_class, inspect_input, move_latents
from latentlab.session.export.png import export_png, make_recipe
from latentlab.session.export.python import export_zip_python
from latentlab.session.pictures import load_selected_picture
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.zip_archive import zip_files

MAX_ZIP_PICTURES, MAX_ZIP_ATTACKS = 128, 32  # pictures in one zip


def export_zip(workspace: Workspace, session: Session) -> bytes:
    """Export the session's move on each picture of the selection, on its input where none are selected."""
    views = {
        f"{place:03d}-{_clean_name(view.source.name or 'picture')}": view
        for place, view in enumerate(_make_views(workspace, session))
    }
    files: dict[str, bytes] = {}
    for name, view in views.items():
        files[f"originals/{name}.png"] = images.png(view.source.image[0])
        files[f"moved/{name}.png"] = export_png(workspace, view)
    if session.result.tool.needs_partner:
        files["partner.png"] = images.png(session.partner.image[0])
    files["latents.safetensors"] = _save_latents(workspace, list(views.values()))
    files["labels.csv"] = _write_labels(workspace, views).encode()
    files["recipe.json"] = replace(make_recipe(workspace, session), images=tuple(views)).to_json().encode()
    files["again.py"] = export_zip_python(workspace, list(views.values())).encode()
    return zip_files(files)


def name_zip(session: Session) -> str:
    return f"latentlab-{session.model}-{name_operator(session.result.tool)}.zip"


def _make_views(workspace: Workspace, session: Session) -> list[Session]:
    """Make a session for each picture: what the page would show of it."""
    rows, tool = session.selection.rows, session.result.tool
    if not rows:
        return [session]
    most = MAX_ZIP_ATTACKS if isinstance(tool, Attack) else MAX_ZIP_PICTURES
    if len(rows) > most:
        raise UserError(f"{len(rows)} pictures are selected; at most {most} of this move go into one zip.")
    sources = [load_selected_picture(workspace, session, row) for row in rows]
    alone = replace(session, refined=frozenset(), refining=None)
    return [
        apply_move(workspace, inspect_input(workspace, replace(alone, source=source), only=session.model), tool)
        for source in sources
    ]


def _save_latents(workspace: Workspace, views: Sequence[Session]) -> bytes:
    """Save every part before and after, a row a picture; the metadata keep the parts' order, as the file does not."""
    before = [encode_input(workspace, view) for view in views]
    after = [move_latents(workspace, view, view.result.tool)[0] for view in views]
    parts = {
        f"{when}.{name}": torch.cat([codes.parts[name] for codes in rows]).cpu().contiguous()
        for when, rows in (("before", before), ("after", after))
        for name in rows[0].parts
    }
    about = {"model": views[0].model, "unit": "prior standard deviations", "coarse to fine": list(before[0].parts)}
    return save(parts, {"about": json.dumps(about)})  # several entries would stand in any order


def _write_labels(workspace: Workspace, views: dict[str, Session]) -> str:
    """Write a line a picture: its class, what the classifier sees before and after, and the soft label for training."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    first = next(iter(views.values()))
    table.writerow(["picture", "origin", "class", "seen before", "seen after", "l2", *first.classes])
    for name, view in views.items():
        own, before, after = ("", "", "")
        if view.classes:
            numbers = (
                find_true_class(workspace, view, view.source),
                view.before.best_class,
                view.result.prediction.best_class,
            )
            own, before, after = (view.classes[number] for number in numbers)
        soft = [f"{share:.6g}" for share in view.result.label]
        table.writerow([name, view.source.origin, own, before, after, f"{view.result.distance:.6g}", *soft])
    return file.getvalue()


def _clean_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)[:60]
