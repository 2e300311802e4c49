"""What a newcomer reads: three sentences and one move to see, and in each tab a line until the tab has been used."""

from __future__ import annotations

import gradio as gr

from latentlab.ui.html import escape_text
from latentlab.ui.scripts import load_script

WELCOME_LINES = (
    "This is what an augmentation in a model's latent space does to a picture, before you train with it. "
    "From left to right: the picture, what the model makes of it without a move, and the result of the move. "
    "Drag a slider below the pictures, or take a picture of your own, and all of it follows."
)


def build_welcome() -> None:
    """Build the three sentences; a browser that has put them away does not show them again."""
    gr.HTML(
        f'<section aria-label="Welcome" hidden><p>{escape_text(WELCOME_LINES)}</p><div>'
        '<button class="ll-button" data-act="show">Show me a move</button>'
        '<button class="ll-button" data-act="close">Close</button></div></section>',
        js_on_load=load_script("first_minute.js"),
        elem_id="welcome",
    )


def build_purpose(key: str, purpose: str) -> None:
    """Build the line that says what a tab is for; it goes once the tab has been used."""
    gr.HTML(f'<p class="ll-purpose" data-tab="{key}">{escape_text(purpose)}</p>')


def build_page_end() -> None:
    """Build the last line of the page: what Gradio has in its footer, in our words."""
    gr.HTML(
        '<button data-opens="show-api">Use it from a program</button>'
        '<button data-opens="settings">Language and theme</button>',
        js_on_load=load_script("page_end.js"),
        elem_id="page-end",
    )
