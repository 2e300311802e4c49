"""A view as a query of the page's address: networks, move, seed, and the pictures by what they can be named.

A picture without a name goes along whole, where it is small enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from latentlab import recipe
from latentlab.errors import UserError
from latentlab.knobs import list_changed_knobs
from latentlab.operators import name_operator
from latentlab.recipe import Recipe
from latentlab.session.actions import require_choice
from latentlab.session.export.url_image import decode_url_picture, encode_url_picture
from latentlab.session.restoring import SavedView, require_latent_operator, restore_view
from latentlab.session.state import Picture, Session, make_picture
from latentlab.session.workspace import REFINE_STEPS, Workspace
from latentlab.untrusted import parse_json

MAX_VALUE_LETTERS = 4_000  # of all but the pictures
MAX_QUERY_LETTERS = 12_000  # letters of the whole query: servers and mail programs cut off what is much longer
UPLOAD_NAME = "upload"
PICTURE_PLACES = ("input", "partner")
PICTURE_FIELDS = {place: f"{place}-picture" for place in PICTURE_PLACES}
LINK_FIELDS = ("world", "model", "classifier", "second", "operator", "settings", "seed", "refine", *PICTURE_PLACES)
LOST_PICTURE_NOTICE = "An uploaded picture is too large for the address; an example stands in for it."
LEFT_OUT_NOTICE = (
    "The link is without the uploaded picture, which is too large for it. Take the PNG with recipe instead."
)


def make_link(session: Session) -> str:
    """Make the query that opens this view again; knobs at their defaults and pictures that are too large are left
    out.
    """
    tool = session.result.tool
    values = {
        "world": session.world,
        "model": session.model,
        "classifier": session.classifier,
        "operator": name_operator(tool),
        "settings": json.dumps(list_changed_knobs(tool), separators=(",", ":"), ensure_ascii=False),
        "seed": str(session.seed),
        "input": session.source.name or UPLOAD_NAME,
        "partner": session.partner.name or UPLOAD_NAME,
    }
    if session.second:
        values["second"] = session.second
    if session.model in session.refined:
        values["refine"] = str(REFINE_STEPS)
    for place, source in find_uploads(session).items():
        longer = values | {PICTURE_FIELDS[place]: encode_url_picture(source)}
        values = longer if len(urlencode(longer)) <= MAX_QUERY_LETTERS else values
    return urlencode(values)


def find_uploads(session: Session) -> dict[str, Picture]:
    """Return the pictures that have no name, by their place."""
    sources = dict(zip(PICTURE_PLACES, (session.source, session.partner), strict=True))
    return {place: source for place, source in sources.items() if not source.name}


def report_left_out(session: Session) -> str:
    """Return a line where the view's link is without one of its pictures, else nothing."""
    whole = make_link(session)
    return LEFT_OUT_NOTICE if any(f"&{PICTURE_FIELDS[place]}=" not in whole for place in find_uploads(session)) else ""


def open_link(workspace: Workspace, query: Mapping[str, str]) -> Session:
    """Open the view of a query; a world alone opens its first view, and what cannot be read the default one with a
    line.
    """
    values = {name: query[name] for name in LINK_FIELDS if query.get(name)}
    pictures = {place: query[name] for place, name in PICTURE_FIELDS.items() if query.get(name)}
    try:
        return restore_view(workspace, _plan_link_view(workspace, values, pictures))
    except UserError as error:
        return restore_view(workspace, SavedView(workspace.first_world, notice=f"This address does not open. {error}"))


def _plan_link_view(workspace: Workspace, values: Mapping[str, str], pictures: Mapping[str, str]) -> SavedView:
    if sum(map(len, values.values())) > MAX_VALUE_LETTERS:
        raise UserError(f"It is longer than {MAX_VALUE_LETTERS:,} letters; copy it from LatentLab again.")
    world = values.get("world")
    if world is None or "operator" not in values:
        return SavedView(world or workspace.first_world)
    require_choice("world", world, workspace.store.worlds)
    made = _parse_recipe(values)
    # a place that the address does not name keeps what the first view shows
    names = {place: name for place, name in zip(PICTURE_PLACES, made.images, strict=True) if place in values}
    carried, lost = _read_uploads(workspace, world, names, pictures)
    named = {place: workspace.find_picture(world, name) for place, name in names.items() if name != UPLOAD_NAME}
    return SavedView(
        world,
        made.model,
        made.classifier or "",
        require_latent_operator(made),
        made.seed,
        frozenset({made.model}) if made.refine else frozenset(),
        {**carried, **named},
        lost,
        values.get("second", ""),
    )


def _read_uploads(
    workspace: Workspace, world: str, names: Mapping[str, str], pictures: Mapping[str, str]
) -> tuple[dict[str, Picture], str]:
    """Return the pictures that came along, and a line where one did not or cannot be read: the rest still opens."""
    carried, lines = {}, []
    for place in (place for place, name in names.items() if name == UPLOAD_NAME):
        try:
            if sum(map(len, pictures.values())) > MAX_QUERY_LETTERS or place not in pictures:
                raise UserError(LOST_PICTURE_NOTICE)
            carried[place] = make_picture(
                decode_url_picture(pictures[place], workspace.store.find_image_shape(world)), UPLOAD_NAME
            )
        except UserError as error:
            lines.append(str(error))
    return carried, "\n".join(dict.fromkeys(lines))


def _parse_recipe(values: Mapping[str, str]) -> Recipe:
    """Read the query's words under the rules of every recipe."""
    seed, steps = values.get("seed", "0"), values.get("refine", "0")
    whole = {
        "version": recipe.RECIPE_VERSION,
        "model": values.get("model"),
        "classifier": values.get("classifier"),
        "operator": values["operator"],
        "settings": _parse_settings(values.get("settings", "{}")),
        "seed": int(seed) if re.fullmatch(r"[0-9]{1,19}", seed) else seed,
        "refine": int(steps) if re.fullmatch(r"[0-9]{1,9}", steps) else steps,
        "images": [values.get(place, UPLOAD_NAME) for place in PICTURE_PLACES],
    }
    return recipe.parse_recipe(json.dumps(whole))


def _parse_settings(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise UserError(f"Its settings are cut short, or no recipe's ({error}); copy it again.") from error
