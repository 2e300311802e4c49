"""Explain: where the classifier looks in the picture, and what the move changed in that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.explainers import EXPLAINERS, Explainer
from latentlab.session import Session
from latentlab.session.explain import AFTER, BEFORE, explain, still_true
from latentlab.ui import attributions, show
from latentlab.ui.form import Form, switched, touched
from latentlab.ui.inputs import Slide
from latentlab.ui.wiring import QUEUE, Page, bare, kept, wired

TITLE, KEY = "Explain", "explain"
TOOLS = ()
ASKED = [("predicted of the original", BEFORE), ("predicted of the moved", AFTER)]
SEEN = "(...args) => { args[1] = Boolean(document.querySelector('#explain-view')?.offsetParent); return args; }"
FADE = "(share) => { document.querySelector('#explain-view').style.setProperty('--ll-over', share); }"
FOLLOWS, ASK = "Follows the stage", "Compute"  # on the button, of quick and of slow methods
HOW: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build(page: Page, tab: gr.Tab) -> None:
    choices = [(attributions.NAMES[key], key) for key in EXPLAINERS]
    method = gr.Radio(
        choices, value=choices[0][1], label="method", show_label=False, container=False, elem_id="explain-method",
        elem_classes="ll-modes",
    )  # fmt: skip
    with gr.Row(elem_classes="ll-bank"):
        asked = gr.Dropdown(
            ASKED,
            value=BEFORE,
            label="class",
            info="whose score is explained, in both pictures",
            elem_id="explain-class",
        )
        over = Slide(
            0, 1, value=0.7, step=0.05, label="map over picture", info="0: the picture alone, 1: the map alone",
            buttons=["reset"], elem_id="explain-over",
        )  # fmt: skip
    columns, forms = {}, {}
    for key, cls in EXPLAINERS.items():
        with gr.Column(visible=key == choices[0][1]) as columns[key], gr.Row(elem_classes="ll-bank"):
            forms[key] = Form(cls, prefix=f"explain-{key}")
    with gr.Row(elem_classes="ll-actions"):
        go = gr.Button(FOLLOWS, variant="primary", interactive=False, elem_id="explain-go", size="sm")
        note = gr.HTML(elem_id="explain-note")
    view = gr.HTML(elem_id="explain-view")
    seen, last = gr.Checkbox(False, visible=False), gr.State(None)

    def compute(*given: Any) -> Iterator[list[Any]]:
        yield from tab_of.compute(*given)

    widgets = [widget for form in forms.values() for widget in form.widgets]
    tab_of = Explain(page, forms)
    reads, outputs = [page.session, seen, last, method, asked, *widgets], [last, view, note]
    switched(method, columns)
    method.change(offered, method, go, queue=False, **HOW)
    page.follow([asked], lambda session: [classes(session)])
    page.stage.settled_maps(tab_of.look, reads, outputs, js=SEEN, trigger_mode="always_last", **HOW, **QUEUE)
    wired([tab.select, *touched([method, asked, *widgets])], tab_of.open, reads, outputs)
    go.click(bare(compute), reads, outputs, trigger_mode="once", **HOW, **QUEUE)
    over.change(None, over, js=FADE, api_visibility="private")


def offered(method: str) -> Any:
    """A quick method needs no button."""
    quick = method in EXPLAINERS and EXPLAINERS[method].quick
    return gr.update(value=FOLLOWS if quick else ASK, interactive=not quick)


def classes(session: Session) -> Any:
    """The two predicted ones, then all by name."""
    return gr.update(choices=[*ASKED, *((show.name(name), name) for name in session.classes)], value=BEFORE)


class Explain:
    """What the tab's events do. Quick methods follow the stage; slow ones wait for the button."""

    def __init__(self, page: Page, forms: dict[str, Form]) -> None:
        self.page, self.forms = page, forms

    def look(self, session: Session | None, seen: Any, *rest: Any) -> list[Any]:
        """The stage has come to rest; nothing is computed while the tab is closed."""
        return self.open(session, seen, *rest) if seen is True else kept(range(3))

    def open(self, session: Session | None, _: Any, last: Any, method: str, of: str, *values: Any) -> list[Any]:
        if session is None:
            return kept(range(3))
        try:
            tool = self.read(method, values)
            if not tool.quick:
                if last is not None and still_true(last, session, tool, of):
                    return [gr.skip(), attributions.view(last), ""]
                return [gr.skip(), attributions.waiting(session, tool), ""]
            return self.told(session, tool, of)
        except UserError as error:
            return [gr.skip(), gr.skip(), show.note(str(error))]

    def compute(
        self, session: Session | None, _: Any, __: Any, method: str, of: str, *values: Any
    ) -> Iterator[list[Any]]:
        if session is None:
            return
        try:
            tool = self.read(method, values)
            words = f"Working: {attributions.NAMES[method]} of both pictures."
            yield [gr.skip(), gr.skip(), f'<p class="ll-quiet" role="status">{words}</p>']
            yield self.told(session, tool, of)
        except UserError as error:
            yield [gr.skip(), gr.skip(), show.note(str(error))]

    def told(self, session: Session, tool: Explainer, of: str) -> list[Any]:
        """An answer that cannot be had leaves no old one standing."""
        try:
            explained = explain(self.page.desk, session, tool, of)
        except UserError as error:
            return [None, attributions.waiting(session, tool, "No map."), show.note(str(error))]
        return [explained, attributions.view(explained), ""]

    def read(self, method: str, values: Sequence[Any]) -> Explainer:
        if method not in self.forms:
            raise UserError(f"There is no method {str(method)[:40]!r}; choose one of {', '.join(self.forms)}.")
        start = 0
        for key, form in self.forms.items():
            if key == method:
                return form.read(values[start : start + len(form.widgets)])
            start += len(form.widgets)
        raise AssertionError("a form for each method")
