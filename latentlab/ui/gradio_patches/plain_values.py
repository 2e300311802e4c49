"""Gradio looks at each value that comes in in a thread of its own, also at numbers that arrive as they are.

That costs Gradio (in 6.31, not yet in 6.0) half a millisecond for every slider of a bank, ten a move. Events that read
only such widgets are wired with `preprocess=False`, and their values pass through `round_value`.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.untrusted import is_finite_number

PLAIN_WIDGETS = (gr.State, gr.Slider, gr.Number, gr.Dropdown, gr.Radio, gr.Checkbox, gr.CheckboxGroup)


def round_value(read: Any, value: Any) -> Any:
    """Return what Gradio would make of a plain value. Whether it is allowed is for the tool to say."""
    if value is None or not isinstance(read, gr.Slider | gr.Number):
        return value
    if not is_finite_number(value) and not isinstance(value, bool):
        raise UserError(f"{read.label} is no number; give one.")
    return gr.Number.round_to_precision(value, read.precision)
