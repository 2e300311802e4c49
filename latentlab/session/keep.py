"""A result to take home: a PNG that carries its recipe and the pictures it began with, and the way back."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Mapping
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
from latentlab.session.verbs import again, beside, known, open_world, put_all
from latentlab.store import world_of
from latentlab.types import Images

INPUT, PARTNER = "latentlab-input", "latentlab-partner"
KEYS = {INPUT: "input", PARTNER: "partner"}
MAX_LETTERS = 200_000  # of a picture of 128 pixels in base64
IN_ZIP = re.compile(r"\d{3}-(.+)")  # how a zip names its pictures
Pictures = Mapping[str, Found]  # by their place, input or partner


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
        images=tuple(source.name or source.origin for source in _sources(session)),
    )


def name_of(tool: Move) -> str:
    return next(name for name, cls in OPERATORS.items() if type(tool) is cls)


def png(desk: Desk, session: Session) -> bytes:
    """The result with recipe, input and, where one was used, partner."""
    file = io.BytesIO()
    images.to_pillow(session.result.image[0]).save(file, "PNG", pnginfo=notes_of(desk, session))
    return file.getvalue()


def notes_of(desk: Desk, session: Session) -> PngInfo:
    """What a PNG carries so that its view can be restored."""
    notes = PngInfo()
    notes.add_itxt(images.RECIPE_KEY, recipe_of(desk, session).to_json())
    for key, source in zip(KEYS, _sources(session), strict=False):
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
    inner = {place: picture for key, place in KEYS.items() if (picture := _picture(data, key)) is not None}

    def pictures(world: str) -> tuple[Pictures, str]:
        shape = desk.store.image_shape(world)
        return {place: found(images.fit_to(picture, shape), "restored") for place, picture in inner.items()}, ""

    return _view(desk, session, recipe.from_json(text), pictures)


def restore_recipe(desk: Desk, session: Session, text: str) -> Session:
    """The view of a recipe alone, on the pictures that it names; for one that is not here the one at hand stays."""
    made = recipe.from_json(text)

    def pictures(world: str) -> tuple[Pictures, str]:
        wanted, lines = _wanted(made), []
        here = {"partner": session.partner, "input": session.source} if session.world == world else {}
        for place, name in wanted.items():
            try:
                here |= {place: desk.named(world, name)}
            except UserError:
                stays = "the one at hand" if session.world == world else "an example"
                lines.append(f"The recipe's picture {name[:60]!r} is not inside it, and not here; {stays} stands in.")
        return here, "\n".join(lines)

    return _view(desk, session, made, pictures)


def _wanted(made: Recipe) -> dict[str, str]:
    """The recipe's pictures by name and place; of a zip's many the first, as they are no partners."""
    plain = [match[1].replace("-", " ") if (match := IN_ZIP.fullmatch(name)) else name for name in made.images]
    zipped = any(IN_ZIP.fullmatch(name) for name in made.images)
    return dict(zip(("input",) if zipped else ("input", "partner"), plain, strict=False))


def _view(desk: Desk, session: Session, made: Recipe, pictures: Callable[[str], tuple[Pictures, str]]) -> Session:
    """The recipe's move in its situation, on these pictures of its world."""
    tool = made.tool()
    if not isinstance(tool, Move):
        raise UserError(f"The recipe's operator is {made.operator}; the page restores {', '.join(OPERATORS)}.")
    world, model, classifier = _standing(desk, made)
    known("space", model, desk.store.models(world))
    known("classifier", classifier or None, desk.store.classifiers(world))
    fresh = beside(open_world(desk, world, model, classifier, made.seed), session)
    given, said = pictures(world)
    fresh = put_all(desk, fresh, given)
    back = again(desk, replace(fresh, result=replace(fresh.result, tool=tool)))
    if made.refine and model == made.model:
        back = improved(desk, back)
    lines = [*differences(desk, made), said, back.notice]
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
    inner = [picture for key in KEYS if (picture := _picture(data, key)) is not None]
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
