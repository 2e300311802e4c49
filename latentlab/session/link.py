"""A view as a query of the page's address: networks, move, seed, and the pictures by what they can be named.

A picture without a name goes along whole, where it is small enough.
"""

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
from latentlab.session.carried import from_letters, to_letters
from latentlab.session.desk import REFINE, Desk, found
from latentlab.session.keep import name_of
from latentlab.session.refine import improved
from latentlab.session.state import Found, Session
from latentlab.session.verbs import act, known, open_world, put_all

MAX_LETTERS = 4_000  # of all but the pictures
MAX_ADDRESS = 12_000  # letters of the whole query: servers and mail programs cut off what is much longer
UPLOAD = "upload"
PLACES = ("input", "partner")
CARRIED = {place: f"{place}-picture" for place in PLACES}
FIELDS = ("world", "model", "classifier", "operator", "settings", "seed", "refine", *PLACES)
LOST = "An uploaded picture is too large for the address; an example stands in for it."
LEFT_OUT = "The link is without the uploaded picture, which is too large for it. Take the PNG with recipe instead."


def link(session: Session) -> str:
    """The query that opens this view again; knobs at their defaults are left out, and pictures that are too large."""
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
    if session.model in session.refined:
        values["refine"] = str(REFINE)
    for place, source in uploads(session).items():
        longer = values | {CARRIED[place]: to_letters(source)}
        values = longer if len(urlencode(longer)) <= MAX_ADDRESS else values
    return urlencode(values)


def uploads(session: Session) -> dict[str, Found]:
    """The pictures that have no name, by their place."""
    sources = dict(zip(PLACES, (session.source, session.partner), strict=True))
    return {place: source for place, source in sources.items() if not source.name}


def left_out(session: Session) -> str:
    """A line where the view's link is without one of its pictures, else nothing."""
    whole = link(session)
    return LEFT_OUT if any(f"&{CARRIED[place]}=" not in whole for place in uploads(session)) else ""


def open_link(desk: Desk, query: Mapping[str, str]) -> Session:
    """The view of a query; a world alone opens its first view, and what cannot be read the default one with a line."""
    values = {name: query[name] for name in FIELDS if query.get(name)}
    pictures = {place: query[name] for place, name in CARRIED.items() if query.get(name)}
    try:
        return _opened(desk, values, pictures)
    except UserError as error:
        return replace(open_world(desk), notice=f"This address does not open. {error}")


def _opened(desk: Desk, values: Mapping[str, str], pictures: Mapping[str, str]) -> Session:
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
    # a place that the address does not name keeps what the first view shows
    names = {place: name for place, name in zip(PLACES, made.images, strict=True) if place in values}
    carried, lost = _carried(desk, world, names, pictures)
    here = {**carried, **{place: desk.named(world, name) for place, name in names.items() if name != UPLOAD}}
    session = act(desk, put_all(desk, session, here), tool)
    return replace(improved(desk, session) if made.refine else session, notice=lost)


def _carried(
    desk: Desk, world: str, names: Mapping[str, str], pictures: Mapping[str, str]
) -> tuple[dict[str, Found], str]:
    """The pictures that came along, and a line where one did not or cannot be read: the rest still opens."""
    carried, lines = {}, []
    for place in (place for place, name in names.items() if name == UPLOAD):
        try:
            if sum(map(len, pictures.values())) > MAX_ADDRESS or place not in pictures:
                raise UserError(LOST)
            carried[place] = found(from_letters(pictures[place], desk.store.image_shape(world)), UPLOAD)
        except UserError as error:
            lines.append(str(error))
    return carried, "\n".join(dict.fromkeys(lines))


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
