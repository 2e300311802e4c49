"""Gradio's inputs without its own reading of what comes in: the package reads and checks, in its own words.

Gradio writes a stub beside the file of every component class; these two are alone here, so that it hides nothing.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class FileDrop(gr.Image):
    """Where files are dropped, pasted or photographed; they are handed on unread, as a path inside Gradio's cache."""

    is_template = True  # drawn by the browser as what it inherits from

    def preprocess(self, payload: Any) -> str | None:
        """Return the path of the file, unread."""
        if payload is None:
            return None
        if not payload.path:
            raise gr.Error("Send the picture as a file.", print_exception=False)
        return payload.path


class UncheckedSlider(gr.Slider):
    """A slider whose value is checked by its setting alone, in the setting's words."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return the value as it came."""
        return payload
