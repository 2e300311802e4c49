"""Every plot of the page: a Plotly figure as a plain dictionary, and the points that a hand chose in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from latentlab.errors import UserError
from latentlab.ui.html import escape_text
from latentlab.ui.scripts import load_script

MAX_PLOT_POINTS = 100_000  # points in one figure
KEYS_HELP = "Arrow keys move the view, plus and minus zoom, 0 shows all."


def find_plotly_script() -> Path:
    """Return the path of Plotly's own script inside its package; the package itself is not imported."""
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


def encode_array(values: Any) -> dict[str, str]:
    """Return numbers as Plotly reads them at once: 4-byte floats or whole numbers in base64."""
    numbers = np.asarray(values)
    packed = np.ascontiguousarray(numbers, dtype="<i4" if numbers.dtype.kind in "iub" else "<f4")
    return {"dtype": packed.dtype.str[1:], "bdata": base64.b64encode(packed.tobytes()).decode()}


def read_event_points(event: gr.EventData) -> list[tuple[int, int]]:
    """Read curve and point of each point clicked or lassoed: a visitor's numbers, of bounded size and count."""
    told = event._data.get("index") if isinstance(event._data, dict) else None
    if not isinstance(told, list) or len(told) > MAX_PLOT_POINTS or not all(map(_is_point, told)):
        raise UserError("The choice of points did not arrive whole; choose them again.")
    return [(curve, point) for curve, point in told]


def _is_point(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(k) is int and 0 <= k < MAX_PLOT_POINTS for k in pair)


class PlotlyView(gr.HTML):
    """A figure {"data": …, "layout": …, "config": …}; `select`, `click` and `clear` tell what a hand chose.

    A colour may be written as "var(--ll-accent)": it follows the theme. Zoom and camera are kept while
    `layout.uirevision` is the same. A point whose customdata is a picture shows it on hover; where it is a number,
    `picture({**figure["pictures"], "row": number})` gives {"src": …, "text": …} or None. Its argument is a
    visitor's word.
    """

    is_template = True

    def __init__(
        self,
        value: Mapping[str, Any] | None = None,
        height: int = 320,
        label: str = "plot",
        picture: Callable[[Any], dict[str, str] | None] | None = None,
        **options: Any,
    ) -> None:
        gr.set_static_paths([find_plotly_script()])
        super().__init__(
            value,
            html_template=f'<div class="ll-figure" style="height:{int(height)}px" tabindex="0" role="group" '
            f'aria-label="{escape_text(label)}. {KEYS_HELP}"></div><div class="ll-figure-tip" role="status"></div>',
            js_on_load=load_script("plotly_view.js"),
            server_functions=[_name_for_script(picture)] if picture else None,
            script=f"gradio_api/file={find_plotly_script()}",  # relative: right also behind a root path
            **options,
        )

    def postprocess(self, value: Mapping[str, Any] | str | None) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": "a Plotly figure as JSON"}


def _name_for_script(picture: Callable[[Any], dict[str, str] | None]) -> Callable[[Any], dict[str, str] | None]:
    """Return the function under the name by which the script calls it: `server.look` in plotly_view.js."""

    def look(asked: Any) -> dict[str, str] | None:
        return picture(asked)

    return look
