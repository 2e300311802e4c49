"""A result to take home: a PNG that carries its recipe and the pictures it began with, and the way back."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import replace

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latentlab import images, recipe
from latentlab.errors import UserError
from latentlab.knobs import to_json
from latentlab.operators import OPERATORS, Mix, Move, Swap
from latentlab.recipe import Recipe
from latentlab.session.desk import REFINE, Desk, found
from latentlab.session.refine import improved
from latentlab.session.state import Found, Session
from latentlab.session.verbs import again, beside, known, open_world, put
from latentlab.store import world_of
from latentlab.types import Images

INPUT, PARTNER = "latentlab-input", "latentlab-partner"
MAX_LETTERS = 200_000  # of a picture of 128 pixels in base64


def recipe_of(desk: Desk, session: Session) -> Recipe:
    """What was done, by name and digest."""
    store, tool = desk.store, session.result.tool
    return Recipe(
        model=session.model,
        model_digest=store.digest(session.model),
        classifier=session.classifier or None,
        classifier_digest=store.digest(session.classifier) if session.classifier else None,
        operator=name_of(tool),
        settings=to_json(tool),
        seed=session.seed,
        refine=REFINE if session.model in session.refined else 0,
        images=tuple(source.origin for source in _sources(session)),
    )


def name_of(tool: Move) -> str:
    return next(name for name, cls in OPERATORS.items() if type(tool) is cls)


def png(desk: Desk, session: Session) -> bytes:
    """The result with recipe, input and, where one was used, partner."""
    plain, file = images.png(session.result.image[0]), io.BytesIO()
    Image.open(io.BytesIO(plain)).save(file, "PNG", pnginfo=notes_of(desk, session))
    return file.getvalue()


def notes_of(desk: Desk, session: Session) -> PngInfo:
    """What a PNG carries so that its view can be restored."""
    notes = PngInfo()
    notes.add_itxt(images.RECIPE_KEY, recipe_of(desk, session).to_json())
    for key, source in zip((INPUT, PARTNER), _sources(session), strict=False):
        notes.add_text(key, base64.b64encode(images.png(source.image[0])).decode())
    return notes


def file_name(session: Session) -> str:
    return f"latentlab-{session.model}-{name_of(session.result.tool)}.png"


def _sources(session: Session) -> list[Found]:
    return [session.source, session.partner] if isinstance(session.result.tool, Mix | Swap) else [session.source]


def restore(desk: Desk, session: Session, data: bytes) -> Session | None:
    """The view in which this PNG was made, as far as it can be made here; None for a picture without a recipe."""
    text = images.recipe_of(data)
    if text is None:
        return None
    made = recipe.from_json(text)
    tool = made.tool()
    if not isinstance(tool, Move):
        raise UserError(f"The recipe's operator is {made.operator}; the page restores {', '.join(OPERATORS)}.")
    world, model, classifier = _standing(desk, made)
    known("space", model, desk.store.models(world))
    known("classifier", classifier or None, desk.store.classifiers(world))
    fresh = beside(open_world(desk, world, model, classifier, made.seed), session)
    for key, place in ((PARTNER, "partner"), (INPUT, "input")):
        if (picture := _picture(data, key)) is not None:
            fitted = found(images.fit_to(picture, desk.store.image_shape(world)), "restored")
            fresh = put(desk, replace(fresh, filling=place), fitted)
    back = again(desk, replace(fresh, result=replace(fresh.result, tool=tool)))
    if made.refine and model == made.model:
        back = improved(desk, back)
    lines = [*differences(desk, made), back.notice]
    return replace(back, notice="\n".join(line for line in lines if line))


def _standing(desk: Desk, made: Recipe) -> tuple[str, str, str]:
    """World, space and classifier of the recipe; what is not here is stood in for."""
    world = (
        world_of(made.model, desk.store.card(made.model)) if desk.loads(made.model) else made.model.partition("-")[0]
    )
    world = world if world in desk.store.worlds else desk.first_world
    model = made.model if desk.loads(made.model) else desk.drawing_model(world)
    return world, model, made.classifier if made.classifier and desk.loads(made.classifier) else ""


def differences(desk: Desk, made: Recipe) -> list[str]:
    """A line for each network that is not the one the recipe was made with."""
    pairs = ((made.model, made.model_digest), (made.classifier, made.classifier_digest))
    return [line for name, digest in pairs if name and (line := _difference(desk, name, digest or ""))]


def _difference(desk: Desk, name: str, expected: str) -> str:
    if not desk.loads(name):
        wanted = f" with hash {expected}" if expected else ""
        return (
            f"{name} is not here, and another network stands in. Put its file{wanted} into the folder of checkpoints."
        )
    found = desk.store.digest(name)
    if not expected or expected == found:
        return ""
    return (
        f"{name} changed since this picture was made: expected hash {expected}, found {found}. "
        "The result may differ; put the old file back for the same one."
    )


def pictures_in(data: bytes) -> Images:
    """The input inside an exported PNG and, where one was used, the partner."""
    inner = [picture for key in (INPUT, PARTNER) if (picture := _picture(data, key)) is not None]
    if not inner:
        raise UserError("This PNG has no input inside; export it from LatentLab with its recipe.")
    return torch.stack([images.fit_to(picture, (3, picture.height, picture.width)) for picture in inner])


def _picture(data: bytes, key: str) -> Image.Image | None:
    """A picture that travels inside the PNG; it is a stranger's, and read like one."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as file:
        text = file.info.get(key)
    if not isinstance(text, str):
        return None
    if len(text) > MAX_LETTERS:
        raise UserError("The pictures inside this PNG are too large; export it from LatentLab again.")
    try:
        inner = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UserError("The pictures inside this PNG are damaged; export it from LatentLab again.") from error
    return images.read(inner)
