"""A view as a short query of the page's address: networks, move, seed, and the pictures by what they can be named."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from latentlab import recipe
from latentlab.errors import UserError
from latentlab.knobs import changed
from latentlab.operators import OPERATORS, Move
from latentlab.recipe import Recipe
from latentlab.session.desk import REFINE, Desk
from latentlab.session.keep import name_of
from latentlab.session.refine import improved
from latentlab.session.state import Session
from latentlab.session.verbs import act, known, open_world, put

MAX_LETTERS = 4_000
UPLOAD = "upload"
PLACES = ("input", "partner")
FIELDS = ("world", "model", "classifier", "operator", "settings", "seed", "refine", *PLACES)
LOST = "An uploaded picture is not kept in the address; an example stands in for it."


def link(session: Session) -> str:
    """The query that opens this view again; knobs at their defaults and an upload's picture are left out."""
    tool = session.result.tool
    values = {
        "world": session.world,
        "model": session.model,
        "classifier": session.classifier,
        "operator": name_of(tool),
        "settings": json.dumps(changed(tool), separators=(",", ":"), ensure_ascii=False),
        "seed": str(session.seed),
        "input": session.source.name or UPLOAD,
        "partner": session.partner.name or UPLOAD,
    }
    return urlencode(values | ({"refine": str(REFINE)} if session.model in session.refined else {}))


def open_link(desk: Desk, query: Mapping[str, str]) -> Session:
    """The view of a query; a world alone opens its first view, and what cannot be read the default one with a line."""
    values = {name: query[name] for name in FIELDS if query.get(name)}
    try:
        return _opened(desk, values)
    except UserError as error:
        return replace(open_world(desk), notice=f"This address does not open. {error}")


def _opened(desk: Desk, values: Mapping[str, str]) -> Session:
    if sum(map(len, values.values())) > MAX_LETTERS:
        raise UserError(f"It is longer than {MAX_LETTERS:,} letters; copy it from LatentLab again.")
    world = values.get("world")
    if world is not None:
        known("world", world, desk.store.worlds)
    if world is None or "operator" not in values:
        return open_world(desk, world)
    made = _recipe(values)
    tool = made.tool()
    if not isinstance(tool, Move):
        raise UserError(f"The operator is {made.operator}; the page opens {', '.join(OPERATORS)}.")
    known("space", made.model, desk.store.models(world))
    known("classifier", made.classifier, desk.store.classifiers(world))
    session = open_world(desk, world, made.model, made.classifier or "", made.seed)
    names: dict[str, str] = dict(zip(PLACES, made.images, strict=True))
    lost = LOST if UPLOAD in names.values() else ""
    session = act(desk, _with_pictures(desk, session, names), tool)
    return replace(improved(desk, session) if made.refine else session, notice=lost)


def _recipe(values: Mapping[str, str]) -> Recipe:
    """The query's words under the rules of every recipe."""
    seed, steps = values.get("seed", "0"), values.get("refine", "0")
    whole = {
        "version": recipe.VERSION,
        "model": values.get("model"),
        "classifier": values.get("classifier"),
        "operator": values["operator"],
        "settings": _json(values.get("settings", "{}")),
        "seed": int(seed) if re.fullmatch(r"[0-9]{1,19}", seed) else seed,
        "refine": int(steps) if re.fullmatch(r"[0-9]{1,9}", steps) else steps,
        "images": [values.get(place, UPLOAD) for place in PLACES],
    }
    return recipe.from_json(json.dumps(whole))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("Its settings are cut short; copy it from LatentLab again.") from error


def _with_pictures(desk: Desk, session: Session, names: Mapping[str, str]) -> Session:
    """The pictures that have a name; the example that is there stands in for one that has none."""
    found = {place: desk.named(session.world, name) for place, name in names.items() if name != UPLOAD}
    session = replace(session, partner=found.get("partner", session.partner))
    return put(desk, session, found["input"]) if "input" in found else session
