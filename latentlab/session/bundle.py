"""A zip to take home: pictures before and after, their latents, their labels, the recipe and the lines that run it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import replace

import torch
from safetensors.torch import save

from latentlab import images
from latentlab.errors import UserError
from latentlab.operators import Adversary, Mix, Swap
from latentlab.session.choice import picture
from latentlab.session.desk import Desk
from latentlab.session.keep import name_of, png, recipe_of
from latentlab.session.lines import as_python_of_many
from latentlab.session.state import Session
from latentlab.session.verbs import act, code, look, moved, true_class

MOST, MOST_ATTACKED = 128, 32  # pictures in one zip


def bundle(desk: Desk, session: Session) -> bytes:
    """The session's move on each picture of the selection, on its input where none are selected."""
    views = {
        f"{place:03d}-{_word(view.source.name or 'picture')}": view for place, view in enumerate(_views(desk, session))
    }
    files: dict[str, bytes] = {}
    for name, view in views.items():
        files[f"originals/{name}.png"] = images.png(view.source.image[0])
        files[f"moved/{name}.png"] = png(desk, view)
    if isinstance(session.result.tool, Mix | Swap):
        files["partner.png"] = images.png(session.partner.image[0])
    files["latents.safetensors"] = _latents(desk, list(views.values()))
    files["labels.csv"] = _labels(desk, views).encode()
    files["recipe.json"] = replace(recipe_of(desk, session), images=tuple(views)).to_json().encode()
    files["again.py"] = as_python_of_many(desk, list(views.values())).encode()
    return _zipped(files)


def bundle_name(session: Session) -> str:
    return f"latentlab-{session.model}-{name_of(session.result.tool)}.zip"


def _views(desk: Desk, session: Session) -> list[Session]:
    """A session for each picture: what the page would show of it."""
    rows, tool = session.selection.rows, session.result.tool
    if not rows:
        return [session]
    most = MOST_ATTACKED if isinstance(tool, Adversary) else MOST
    if len(rows) > most:
        raise UserError(f"{len(rows)} pictures are selected; at most {most} of this move go into one zip.")
    sources = [picture(desk, session, row) for row in rows]
    alone = replace(session, refined=frozenset(), refining=None)
    return [act(desk, look(desk, replace(alone, source=source), only=session.model), tool) for source in sources]


def _latents(desk: Desk, views: Sequence[Session]) -> bytes:
    """Every part before and after, a row a picture; the metadata keep the parts' order, which the file does not."""
    before = [code(desk, view) for view in views]
    after = [moved(desk, view, view.result.tool)[0] for view in views]
    parts = {
        f"{when}.{name}": torch.cat([codes.parts[name] for codes in rows]).cpu().contiguous()
        for when, rows in (("before", before), ("after", after))
        for name in rows[0].parts
    }
    about = {"model": views[0].model, "unit": "prior standard deviations", "coarse to fine": list(before[0].parts)}
    return save(parts, {"about": json.dumps(about)})  # several entries would stand in any order


def _labels(desk: Desk, views: dict[str, Session]) -> str:
    """A line a picture: its class, what the classifier sees before and after, and the soft label for training."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    first = next(iter(views.values()))
    table.writerow(["picture", "origin", "class", "seen before", "seen after", "l2", *first.classes])
    for name, view in views.items():
        own, before, after = ("", "", "")
        if view.classes:
            numbers = (true_class(desk, view, view.source), view.before.best, view.result.reading.best)
            own, before, after = (view.classes[number] for number in numbers)
        soft = [f"{share:.6g}" for share in view.result.label]
        table.writerow([name, view.source.origin, own, before, after, f"{view.result.distance:.6g}", *soft])
    return file.getvalue()


def _zipped(files: dict[str, bytes]) -> bytes:
    """The same files give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            stored = name.endswith((".png", ".safetensors"))
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)[:60]
