"""Mix: the picture on its way to a partner, or with some parts of it borrowed."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.operators import Mix, Swap
from latentlab.session import Session
from latentlab.ui.form import Form, modes, switched, touched
from latentlab.ui.wiring import Page, entered, on

TITLE, KEY = "Mix", "mix"
TOOLS = (Mix, Swap)
OF_SETS = {"partner", "weight", "alpha", "k", "candidates", "distinct"}  # knobs that choose among many partners
HINT = "The partner is the second picture of the workbench: click it there, then choose what fills it."


def build(page: Page, tab: gr.Tab) -> None:
    mode = modes({"mix": "part of the way", "swap": "borrow parts"}, KEY)
    with gr.Column(elem_id="mix-mix") as mixing, gr.Row(elem_classes="ll-bank"):
        mix = Form(Mix, skip=OF_SETS)
    with gr.Column(visible=False, elem_id="mix-swap") as swapping, gr.Row(elem_classes="ll-bank"):
        swap = Form(Swap, skip=OF_SETS)
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="mix-reset", size="sm")
        note = gr.HTML(elem_id="mix-note")
    gr.HTML(f'<p class="ll-quiet">{HINT}</p>')

    def move(session: Session, mode: str | None, *values: Any) -> Session:
        mine = (
            mix.read(values[: len(mix.widgets)], partner="next")
            if mode == "mix"
            else swap.read(values[len(mix.widgets) :], partner="next")
        )
        return verbs.act(page.desk, session, mine)

    def first(session: Session, mode: str | None) -> Session:
        return verbs.act(page.desk, session, Mix(partner="next") if mode == "mix" else Swap(partner="next"))

    widgets = [mode, *mix.widgets, *swap.widgets]
    chosen = {Mix: "mix", Swap: "swap"}
    shown = (widgets, lambda s: [chosen.get(type(s.result.tool), gr.skip()), *mix.shown(s), *swap.shown(s)])
    page.follow(*shown)
    switched(mode, {"mix": mixing, "swap": swapping})
    on(page, touched(widgets), move, widgets, note)
    on(page, [tab.select], entered(TOOLS, move), widgets, note)
    on(page, [reset.click], first, [mode], note, shown)
