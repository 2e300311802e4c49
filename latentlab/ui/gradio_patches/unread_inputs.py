"""Gradio reads what comes in before us, with other limits and in other words.

Gradio (to 6.31) opens a picture of `gr.Image` itself, so that a file that is none ends in its stack trace, and refuses
a slider's value out of range in a sentence of its own. These inputs hand on what came; the package reads and checks it.

Gradio writes a stub beside the file of every component class; these are alone here, so that it hides nothing.
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


class ManyFilesDrop(gr.File):
    """Where many files are dropped; they are handed on unread, as paths inside Gradio's cache."""

    is_template = True

    def preprocess(self, payload: Any) -> list[str]:
        """Return the paths of the files, unread; the stock component leaves an empty file behind for each."""
        files = [] if payload is None else getattr(payload, "root", [payload])
        return [file.path for file in files if file.path]


class UncheckedSlider(gr.Slider):
    """A slider whose value is checked by its setting alone, in the setting's words."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return the value as it came."""
        return payload
