"""The page. Gradio is imported when it is first built, after `guard.prepare` has set up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

    from latentlab.runs import Runs
    from latentlab.store import Store


def build(store: Store, runs: Runs | None = None) -> gr.Blocks:
    """The page of a store, and of the runs that may be started from it; launch it with `**look()`."""
    from latentlab.ui import page

    return page.build(store, runs)


def look() -> dict[str, Any]:
    """Keywords for `launch`: theme and style sheet."""
    from latentlab.ui import theme

    return theme.look()
