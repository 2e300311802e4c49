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
from latentlab.knobs import tool_to_json
from latentlab.operators import OPERATORS, LatentOperator, Mix, Swap
from latentlab.recipe import Recipe
from latentlab.session.actions import copy_surroundings, open_world, place_pictures, repeat_move, require_choice
from latentlab.session.refinement import use_refined_encoding
from latentlab.session.state import Picture, Session
from latentlab.session.workspace import REFINE_STEPS, Workspace, make_picture
from latentlab.store import infer_world
from latentlab.types import Images

INPUT_KEY, PARTNER_KEY = "latentlab-input", "latentlab-partner"
PLACE_BY_KEY = {INPUT_KEY: "input", PARTNER_KEY: "partner"}
MAX_PICTURE_LETTERS = 200_000  # of a picture of 128 pixels in base64
ZIP_PICTURE_NAME = re.compile(r"\d{3}-(.+)")  # how a zip names its pictures
PicturesByPlace = Mapping[str, Picture]  # by their place, input or partner


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


def name_operator(tool: LatentOperator) -> str:
    return next(name for name, cls in OPERATORS.items() if type(tool) is cls)


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
    return [session.source, session.partner] if isinstance(session.result.tool, Mix | Swap) else [session.source]


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

    return _restore_view(workspace, session, recipe.parse_recipe(text), fit_pictures)


def restore_recipe(workspace: Workspace, session: Session, text: str) -> Session:
    """Restore the view of a recipe alone, on the pictures that it names; for one that is not here the one at hand
    stays.
    """
    made = recipe.parse_recipe(text)

    def find_pictures(world: str) -> tuple[PicturesByPlace, str]:
        wanted, lines = _list_wanted(made), []
        here = {"partner": session.partner, "input": session.source} if session.world == world else {}
        for place, name in wanted.items():
            try:
                here |= {place: workspace.find_picture(world, name)}
            except UserError:
                stays = "the one at hand" if session.world == world else "an example"
                lines.append(f"The recipe's picture {name[:60]!r} is not inside it, and not here; {stays} stands in.")
        return here, "\n".join(lines)

    return _restore_view(workspace, session, made, find_pictures)


def _list_wanted(made: Recipe) -> dict[str, str]:
    """List the recipe's pictures by name and place; of a zip's many only the first, as they are no partners."""
    plain = [
        match[1].replace("-", " ") if (match := ZIP_PICTURE_NAME.fullmatch(name)) else name for name in made.images
    ]
    zipped = any(ZIP_PICTURE_NAME.fullmatch(name) for name in made.images)
    return dict(zip(("input",) if zipped else ("input", "partner"), plain, strict=False))


def _restore_view(
    workspace: Workspace, session: Session, made: Recipe, pictures: Callable[[str], tuple[PicturesByPlace, str]]
) -> Session:
    """Restore the recipe's move in its situation, on these pictures of its world."""
    tool = made.make_operator()
    if not isinstance(tool, LatentOperator):
        raise UserError(f"The recipe's operator is {made.operator}; the page restores {', '.join(OPERATORS)}.")
    world, model, classifier = _resolve_networks(workspace, made)
    require_choice("space", model, workspace.store.list_models(world))
    require_choice("classifier", classifier or None, workspace.store.list_classifiers(world))
    fresh = copy_surroundings(open_world(workspace, world, model, classifier, made.seed), session)
    given, said = pictures(world)
    fresh = place_pictures(workspace, fresh, given)
    back = repeat_move(workspace, replace(fresh, result=replace(fresh.result, tool=tool)))
    if made.refine and model == made.model:
        back = use_refined_encoding(workspace, back)
    lines = [*list_differences(workspace, made), said, back.notice]
    return replace(back, notice="\n".join(line for line in lines if line))


def _resolve_networks(workspace: Workspace, made: Recipe) -> tuple[str, str, str]:
    """Return world, space and classifier of the recipe; what is not here is stood in for."""
    world = (
        infer_world(made.model, workspace.store.card(made.model))
        if workspace.can_load(made.model)
        else made.model.partition("-")[0]
    )
    world = world if world in workspace.store.worlds else workspace.first_world
    model = made.model if workspace.can_load(made.model) else workspace.choose_drawing_model(world)
    return world, model, made.classifier if made.classifier and workspace.can_load(made.classifier) else ""


def list_differences(workspace: Workspace, made: Recipe) -> list[str]:
    """List a line for each network that is not the one the recipe was made with."""
    pairs = ((made.model, made.model_digest), (made.classifier, made.classifier_digest))
    return [line for name, digest in pairs if name and (line := _describe_difference(workspace, name, digest or ""))]


def _describe_difference(workspace: Workspace, name: str, expected: str) -> str:
    if not workspace.can_load(name):
        wanted = f" with hash {expected}" if expected else ""
        return (
            f"{name} is not here, and another network stands in. Put its file{wanted} into the folder of checkpoints."
        )
    found = workspace.store.digest(name)
    if not expected or expected == found:
        return ""
    return (
        f"{name} changed since this picture was made: expected hash {expected}, found {found}. "
        "The result may differ; put the old file back for the same one."
    )


def pictures_in(data: bytes) -> Images:
    """Return the input inside an exported PNG and, where one was used, the partner."""
    inner = [picture for key in PLACE_BY_KEY if (picture := _read_inner_picture(data, key)) is not None]
    if not inner:
        raise UserError("This PNG has no input inside; export it from LatentLab with its recipe.")
    return torch.stack([images.fit_to(picture, (3, picture.height, picture.width)) for picture in inner])


def _read_inner_picture(data: bytes, key: str) -> Image.Image | None:
    """Read a picture that travels inside the PNG; it is a stranger's, and read like one."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as file:
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
