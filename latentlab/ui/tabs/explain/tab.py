"""The tab Explain: where the classifier looks in the picture, and what the move changed in that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.explainers import EXPLAINERS, Explainer
from latentlab.session import Session
from latentlab.session.explanation import CLASS_AFTER, CLASS_BEFORE, explain_pair, is_still_current
from latentlab.ui.events import TORCH_QUEUE, Page, connect_events, keep_outputs, unwrap_generator
from latentlab.ui.form import Form, connect_mode_forms, list_touch_events
from latentlab.ui.inputs import UncheckedSlider
from latentlab.ui.stage.view import draw_note, spell_name
from latentlab.ui.tabs.explain.view import EXPLAINER_LABELS, draw_explanation, draw_pending_maps

TITLE, KEY = "Explain", "explain"
PREDICTED_CHOICES = [("predicted of the original", CLASS_BEFORE), ("predicted of the moved", CLASS_AFTER)]
EXPLAIN_SEEN_SCRIPT = (
    "(...args) => { args[1] = Boolean(document.querySelector('#explain-view')?.offsetParent); return args; }"
)
FADE_SCRIPT = "(share) => { document.querySelector('#explain-view').style.setProperty('--ll-over', share); }"
FOLLOWS_LABEL, COMPUTE_LABEL = "Follows the stage", "Compute"  # on the button, of quick and of slow methods
EXPLAIN_EVENT_OPTIONS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


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

    def compute_maps(*given: Any) -> Iterator[list[Any]]:
        yield from tab_of.compute_maps(*given)

    widgets = [widget for form in forms.values() for widget in form.widgets]
    tab_of = ExplainActions(page, forms)
    reads, outputs = [page.session, seen, last, method, asked, *widgets], [last, view, note]
    connect_mode_forms(method, columns)
    method.change(update_compute_button, method, go, queue=False, **EXPLAIN_EVENT_OPTIONS)
    page.add_follower([asked], lambda session: [update_class_choices(session)])
    page.stage.settled_maps(
        tab_of.follow_stage,
        reads,
        outputs,
        js=EXPLAIN_SEEN_SCRIPT,
        trigger_mode="always_last",
        **EXPLAIN_EVENT_OPTIONS,
        **TORCH_QUEUE,
    )
    connect_events([tab.select, *list_touch_events([method, asked, *widgets])], tab_of.show_maps, reads, outputs)
    go.click(
        unwrap_generator(compute_maps), reads, outputs, trigger_mode="once", **EXPLAIN_EVENT_OPTIONS, **TORCH_QUEUE
    )
    over.change(None, over, js=FADE_SCRIPT, api_visibility="private")


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

    def __init__(self, page: Page, forms: dict[str, Form]) -> None:
        self.page, self.forms = page, forms

    def follow_stage(self, session: Session | None, seen: Any, *rest: Any) -> list[Any]:
        """Answer a stage that has come to rest; nothing is computed while the tab is closed."""
        return self.show_maps(session, seen, *rest) if seen is True else keep_outputs(range(3))

    def show_maps(self, session: Session | None, _: Any, last: Any, method: str, of: str, *values: Any) -> list[Any]:
        if session is None:
            return keep_outputs(range(3))
        try:
            tool = self.read_explainer(method, values)
            if not tool.quick:
                if last is not None and is_still_current(last, session, tool, of):
                    return [gr.skip(), draw_explanation(last), ""]
                return [gr.skip(), draw_pending_maps(session, tool), ""]
            return self.explain_pictures(session, tool, of)
        except UserError as error:
            return [gr.skip(), gr.skip(), draw_note(str(error))]

    def compute_maps(
        self, session: Session | None, _: Any, __: Any, method: str, of: str, *values: Any
    ) -> Iterator[list[Any]]:
        if session is None:
            return
        try:
            tool = self.read_explainer(method, values)
            words = f"Working: {EXPLAINER_LABELS[method]} of both pictures."
            yield [gr.skip(), gr.skip(), f'<p class="ll-quiet" role="status">{words}</p>']
            yield self.explain_pictures(session, tool, of)
        except UserError as error:
            yield [gr.skip(), gr.skip(), draw_note(str(error))]

    def explain_pictures(self, session: Session, tool: Explainer, of: str) -> list[Any]:
        """Compute and draw the maps; an answer that cannot be had leaves no old one standing."""
        try:
            explained = explain_pair(self.page.workspace, session, tool, of)
        except UserError as error:
            return [None, draw_pending_maps(session, tool, "No map."), draw_note(str(error))]
        return [explained, draw_explanation(explained), ""]

    def read_explainer(self, method: str, values: Sequence[Any]) -> Explainer:
        if method not in self.forms:
            raise UserError(f"There is no method {str(method)[:40]!r}; choose one of {', '.join(self.forms)}.")
        start = 0
        for key, form in self.forms.items():
            if key == method:
                return form.read_tool(values[start : start + len(form.widgets)])
            start += len(form.widgets)
        raise AssertionError("a form for each method")
