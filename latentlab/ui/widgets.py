"""The few components that Gradio lacks, each an HTML with a script from assets/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.session import Photo
from latentlab.ui.inputs import Drop
from latentlab.ui.markup import pil_uri

FRAME = "part of the picture that is used: arrow keys move it, plus and minus size it"
ASSETS = Path(__file__).parents[2] / "assets"


def choices(**options: Any) -> gr.HTML:
    """Pictures as buttons; `pick` tells the `key` of the one that was clicked."""
    return gr.HTML(js_on_load=(ASSETS / "choices.js").read_text(), **options)


def paired(**options: Any) -> gr.HTML:
    """Choices of which those of one pair light up together."""
    return gr.HTML(js_on_load="\n".join((ASSETS / name).read_text() for name in ("choices.js", "plan.js")), **options)


def lesson_board(**options: Any) -> gr.HTML:
    """Questions: `pick` tells the `key` of a click, `go` that a move is wanted, `back` what the browser kept."""
    return gr.HTML(js_on_load="\n".join((ASSETS / name).read_text() for name in ("lessons.js", "plan.js")), **options)


def stage(**options: Any) -> gr.HTML:
    """What is shown; `settled` when it has not changed for a moment."""
    return gr.HTML(js_on_load=(ASSETS / "stage.js").read_text(), **options)


def away(**options: Any) -> gr.HTML:
    """What can be taken away: a file, the address, lines of Python."""
    return gr.HTML(js_on_load=(ASSETS / "away.js").read_text(), **options)


def offers(value: str, **options: Any) -> gr.HTML:
    """Files that are made when they are asked for; `pick` tells which."""
    return gr.HTML(value, js_on_load=(ASSETS / "offer.js").read_text(), **options)


def alive(**options: Any) -> gr.HTML:
    """A line when the server is away; the page opens its view again when it is back."""
    return gr.HTML('<p role="alert" hidden></p>', js_on_load=(ASSETS / "alive.js").read_text(), **options)


def cropper(**options: Any) -> gr.HTML:
    """A frame over a picture; `crop` tells the box that was chosen, in the picture's pixels."""
    return gr.HTML(js_on_load=(ASSETS / "crop.js").read_text(), **options)


def drop(**options: Any) -> Drop:
    """A place for files, the clipboard and the camera."""
    return Drop(
        type="filepath",
        format="png",
        sources=["upload", "clipboard", "webcam"],
        height=88,
        show_label=False,
        placeholder="Drop a picture or a recipe here",
        **options,
    )


def recipes(**options: Any) -> gr.HTML:
    """A button for a recipe.json; `recipe` tells its text, also of one that is dropped among the pictures."""
    words = "Shows the view of a recipe.json again; it can be dropped among the pictures, too."
    button = f'<button class="ll-small" title="{words}">Open a recipe</button>'
    field = '<input type="file" accept=".json,application/json" hidden>'
    return gr.HTML(button + field, js_on_load=(ASSETS / "recipe.js").read_text(), **options)


def crop_frame(photo: Photo | None) -> str:
    """The picture that was brought, with the frame where it is now."""
    if photo is None:
        return ""
    (wide, high), (left, top, right, bottom) = photo.picture.size, photo.box
    data = {
        "wide": wide,
        "high": high,
        "x": left,
        "y": top,
        "side": right - left,
        "ratio": (right - left) / (bottom - top),
    }
    attributes = " ".join(f'data-{name}="{value:g}"' for name, value in data.items())
    place = (
        f"left:{100 * left / wide:.3f}%;top:{100 * top / high:.3f}%;"
        f"width:{100 * (right - left) / wide:.3f}%;height:{100 * (bottom - top) / high:.3f}%"
    )
    return (
        f'<div class="ll-crop"><img src="{pil_uri(photo.picture)}" alt="the whole picture" draggable="false">'
        f'<div class="ll-frame" tabindex="0" role="slider" aria-valuenow="{right - left:.0f}" '
        f'aria-label="{FRAME}" {attributes} style="{place}"></div></div>'
        f'<p class="ll-quiet">{wide} × {high}. Drag the frame; wheel or + − for its size.</p>'
    )


def picked(event: gr.EventData) -> str:
    """The key of a click: a visitor's word, to be checked by whoever uses it."""
    key = event._data.get("key") if isinstance(event._data, dict) else None
    if not isinstance(key, str) or len(key) > 200:
        raise UserError("Nothing was chosen; click a picture.")
    return key


def written(event: gr.EventData) -> str:
    """The text of a file: a visitor's, to be checked by whoever reads it."""
    text = event._data.get("text") if isinstance(event._data, dict) else None
    if not isinstance(text, str):
        raise UserError("Nothing was read; choose the file again.")
    return text


def boxed(event: gr.EventData) -> tuple[float, float, float, float]:
    """The box of a crop, four finite numbers."""
    box = event._data.get("box") if isinstance(event._data, dict) else None
    if not isinstance(box, list) or len(box) != 4 or not all(type(v) in (int, float) and abs(v) < 1e6 for v in box):
        raise UserError("The crop is not a box of four numbers; drag the frame again.")
    left, top, right, bottom = (float(value) for value in box)
    return left, top, right, bottom
