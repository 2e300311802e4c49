"""The few components that Gradio lacks, each an HTML with a script that lies beside its part."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.session import Photo
from latentlab.ui.gradio_patches.unread_inputs import FileDrop, ManyFilesDrop
from latentlab.ui.html import encode_preview_uri, escape_text
from latentlab.ui.scripts import load_script
from latentlab.untrusted import is_plain_text

FRAME_LABEL = "part of the picture that is used: arrow keys move it, plus and minus size it"


def make_choices(**options: Any) -> gr.HTML:
    """Make pictures that are buttons; `pick` tells the `key` of the one that was clicked."""
    return gr.HTML(js_on_load=load_script("choices.js"), **options)


def make_paired_choices(**options: Any) -> gr.HTML:
    """Make choices of which those of one pair light up together."""
    return gr.HTML(
        js_on_load=load_script("choices.js", "pair_highlight.js"),
        **options,
    )


def make_lesson_board(**options: Any) -> gr.HTML:
    """Make the lessons' board: `pick` tells the `key` of a click, `go` that a move is wanted, `back` what the browser
    kept.
    """
    return gr.HTML(
        js_on_load=load_script("tabs/learn/lessons.js", "pair_highlight.js"),
        **options,
    )


def make_stage(**options: Any) -> gr.HTML:
    """Make the stage; its `settled` tells that what is shown has not changed for a moment, `rested` that it has not for
    longer, `moved` that it has.
    """
    return gr.HTML(js_on_load=load_script("stage/stage.js"), **options)


def make_direction_row(slider: str, **options: Any) -> gr.HTML:
    """Make a row of pictures along a direction: a click goes to one, a drag between them moves the slider below."""
    return gr.HTML(
        js_on_load=load_script("tabs/explore/direction_row.js"),
        elem_id=f"{slider}-row",
        elem_classes="ll-direction-row",
        **options,
    )


def make_export_menu(**options: Any) -> gr.HTML:
    """Make the menu of what can be taken away: a file, the address, lines of Python."""
    return gr.HTML(js_on_load=load_script("stage/export_menu.js"), **options)


def make_file_offers(value: str, **options: Any) -> gr.HTML:
    """Make the offers of files that are made when they are asked for; `pick` tells which."""
    return gr.HTML(value, js_on_load=load_script("stage/file_request.js"), **options)


def make_server_status(**options: Any) -> gr.HTML:
    """Make a line that shows when the server is away; the page opens its view again when it is back."""
    return gr.HTML('<p role="alert" hidden></p>', js_on_load=load_script("server/server_status.js"), **options)


def make_cropper(**options: Any) -> gr.HTML:
    """Make a frame over a picture; `crop` tells the box that was chosen, in the picture's pixels."""
    return gr.HTML(js_on_load=load_script("workbench/crop.js"), **options)


def make_drop_place(**options: Any) -> FileDrop:
    """Make a place for files, the clipboard and the camera."""
    return FileDrop(
        type="filepath",
        format="png",
        sources=["upload", "clipboard", "webcam"],
        height=88,
        show_label=False,
        placeholder="Drop a picture or a recipe here",
        **options,
    )


def make_many_files_drop(**options: Any) -> ManyFilesDrop:
    """Make a place for many files at once."""
    return ManyFilesDrop(file_count="multiple", height=124, show_label=False, **options)


def make_recipe_button(**options: Any) -> gr.HTML:
    """Make a button for a recipe.json; `recipe` tells its text, also of one that is dropped among the pictures."""
    words = "Shows the view of a recipe.json again; it can be dropped among the pictures, too."
    button = f'<button class="ll-small" title="{words}">Open a recipe</button>'
    field = '<input type="file" accept=".json,application/json" hidden>'
    return gr.HTML(button + field, js_on_load=load_script("workbench/recipe.js", "workbench/drop_label.js"), **options)


def draw_crop_frame(photo: Photo | None) -> str:
    """Draw the picture that was brought, with the frame where it is now."""
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
    preview = encode_preview_uri(photo.picture)
    return (
        f'<div class="ll-crop"><img src="{preview}" alt="the whole picture" draggable="false">'
        f'<div class="ll-frame" tabindex="0" role="slider" aria-valuenow="{right - left:.0f}" '
        f'aria-label="{FRAME_LABEL}" {attributes} style="{place}"></div></div>'
        f'<p class="ll-quiet">{wide} × {high}. {escape_text(photo.told)} '
        "Drag the frame; wheel or + − for its size.</p>"
    )


def read_event_key(event: gr.EventData) -> str:
    """Read the key of a click: a visitor's word, to be checked by whoever uses it."""
    key = event._data.get("key") if isinstance(event._data, dict) else None
    if not isinstance(key, str) or not is_plain_text(key):
        raise UserError("Nothing was chosen; click a picture.")
    return key


def read_event_text(event: gr.EventData) -> str:
    """Read the text of a file: a visitor's, to be checked by whoever reads it."""
    text = event._data.get("text") if isinstance(event._data, dict) else None
    if not isinstance(text, str):
        raise UserError("Nothing was read; choose the file again.")
    return text


def read_event_box(event: gr.EventData) -> tuple[float, float, float, float]:
    """Read the box of a crop, four finite numbers."""
    box = event._data.get("box") if isinstance(event._data, dict) else None
    if not isinstance(box, list) or len(box) != 4 or not all(type(v) in (int, float) and abs(v) < 1e6 for v in box):
        raise UserError("The crop is not a box of four numbers; drag the frame again.")
    left, top, right, bottom = (float(value) for value in box)
    return left, top, right, bottom
