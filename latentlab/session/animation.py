"""A move as a short film to save: every pixel exact and enlarged by a whole factor."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import Picture, to_pillow
from latentlab.session.desk import Desk
from latentlab.session.keep import name_of, notes_of
from latentlab.session.path import path_of
from latentlab.session.state import Session
from latentlab.session.verbs import strip

FORMATS = {"gif": "GIF", "webp": "WebP", "png": "PNG"}  # by their file's ending
FRAMES = 25  # one way
SIDE = 256  # px, at most, of an enlarged picture
PAUSE = 80  # ms a frame


def animation(desk: Desk, session: Session, kind: str) -> bytes:
    """There and back along the move's path, or an attack's steps; an animated PNG carries the recipe.

    WebP and PNG are exact; a GIF has 256 colours a frame.
    """
    if kind not in FORMATS:
        raise UserError(f"{kind[:20]!r} is no format for an animation; choose {', '.join(FORMATS)}.")
    way = [enlarged(picture) for picture in pictures(desk, session)]
    first, *rest = [*way, *way[-2:0:-1]]
    if kind == "gif":
        first, *rest = (frame.quantize(256, dither=Image.Dither.NONE) for frame in (first, *rest))
    options = {"webp": {"lossless": True}, "png": {"pnginfo": notes_of(desk, session)}, "gif": {"disposal": 2}}[kind]
    file = io.BytesIO()
    first.save(file, FORMATS[kind], save_all=True, append_images=rest, duration=PAUSE, loop=0, **options)
    return file.getvalue()


def animation_name(session: Session, kind: str) -> str:
    return f"latentlab-{session.model}-{name_of(session.result.tool)}.{kind}"


def pictures(desk: Desk, session: Session) -> list[Picture]:
    """Evenly along the path from end to end; of an attack its steps."""
    if session.track is not None:
        return [step.image[0] for step in session.track[0].steps]
    path = path_of(session.result.tool)
    if path is None:
        raise UserError("This move has no path to walk along; choose a direction, noise, a mix or an attack.")
    places = np.linspace(path.marks[0], path.marks[-1], FRAMES)
    return [done.image[0] for done in strip(desk, session, [path.at(round(float(place), 6)) for place in places])]


def enlarged(picture: Picture) -> Image.Image:
    """By the largest whole factor that keeps it within SIDE."""
    plain = to_pillow(picture).convert("RGB")
    factor = max(1, SIDE // max(plain.size))
    return plain.resize((plain.width * factor, plain.height * factor), Image.Resampling.NEAREST)
