"""The page. Gradio is imported when it is first built, after `server.launch.prepare_gradio` has set up for it.

Widgets, their events and HTML belong here; a handler reads its widgets, calls one verb of `session` and draws
the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latentlab.ui.gradio_patches.stub_files import write_no_stubs

if TYPE_CHECKING:
    import gradio as gr

    from latentlab.runs import Runs
    from latentlab.store import Store

write_no_stubs()  # here, since it helps only before any module of the page has imported Gradio


def build_page(store: Store, runs: Runs | None = None) -> gr.Blocks:
    """Build the page of a store, and of the runs that may be started from it; launch it with `**load_page_style()`."""
    from latentlab.ui import page

    return page.lay_out_page(store, runs)


def load_page_style() -> dict[str, Any]:
    """Return the keywords for `launch`: theme and style sheet."""
    from latentlab.ui import theme

    return theme.load_style_options()
