"""The tab Explain: where the classifier looks in the picture, and what the move changed in that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.explainers import EXPLAINERS, Explainer
from latentlab.session import Session
from latentlab.session.explanation import CLASS_AFTER, CLASS_BEFORE, explain_pair, is_still_current
from latentlab.ui.events import NO_LANE, Reads, connect_events, connect_script, connect_steps, list_widgets
from latentlab.ui.form import Form, Knobs, connect_mode_forms, list_touch_events
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.html import spell_name
from latentlab.ui.page_parts import Page, Painted, make_follower
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.explain.view import EXPLAINER_LABELS, draw_explanation, draw_pending_maps

TITLE, KEY = "Explain", "explain"
PURPOSE = "See which pixels the classifier's answer hangs on, and what the move changed in that."
PREDICTED_CHOICES = [("predicted of the original", CLASS_BEFORE), ("predicted of the moved", CLASS_AFTER)]
EXPLAIN_SEEN_SCRIPT = "(seen, ...rest) => [Boolean(document.querySelector('#explain-view')?.offsetParent), ...rest]"
FADE_SCRIPT = "(share) => { document.querySelector('#explain-view').style.setProperty('--ll-over', share); }"
FOLLOWS_LABEL, COMPUTE_LABEL = "Follows the stage", "Compute"  # on the button, of quick and of slow methods


def build_explain_tab(page: Page, tab: gr.Tab) -> None:
    choices = [(EXPLAINER_LABELS[key], key) for key in EXPLAINERS]
    method = gr.Radio(
        choices, value=choices[0][1], label="method", show_label=False, container=False, elem_id="explain-method",
        elem_classes="ll-modes",
    )  # fmt: skip
    with gr.Row(elem_classes="ll-bank"):
        asked = gr.Dropdown(
            PREDICTED_CHOICES,
            value=CLASS_BEFORE,
            label="class",
            info="whose score is explained, in both pictures",
            elem_id="explain-class",
        )
        over = UncheckedSlider(
            0, 1, value=0.7, step=0.05, label="map over picture", info="0: the picture alone, 1: the map alone",
            buttons=["reset"], elem_id="explain-over",
        )  # fmt: skip
    columns, forms = {}, {}
    for key, cls in EXPLAINERS.items():
        with gr.Column(visible=key == choices[0][1]) as columns[key], gr.Row(elem_classes="ll-bank"):
            forms[key] = Form(cls, prefix=f"explain-{key}")
    with gr.Row(elem_classes="ll-actions"):
        go = gr.Button(FOLLOWS_LABEL, variant="primary", interactive=False, elem_id="explain-go", size="sm")
        note = gr.HTML(elem_id="explain-note")
    view = gr.HTML(elem_id="explain-view")
    seen, last = gr.Checkbox(False, visible=False), gr.State(None)

    actions = ExplainActions(page, forms, last, view, note)
    knobs: Reads = {key: form.widgets for key, form in forms.items()}
    asking: Reads = {"session": page.session, "method": method, "of": asked, **knobs}
    looking: Reads = {"last": last, **asking}
    outputs = [last, view, note]
    connect_mode_forms(method, columns)
    connect_events(
        [method.change], lambda method: {go: update_compute_button(method)}, {"method": method}, [go], lane=NO_LANE
    )
    page.add_follower(make_follower(asked, update_class_choices))
    following: Reads = {"seen": seen, **looking}  # the script fills the first of them
    connect_events([page.stage.settled_maps], actions.follow_stage, following, outputs, note, js=EXPLAIN_SEEN_SCRIPT)
    touched = list_touch_events([method, asked, *list_widgets(knobs)])
    connect_events([tab.select, *touched], actions.show_maps, looking, outputs, note)
    connect_steps([go.click], actions.compute_maps, asking, outputs, note)
    connect_script(over.change, FADE_SCRIPT, [over])


def update_compute_button(method: str) -> Any:
    """Return the button as the method needs it: a quick one needs none."""
    quick = method in EXPLAINERS and EXPLAINERS[method].quick
    return gr.update(value=FOLLOWS_LABEL if quick else COMPUTE_LABEL, interactive=not quick)


def update_class_choices(session: Session) -> Any:
    """Offer the two predicted classes, then all by name."""
    return gr.update(
        choices=[*PREDICTED_CHOICES, *((spell_name(name), name) for name in session.classes)], value=CLASS_BEFORE
    )


class ExplainActions:
    """What the tab's events do. Quick methods follow the stage; slow ones wait for the button."""

    def __init__(self, page: Page, forms: dict[str, Form], last: gr.State, view: gr.HTML, note: gr.HTML) -> None:
        self.page, self.forms = page, forms
        self.last, self.view, self.note = last, view, note

    def follow_stage(self, seen: Any, **values: Any) -> Painted:
        """Answer a stage that has come to rest; nothing is computed while the tab is closed."""
        return self.show_maps(**values) if seen is True else {}

    def show_maps(self, session: Session | None, last: Any, method: str, of: str, **knobs: Knobs) -> Painted:
        if session is None:
            return {}
        tool = self.read_explainer(method, knobs)
        if tool.quick:
            return self.explain_pictures(session, tool, of)
        if last is not None and is_still_current(last, session, tool, of):
            return {self.view: draw_explanation(last), self.note: ""}
        return {self.view: draw_pending_maps(session, tool), self.note: ""}

    def compute_maps(self, session: Session | None, method: str, of: str, **knobs: Knobs) -> Iterator[Painted]:
        """Compute the maps of a slow method, whatever was computed last."""
        if session is None:
            return
        tool = self.read_explainer(method, knobs)
        words = f"Working: {EXPLAINER_LABELS[method]} of both pictures."
        yield {self.note: f'<p class="ll-quiet" role="status">{words}</p>'}
        yield self.explain_pictures(session, tool, of)

    def explain_pictures(self, session: Session, tool: Explainer, of: str) -> Painted:
        """Compute and draw the maps; an answer that cannot be had leaves no old one standing."""
        try:
            explained = explain_pair(self.page.workspace, session, tool, of)
        except UserError as error:
            pending = draw_pending_maps(session, tool, "No map.")
            return {self.last: None, self.view: pending, self.note: draw_note(str(error))}
        return {self.last: explained, self.view: draw_explanation(explained), self.note: ""}

    def read_explainer(self, method: str, knobs: Mapping[str, Knobs]) -> Explainer:
        if method not in self.forms:
            raise UserError(f"There is no method {str(method)[:40]!r}; choose one of {', '.join(self.forms)}.")
        return self.forms[method].read_tool(knobs[method])
