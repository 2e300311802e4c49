"""What can be taken away: the PNG with its recipe, the address, the lines of Python; zips and animations on demand."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import count
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.session import FORMATS, Desk, Session
from latentlab.ui import show, widgets
from latentlab.ui.markup import joined, text
from latentlab.ui.wiring import Page, kept, wired

Made = tuple[str, bytes]  # a file's name and content
Kinds = dict[str, tuple[str, str]]  # key to label and help
FETCH = "() => setTimeout(() => document.querySelector('#file').click(), 60)"
ZIP: Kinds = {
    "zip": ("Zip", "The selection, or this picture where none is: pictures, latents, labels, recipe, lines of Python.")
}
FILMS: Kinds = {
    "webp": ("WebP", "The path there and back as an animation, every pixel exact."),
    "png": ("PNG", "The path there and back as an animated PNG, exact, with its recipe inside."),
    "gif": ("GIF", "The path there and back as a GIF: 256 colours a frame."),
}


def away(desk: Desk, session: Session) -> str:
    """The result as a file: an exact PNG with its recipe inside; the view as an address; both as lines of Python."""
    data, file = base64.b64encode(verbs.png(desk, session)).decode(), text(verbs.file_name(session))
    lines, lacks = text(verbs.as_python(desk, session)), text(verbs.left_out(session))
    line = f'<p class="ll-note" role="status" hidden>{lacks}</p>' if lacks else ""
    return (
        f'<a class="ll-button" id="take-png" download="{file}" href="data:image/png;base64,{data}" '
        f'title="The result, exact, with its recipe inside: drop it on the page to come back here.">PNG with recipe</a>'
        f'<button class="ll-button" id="take-link" title="{lacks or "Copy the address of this view."}">Link</button>'
        f"{line}"
        f'<button class="ll-button" id="take-python" title="The lines that make this result again.">Python</button>'
        f'<dialog aria-label="as Python"><p>These lines make this result again. They read <b>{file}</b> '
        f'(PNG with recipe) and the folder checkpoints.</p><pre tabindex="0">{lines}</pre>'
        f'<div class="ll-row"><button class="ll-button" data-act="copy">Copy</button>'
        f'<button class="ll-button" data-act="close">Close</button></div></dialog>'
    )


def offers(kinds: Kinds, words: str = "", stamp: int = 0) -> str:
    """A button for each kind of file that is made when it is asked for; a new stamp says that the last one is there."""
    buttons = joined(
        f'<button class="ll-button" data-key="{key}" title="{text(meaning)}">{label}</button>'
        for key, (label, meaning) in kinds.items()
    )
    return f'<span data-stamp="{stamp}">{words}</span>{buttons}'


def packed(desk: Desk, session: Session, key: str) -> Made:
    """The file of that kind."""
    if key == "zip":
        return verbs.bundle_name(session), verbs.bundle(desk, session)
    if key not in FORMATS:
        raise UserError(f"{key[:20]!r} cannot be made; choose one of the files offered.")
    return verbs.animation_name(session, key), verbs.animation(desk, session, key)


def offered(page: Page, kinds: Kinds, words: str = "", **options: Any) -> Callable[[gr.HTML], None]:
    """The offers, placed here; called with the line for what goes wrong, a click makes the file and it is fetched."""
    offer = widgets.offers(offers(kinds, words), **options)
    made = count(1)

    def run(told: gr.EventData, session: Session | None) -> list[Any]:
        if session is None:
            return kept(range(3))
        fresh = offers(kinds, words, next(made))
        try:
            name, data = packed(page.desk, session, widgets.picked(told))
        except UserError as error:
            return [fresh, None, show.note(str(error))]
        return [fresh, save_bytes_to_cache(data, name, page.file.GRADIO_CACHE), ""]

    def wire(note: gr.HTML) -> None:
        (done,) = wired([offer.pick], run, [page.session], [offer, page.file, note])
        done.then(None, js=FETCH, api_visibility="private")

    return wire
