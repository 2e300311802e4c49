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
from latentlab.session import ANIMATION_FORMATS, Session, Workspace
from latentlab.ui import components
from latentlab.ui.events import connect_events, connect_script
from latentlab.ui.html import escape_text, join_html
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.stage.view import draw_note, draw_view_mark

NamedFile = tuple[str, bytes]  # a file's name and content
FileKinds = dict[str, tuple[str, str]]  # key to label and help
FETCH_SCRIPT = "() => setTimeout(() => document.querySelector('#file').click(), 60)"
ZIP_KIND: FileKinds = {
    "zip": ("Zip", "The selection, or this picture where none is: pictures, latents, labels, recipe, lines of Python.")
}
ANIMATION_KINDS: FileKinds = {
    "webp": ("WebP", "The path there and back as an animation, every pixel exact."),
    "png": ("PNG", "The path there and back as an animated PNG, exact, with its recipe inside."),
    "gif": ("GIF", "The path there and back as a GIF: 256 colours a frame."),
}


def draw_export_menu(workspace: Workspace, session: Session) -> str:
    """Offer the result as a file, an exact PNG with its recipe inside; the view as an address; both as Python lines."""
    data, file = base64.b64encode(verbs.export_png(workspace, session)).decode(), escape_text(verbs.name_png(session))
    lines, lacks = escape_text(verbs.export_python(workspace, session)), escape_text(verbs.report_left_out(session))
    line = f'<p class="ll-note" role="status" hidden>{lacks}</p>' if lacks else ""
    return (
        f"{draw_view_mark(session)}"
        f'<button class="ll-button" id="take-share" title="Give the picture and the address of this view to another '
        f'program of this device." hidden>Share</button>'
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


def draw_file_offers(kinds: FileKinds, words: str = "", stamp: int = 0) -> str:
    """Draw a button for each kind of file that is made on demand; a new stamp says that the last one is there."""
    buttons = join_html(
        f'<button class="ll-button" data-key="{key}" title="{escape_text(meaning)}">{label}</button>'
        for key, (label, meaning) in kinds.items()
    )
    return f'<span data-stamp="{stamp}">{words}</span>{buttons}'


def make_export_file(workspace: Workspace, session: Session, key: str) -> NamedFile:
    """Make the file of that kind."""
    if key == "zip":
        return verbs.name_zip(session), verbs.export_zip(workspace, session)
    if key not in ANIMATION_FORMATS:
        raise UserError(f"{key[:20]!r} cannot be made; choose one of the files offered.")
    return verbs.name_animation(session, key), verbs.export_animation(workspace, session, key)


def place_file_offers(page: Page, kinds: FileKinds, words: str = "", **options: Any) -> Callable[[gr.HTML], None]:
    """Place the offers here and return how to wire them: call it with the line for what goes wrong, then a click makes
    the file and it is fetched.
    """
    offer = components.make_file_offers(draw_file_offers(kinds, words), **options)
    made = count(1)

    def wire_offers(note: gr.HTML) -> None:
        def make_offered_file(told: gr.EventData, session: Session | None) -> Painted:
            if session is None:
                return {}
            fresh: Painted = {offer: draw_file_offers(kinds, words, next(made))}
            try:
                name, data = make_export_file(page.workspace, session, components.read_event_key(told))
            except UserError as error:
                return {**fresh, page.file: None, note: draw_note(str(error))}
            return {**fresh, page.file: save_bytes_to_cache(data, name, page.file.GRADIO_CACHE), note: ""}

        reads, outputs = {"session": page.session}, [offer, page.file, note]
        (done,) = connect_events([offer.pick], make_offered_file, reads, outputs, note, event=lambda told: told)
        connect_script(done.then, FETCH_SCRIPT)

    return wire_offers
