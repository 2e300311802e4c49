"""Mix: a picture on its way to a partner, or with some parts borrowed; one pair, or many pictures at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.knobs import settings
from latentlab.operators import Mix, Swap
from latentlab.session import Session, sets
from latentlab.session.sets import SIDE, K
from latentlab.ui import plan, show
from latentlab.ui.form import Form, modes, step, touched, widget
from latentlab.ui.inputs import Slide
from latentlab.ui.widgets import paired, picked
from latentlab.ui.wiring import Page, entered, kept, on, wired

TITLE, KEY = "Mix", "mix"
TOOLS = (Mix, Swap)
OF_SETS = {"partner", "weight", "alpha", "k", "candidates", "distinct"}  # knobs that choose among many partners
OF_PAIRS = {setting.name for setting in settings(Mix)} - OF_SETS
BALL = {"steps", "epsilon", "norm", "step_size", "label"}  # of the adversary behind a swap
LAM = next(setting for setting in settings(Mix) if setting.name == "lam")
HINTS = {
    "pair": "The partner is the second picture of the workbench: click it there, then choose what fills it.",
    "many": "A click on a picture takes it to the workbench, a mixed one with its partner and this move.",
}


def build(page: Page, tab: gr.Tab) -> None:
    forms = Forms()
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="mix-reset", size="sm")
        note = gr.HTML(elem_id="mix-note")
    hint = gr.HTML(said("pair"))
    many = paired(visible=False, elem_id="mix-many")
    drawn = gr.State(None)  # what the many pictures on the page were made from

    def move(session: Session, *values: Any) -> Session:
        return verbs.act(page.desk, session, forms.tool(values))

    def first(session: Session, mode: str | None) -> Session:
        return verbs.act(page.desk, session, Mix(partner="next") if mode == "mix" else Swap(partner="next"))

    def taken(session: Session, key: str, *values: Any) -> Session:
        tool, names = forms.tool(values), key.split("|")
        if isinstance(tool, Mix) and len(names) > 2:
            tool = replace(tool, lam=share(names.pop()))
        return sets.take(page.desk, session, names, tool)

    def draw(session: Session | None, before: Any, *values: Any) -> list[Any]:
        outputs = [many, drawn, note]
        if session is None or not forms.wants_many(values):
            return kept(outputs)
        try:
            wish = forms.many(values)
            now = (session.world, session.model, session.classifier, session.seed, session.selection, wish)
            return kept(outputs) if now == before else [painted(page, session, *wish), now, ""]
        except UserError as error:
            return [gr.skip(), None, show.note(str(error))]

    page.follow(*forms.shown)
    forms.switch(hint, many)
    on(page, touched(forms.moving), move, forms.all, note)
    on(page, [tab.select], entered(TOOLS, move), forms.all, note)
    on(page, [reset.click], first, [forms.mode], note, forms.shown)
    on(page, [many.pick], taken, forms.all, note, lambda: page.situation, picked)
    chosen = touched([forms.mode, forms.scale, *forms.among.widgets, forms.side])
    wired([page.stage.settled_sets, tab.select, *chosen], draw, [page.session, drawn, *forms.all], [many, drawn, note])


class Forms:
    """The widgets of the tab, and the tools that their values describe."""

    def __init__(self) -> None:
        with gr.Row(elem_id="mix-choice"):
            self.mode = modes({"mix": "part of the way", "swap": "borrow parts"}, KEY)
            self.scale = modes({"pair": "one pair", "many": "many pictures"}, f"{KEY}-scale")
        with gr.Column(elem_id="mix-mix") as self.mixing:
            with gr.Row(elem_classes="ll-bank"):
                self.mix = Form(Mix, skip=OF_SETS)
            with gr.Column(visible=False, elem_id="mix-sets") as self.of_sets, gr.Row(elem_classes="ll-bank"):
                self.among = Form(Mix, skip={*OF_PAIRS, "distinct"}, instead={"partner": pairs(), "k": size()})
        with gr.Column(visible=False, elem_id="mix-swap") as self.swapping:
            with gr.Row(elem_classes="ll-bank"):
                self.parts = Form(Swap, skip={*OF_SETS, *BALL})
            with gr.Column(elem_id="mix-ball") as self.ball, gr.Row(elem_classes="ll-bank"):
                self.adversary = Form(Swap, skip={*OF_SETS, "parts"})
            with gr.Column(visible=False, elem_id="mix-grid") as self.of_grid, gr.Row(elem_classes="ll-bank"):
                self.side = widget(SIDE, KEY)
        self.moving = [self.mode, self.scale, *self.mix.widgets, *self.parts.widgets, *self.adversary.widgets]
        self.all = [*self.moving, *self.among.widgets, self.side]

    def _cut(self, values: Sequence[Any]) -> list[Sequence[Any]]:
        """The values of each form, and of the grid's side."""
        pieces, start = [], 2
        for form in (self.mix, self.parts, self.adversary, self.among):
            pieces.append(values[start : start + len(form.widgets)])
            start += len(form.widgets)
        return [*pieces, values[start:]]

    def wants_many(self, values: Sequence[Any]) -> bool:
        return values[1] == "many"

    def tool(self, values: Sequence[Any]) -> Mix | Swap:
        """The move of one pair; among many a swap has no adversary."""
        mix, parts, adversary, *_ = self._cut(values)
        if values[0] == "mix":
            return self.mix.read(mix, partner="next")
        plain: Swap = self.parts.read(parts, partner="next")
        if self.wants_many(values):
            return plain
        return self.adversary.read(adversary, parts=plain.parts, partner="next")

    def many(self, values: Sequence[Any]) -> tuple[Mix | Swap, int]:
        """What is done to many pictures, and to how many."""
        mix, _, _, among, side = self._cut(values)
        tool = self.tool(values)
        if isinstance(tool, Swap):
            return tool, SIDE.check(side[0])
        alone: Mix = self.mix.read(mix)
        both: Mix = self.among.read(among, lam=alone.lam, path=alone.path, parts=alone.parts)
        return both, K.check(both.k)

    @property
    def shown(self) -> tuple[list[Any], Any]:
        """What the widgets show of the session's tool; the choice of one or many stays."""
        chosen = {Mix: "mix", Swap: "swap"}
        forms = (self.mix, self.parts, self.adversary)

        def values(session: Session) -> list[Any]:
            mode = chosen.get(type(session.result.tool), gr.skip())
            return [mode, *(value for form in forms for value in form.shown(session))]

        return [self.mode, *(one for form in forms for one in form.widgets)], values

    def switch(self, hint: gr.HTML, many: gr.HTML) -> None:
        """Only what belongs to the move and to one or many is seen."""
        columns = [self.mixing, self.swapping, self.of_sets, self.ball, self.of_grid, many]

        def run(mode: str, scale: str) -> list[Any]:
            all_of_them = scale == "many"
            seen = [mode == "mix", mode == "swap", all_of_them, not all_of_them, all_of_them, all_of_them]
            return [*(gr.update(visible=one) for one in seen), said(scale)]

        both = [self.mode, self.scale]
        gr.on(
            [one.change for one in both],
            run,
            both,
            [*columns, hint],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def pairs() -> gr.Radio:
    """Two sets are always compared with random pairs; the others are a choice."""
    about = {"label": "partner", "info": "who is mixed with whom; random pairs stand beside it", "min_width": 150}
    return gr.Radio(["transport", "hardest"], value="transport", elem_id="mix-partner", render=False, **about)


def size() -> Slide:
    knob = K.knob
    assert knob.low is not None
    assert knob.high is not None
    return Slide(
        knob.low,
        knob.high,
        value=K.default,
        step=step(K),
        label=K.name,
        info=knob.help,
        buttons=["reset"],
        elem_id="mix-k",
        min_width=150,
        render=False,
    )


def said(scale: str) -> str:
    return f'<p class="ll-quiet">{HINTS[scale]}</p>'


def share(word: str) -> float:
    """λ as a picture's key says it: a visitor's word."""
    try:
        return LAM.check(float(word[:30]))
    except ValueError as error:
        raise UserError("This picture does not say how it was mixed; click it again.") from error


def painted(page: Page, session: Session, tool: Mix | Swap, count: int) -> str:
    if isinstance(tool, Swap):
        return plan.grid(session, sets.grid(page.desk, session, count, tool.parts), tool.parts)
    return plan.pairings(session, sets.pair(page.desk, session, count, tool))
