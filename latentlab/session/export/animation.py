"""A move as a short film to save: every pixel exact and enlarged by a whole factor."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import ImageTensor, to_pillow
from latentlab.operators import name_operator
from latentlab.session.actions import apply_moves
from latentlab.session.export.png import write_notes
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace

ANIMATION_FORMATS = {"gif": "GIF", "webp": "WebP", "png": "PNG"}  # by their file's ending
FRAME_COUNT = 25  # one way
MAX_FRAME_SIDE = 256  # px, at most, of an enlarged picture
FRAME_MILLISECONDS = 80  # ms a frame


def export_animation(workspace: Workspace, session: Session, kind: str) -> bytes:
    """Export a film there and back along the move's path, or an attack's steps; an animated PNG carries the recipe.

    WebP and PNG are exact; a GIF has 256 colours a frame.
    """
    if kind not in ANIMATION_FORMATS:
        raise UserError(f"{kind[:20]!r} is no format for an animation; choose {', '.join(ANIMATION_FORMATS)}.")
    way = [enlarge_picture(picture) for picture in list_frames(workspace, session)]
    first, *rest = [*way, *way[-2:0:-1]]
    if kind == "gif":
        first, *rest = (frame.quantize(256, dither=Image.Dither.NONE) for frame in (first, *rest))
    options = {"webp": {"lossless": True}, "png": {"pnginfo": write_notes(workspace, session)}, "gif": {"disposal": 2}}[
        kind
    ]
    file = io.BytesIO()
    first.save(
        file, ANIMATION_FORMATS[kind], save_all=True, append_images=rest, duration=FRAME_MILLISECONDS, loop=0, **options
    )
    return file.getvalue()


def name_animation(session: Session, kind: str) -> str:
    return f"latentlab-{session.model}-{name_operator(session.result.tool)}.{kind}"


def list_frames(workspace: Workspace, session: Session) -> list[ImageTensor]:
    """List pictures evenly along the path from end to end; of an attack its steps."""
    if session.trace is not None:
        return [step.image[0] for step in session.trace[0].steps]
    path = session.result.tool.make_path()
    if path is None:
        raise UserError("This move has no path to walk along; choose a direction, noise, a mix or an attack.")
    places = np.linspace(path.marks[0], path.marks[-1], FRAME_COUNT)
    return [
        done.image[0]
        for done in apply_moves(workspace, session, [path.move_at(round(float(place), 6)) for place in places])
    ]


def enlarge_picture(picture: ImageTensor) -> Image.Image:
    """Enlarge a picture by the largest whole factor that keeps it within MAX_FRAME_SIDE."""
    plain = to_pillow(picture).convert("RGB")
    factor = max(1, MAX_FRAME_SIDE // max(plain.size))
    return plain.resize((plain.width * factor, plain.height * factor), Image.Resampling.NEAREST)
