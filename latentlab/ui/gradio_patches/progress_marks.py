"""Gradio's script keeps a progress mark for each component that any event writes, also where none is shown.

Gradio (seen in 6.31) looks every one of them up in the whole page, part by part, at each message of each event: a third
of the script's time at a move of a slider. Here an event that shows no progress marks no component.
"""

from __future__ import annotations

import gradio as gr


def clear_progress_marks(blocks: gr.Blocks) -> None:
    """Let each event that shows no progress mark no component."""
    for event in blocks.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = []
