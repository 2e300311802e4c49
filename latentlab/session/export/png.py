"""A result to take home: a PNG that carries its recipe and the pictures it began with, and the way back."""

from __future__ import annotations

import base64
import binascii
import io

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latentlab import images, recipe
from latentlab.errors import UserError
from latentlab.image_file import open_png
from latentlab.knobs import tool_to_json
from latentlab.operators import name_operator
from latentlab.recipe import Recipe
from latentlab.session.restoring import PicturesByPlace, plan_recipe_view, restore_view
from latentlab.session.state import Picture, Session, make_picture
from latentlab.session.workspace import REFINE_STEPS, Workspace
from latentlab.types import Images

INPUT_KEY, PARTNER_KEY = "latentlab-input", "latentlab-partner"
PLACE_BY_KEY = {INPUT_KEY: "input", PARTNER_KEY: "partner"}
MAX_PICTURE_LETTERS = 200_000  # of a picture of 128 pixels in base64


def make_recipe(workspace: Workspace, session: Session) -> Recipe:
    """Make the recipe of what was done, by name and digest."""
    store, tool = workspace.store, session.result.tool
    return Recipe(
        model=session.model,
        model_digest=store.digest(session.model),
        classifier=session.classifier or None,
        classifier_digest=store.digest(session.classifier) if session.classifier else None,
        operator=name_operator(tool),
        settings=tool_to_json(tool),
        seed=session.seed,
        refine=REFINE_STEPS if session.model in session.refined else 0,
        images=tuple(source.name or source.origin for source in _list_sources(session)),
    )


def export_png(workspace: Workspace, session: Session) -> bytes:
    """Export the result with its recipe, its input and, where one was used, its partner."""
    file = io.BytesIO()
    images.to_pillow(session.result.image[0]).save(file, "PNG", pnginfo=write_notes(workspace, session))
    return file.getvalue()


def write_notes(workspace: Workspace, session: Session) -> PngInfo:
    """Write what a PNG carries so that its view can be restored."""
    notes = PngInfo()
    notes.add_itxt(images.RECIPE_KEY, make_recipe(workspace, session).to_json())
    for key, source in zip(PLACE_BY_KEY, _list_sources(session), strict=False):
        notes.add_text(key, base64.b64encode(images.png(source.image[0])).decode())
    return notes


def name_png(session: Session) -> str:
    return f"latentlab-{session.model}-{name_operator(session.result.tool)}.png"


def _list_sources(session: Session) -> list[Picture]:
    return [session.source, session.partner] if session.result.tool.needs_partner else [session.source]


def restore_png(workspace: Workspace, session: Session, data: bytes) -> Session | None:
    """Restore the view in which this PNG was made, as far as it can be; return None for a picture without a recipe."""
    text = images.read_png_recipe(data)
    if text is None:
        return None
    inner = {
        place: picture for key, place in PLACE_BY_KEY.items() if (picture := _read_inner_picture(data, key)) is not None
    }

    def fit_pictures(world: str) -> tuple[PicturesByPlace, str]:
        shape = workspace.store.find_image_shape(world)
        return {place: make_picture(images.fit_to(picture, shape), "restored") for place, picture in inner.items()}, ""

    return restore_view(workspace, plan_recipe_view(workspace, recipe.parse_recipe(text), fit_pictures), session)


def pictures_in(data: bytes) -> Images:
    """Return the input inside an exported PNG and, where one was used, the partner."""
    inner = [picture for key in PLACE_BY_KEY if (picture := _read_inner_picture(data, key)) is not None]
    if not inner:
        raise UserError("This PNG has no input inside; export it from LatentLab with its recipe.")
    return torch.stack([images.fit_to(picture, (3, picture.height, picture.width)) for picture in inner])


def _read_inner_picture(data: bytes, key: str) -> Image.Image | None:
    """Read a picture that travels inside the PNG; it is a stranger's, and read like one."""
    with open_png(data) as file:
        text = file.info.get(key)
    if not isinstance(text, str):
        return None
    if len(text) > MAX_PICTURE_LETTERS:
        raise UserError("The pictures inside this PNG are too large; export it from LatentLab again.")
    try:
        inner = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UserError("The pictures inside this PNG are damaged; export it from LatentLab again.") from error
    return images.read(inner)
