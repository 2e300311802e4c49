"""The form of a run: which moves, from which network, on which images, for how long; the rest is folded away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab.knobs import settings
from latentlab.operators import METHODS
from latentlab.session import Desk, Session
from latentlab.session import training as verbs
from latentlab.session.training import BUDGET, MOST_LETTERS, PROBABILITY, UNITS, Wish
from latentlab.training import Config
from latentlab.ui import show
from latentlab.ui.form import Form, number, widget

FRONT = ("clean", "fraction")  # knobs of a Config that are always in sight
OWN = ("world", "attribute", "network", "parent", "augmentations", "rows", "epochs", "steps", "minutes", "seed")
MORE = "Optimiser, schedule and more"
NO_SELECTION = "no training images are selected on the map"


class WishForm:
    """The widgets of a Wish and of the knobs of a Config."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with gr.Row(elem_classes="ll-bank ll-wish"):
            self.move = gr.Checkbox(True, label="the move above", elem_id="train-move")
            self.methods = gr.Dropdown(
                list(METHODS), multiselect=True, label="then", info="methods, in this order", elem_id="train-then"
            )
            self.probability = widget(PROBABILITY, "train")
            rest = tuple(setting.name for setting in settings(Config) if setting.name not in FRONT)
            self.front = Form(Config, skip=rest, prefix="train")
            self.selected = gr.Checkbox(False, label="only the map's selection", elem_id="train-selected")
            self.start = gr.Dropdown([], label="network", elem_id="train-start")
            self.budget = number(BUDGET, "train")
            self.unit = gr.Dropdown(list(UNITS), value=UNITS[0], label="unit of the budget", elem_id="train-unit")
            self.seeds = gr.Textbox(
                "0", label="seeds", info="a run each; commas between", max_length=60, elem_id="train-seeds"
            )
            self.name = gr.Textbox(
                label="name", placeholder="from the move", max_length=MOST_LETTERS, elem_id="train-name"
            )
        with gr.Accordion(MORE, open=False, elem_id="train-more"), gr.Row(elem_classes="ll-bank"):
            self.folded = Form(Config, skip=(*OWN, *FRONT), prefix="train")

    @property
    def wishes(self) -> list[Any]:
        return [self.move, self.methods, self.probability, self.start, self.selected, self.budget, self.unit]

    @property
    def widgets(self) -> list[Any]:
        return [*self.wishes, *self.front.widgets, *self.folded.widgets]

    def read(self, session: Session, values: Sequence[Any]) -> Config:
        move, methods, *rest = values[: len(self.wishes)]
        wish = Wish(bool(move), tuple(methods) if isinstance(methods, list) else (), *rest)
        names = [setting.name for setting in (*self.front.settings, *self.folded.settings)]
        return verbs.config(session, wish, dict(zip(names, values[len(self.wishes) :], strict=True)))

    def caption(self, session: Session, values: Sequence[Any]) -> str:
        """A name for the run, from what it does."""
        move, methods, *_ = values
        words = [*([show.caption(session.result.tool)] if move else []), *(methods or ())]
        return ", then ".join(words)[:80] or "no move"

    @property
    def following(self) -> list[Any]:
        return [self.start, self.move, self.selected]

    def situated(self, session: Session) -> list[Any]:
        """In another world the networks are others."""
        starts = verbs.starts(self.desk, session.world)
        return [gr.update(choices=starts, value=starts[0][1]), *self.looked(session)[1:]]

    def looked(self, session: Session) -> list[Any]:
        """What may have changed in the view: the networks of the world, the move's name, the selection."""
        chosen = session.selection
        count = len(chosen.rows) if chosen.source == "train" else 0
        move = f"{show.caption(session.result.tool)}, {show.short(self.desk, session.model, session.world)}"
        only = f"only the selection, {count} images" if count else "only the map's selection"
        return [
            gr.update(choices=verbs.starts(self.desk, session.world)),
            gr.update(label=move),
            gr.update(label=only, interactive=bool(count), info=None if count else NO_SELECTION),
        ]
