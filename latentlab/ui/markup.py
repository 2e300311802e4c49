"""Text and pictures as HTML that a Gradio template cannot mistake for code."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable

from PIL import Image

from latentlab import images
from latentlab.images import Picture

PREVIEW = 320  # px

# Gradio evaluates the HTML it is given as a JavaScript template: these letters must not reach it from data.
HARMLESS = {ord(letter): f"&#{ord(letter)};" for letter in "$`\\{}"}


def text(value: object) -> str:
    """Any text, shown as it is and never run."""
    return html.escape(str(value)).translate(HARMLESS)


def uri(picture: Picture, recipe: str | None = None) -> str:
    """The picture as an exact PNG inside the page."""
    return "data:image/png;base64," + base64.b64encode(images.png(picture, recipe)).decode()


def image(picture: Picture, alt: str) -> str:
    return f'<img src="{uri(picture)}" alt="{text(alt)}" decoding="sync">'


def term(word: str, meaning: str) -> str:
    """A name of the field, explained on hover and on focus."""
    return f'<span class="ll-term" tabindex="0" data-help="{text(meaning)}">{text(word)}</span>'


def joined(parts: Iterable[str]) -> str:
    return "".join(parts)


def pil_uri(picture: Image.Image) -> str:
    """A preview of a large picture."""
    preview, file = picture.copy(), io.BytesIO()
    preview.thumbnail((PREVIEW, PREVIEW))
    preview.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
