"""Text and pictures as HTML that a Gradio template cannot mistake for code."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable

from PIL import Image

from latentlab import images
from latentlab.images import ImageTensor

PREVIEW_SIDE = 320  # px

# Gradio evaluates the HTML it is given as a JavaScript template: these letters must not reach it from data.
TEMPLATE_ESCAPES = {ord(letter): f"&#{ord(letter)};" for letter in "$`\\{}"}


def escape_text(value: object) -> str:
    """Return any text as HTML that shows it as it is and never runs it."""
    return html.escape(str(value)).translate(TEMPLATE_ESCAPES)


def encode_png_uri(picture: ImageTensor, recipe: str | None = None) -> str:
    """Return the picture as an exact PNG inside the page."""
    return "data:image/png;base64," + base64.b64encode(images.png(picture, recipe)).decode()


def draw_image(picture: ImageTensor, alt: str) -> str:
    return f'<img src="{encode_png_uri(picture)}" alt="{escape_text(alt)}" decoding="sync">'


def draw_term(word: str, meaning: str) -> str:
    """Draw a name of the field, explained on hover and on focus."""
    return f'<span class="ll-term" tabindex="0" data-help="{escape_text(meaning)}">{escape_text(word)}</span>'


def spell_name(word: str) -> str:
    """Write a class, an attribute or a direction as people write it."""
    return word.replace("_", " ")


def write_percent(probability: float) -> str:
    """Write a share of 1 in whole per cent."""
    return f"{100 * probability:.0f} %"


def join_html(parts: Iterable[str]) -> str:
    return "".join(parts)


def encode_preview_uri(picture: Image.Image) -> str:
    """Return a preview of a large picture as a PNG inside the page."""
    preview, file = picture.copy(), io.BytesIO()
    preview.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    preview.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
