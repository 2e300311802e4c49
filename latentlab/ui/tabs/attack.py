"""Attack: against the classifier, step by step, with pixel PGD beside it at the same distance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.operators import Adversary
from latentlab.session import Session
from latentlab.ui import show
from latentlab.ui.film import film
from latentlab.ui.form import Form
from latentlab.ui.wiring import Page, entered, on, stream

TITLE, KEY = "Attack", "attack"
TOOLS = (Adversary,)


def build(page: Page, tab: gr.Tab) -> None:
    target = gr.Dropdown(
        [], label="target", info="the class to reach, if label is target", elem_id="adversary-target", render=False
    )
    with gr.Row(elem_classes="ll-bank"):
        form = Form(Adversary, instead={"target": target})
    with gr.Row(elem_classes="ll-actions"):
        go = gr.Button("Attack", variant="primary", elem_id="attack-go", size="sm")
        stop = gr.Button("Stop", elem_id="attack-stop", size="sm")
        reset = gr.Button("Reset all", elem_id="attack-reset", size="sm")
        note = gr.HTML(elem_id="attack-note")

    def attack(session: Session, *values: Any) -> Iterator[Session]:
        yield from verbs.attack(page.desk, session, form.read(values))

    def begin(session: Session, *values: Any) -> Session:
        return verbs.act(page.desk, session, form.read(values))

    def first(session: Session) -> Session:
        return verbs.act(page.desk, session, Adversary())

    def targets(session: Session) -> list[Any]:
        choices = [(show.name(name), place) for place, name in enumerate(session.classes)]
        tool = session.result.tool
        target = tool.target if isinstance(tool, Adversary) else 0
        return [gr.update(choices=choices, value=target if choices else None)]

    plain = [widget for widget in form.widgets if widget is not target]
    shown = ([*plain, target], lambda s: [*form.shown(s, skip="target"), *targets(s)])
    page.follow(*shown)
    steps = ([page.film], lambda session: [film(page.desk, session)])
    running = stream(page, [go.click], attack, form.widgets, note, steps)
    on(page, [tab.select], entered(TOOLS, begin), form.widgets, note)
    stop.click(None, cancels=[running], api_visibility="private")
    on(page, [reset.click], first, [], note, shown)
