"""Forms of the operators for which no tab has widgets of its own: a row in the table of operators gives them one."""

from __future__ import annotations

from collections.abc import Callable, Collection

import gradio as gr

from latentlab import session as verbs
from latentlab.operators import OPERATORS, LatentOperator
from latentlab.session import Session
from latentlab.ui.events import connect_action
from latentlab.ui.form import Form, Knobs, list_touch_events
from latentlab.ui.page_parts import Page


def build_added_forms(
    page: Page, shown: Collection[str], holds_move: Callable[[LatentOperator], bool], note: gr.HTML
) -> None:
    """Build a form for each operator that belongs to the tab and is not among those shown there."""
    for name, cls in OPERATORS.items():
        if name not in shown and holds_move(cls()):
            _build_added_form(page, name, cls, note)


def _build_added_form(page: Page, name: str, cls: type[LatentOperator], note: gr.HTML) -> None:
    gr.HTML(f'<h3 class="ll-heading">{name}</h3>')
    with gr.Row(elem_classes="ll-bank"):
        form = Form(cls)
    go = gr.Button("Move", elem_id=f"{name}-go", size="sm")

    def apply_move(session: Session, knobs: Knobs) -> Session:
        return verbs.apply_move(page.workspace, session, form.read_tool(knobs))

    page.add_follower(form.follower)
    triggers = [*list_touch_events(form.widgets.values()), go.click]
    connect_action(page, triggers, apply_move, {"knobs": form.widgets}, note)
