"""The form of a run: which moves, from which network, on which images, for how long; the rest is folded away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab.knobs import list_settings
from latentlab.operators import METHODS
from latentlab.session import Session, Workspace
from latentlab.session.runs import training as verbs
from latentlab.session.runs.training import BUDGET, BUDGET_UNITS, MAX_NAME_LETTERS, MOVE_PROBABILITY, RunForm
from latentlab.training.augmented import Config
from latentlab.ui.form import Form, make_knob_widget, make_number_box
from latentlab.ui.stage.view import shorten_model_name

TRAIN_FRONT_KNOBS = ("clean", "fraction")  # knobs of a Config that are always in sight
TRAIN_OWN_KNOBS = (
    "world",
    "attribute",
    "network",
    "parent",
    "augmentations",
    "rows",
    "epochs",
    "steps",
    "minutes",
    "seed",
)
FOLDED_KNOBS_TITLE = "Optimiser, schedule and more"
NO_SELECTION_NOTE = "no training images are selected on the map"


class RunFormWidgets:
    """The widgets of a `RunForm` and of the knobs of a `Config`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        with gr.Row(elem_classes="ll-bank ll-wish"):
            self.move = gr.Checkbox(True, label="the move above", elem_id="train-move")
            self.methods = gr.Dropdown(
                list(METHODS), multiselect=True, label="then", info="methods, in this order", elem_id="train-then"
            )
            self.probability = make_knob_widget(MOVE_PROBABILITY, "train")
            rest = tuple(setting.name for setting in list_settings(Config) if setting.name not in TRAIN_FRONT_KNOBS)
            self.front = Form(Config, skip=rest, prefix="train")
            self.selected = gr.Checkbox(False, label="only the map's selection", elem_id="train-selected")
            self.start = gr.Dropdown([], label="network", elem_id="train-start")
            self.budget = make_number_box(BUDGET, "train")
            self.unit = gr.Dropdown(
                list(BUDGET_UNITS), value=BUDGET_UNITS[0], label="unit of the budget", elem_id="train-unit"
            )
            self.seeds = gr.Textbox(
                "0", label="seeds", info="a run each; commas between", max_length=60, elem_id="train-seeds"
            )
            self.name = gr.Textbox(
                label="name", placeholder="from the move", max_length=MAX_NAME_LETTERS, elem_id="train-name"
            )
        with gr.Accordion(FOLDED_KNOBS_TITLE, open=False, elem_id="train-more"), gr.Row(elem_classes="ll-bank"):
            self.folded = Form(Config, skip=(*TRAIN_OWN_KNOBS, *TRAIN_FRONT_KNOBS), prefix="train")

    @property
    def run_widgets(self) -> list[Any]:
        return [self.move, self.methods, self.probability, self.start, self.selected, self.budget, self.unit]

    @property
    def all_widgets(self) -> list[Any]:
        return [*self.run_widgets, *self.front.widgets, *self.folded.widgets]

    def read_config(self, session: Session, values: Sequence[Any]) -> Config:
        move, methods, *rest = values[: len(self.run_widgets)]
        wish = RunForm(bool(move), tuple(methods) if isinstance(methods, list) else (), *rest)
        names = [setting.name for setting in (*self.front.settings, *self.folded.settings)]
        return verbs.make_run_config(session, wish, dict(zip(names, values[len(self.run_widgets) :], strict=True)))

    def suggest_name(self, session: Session, values: Sequence[Any]) -> str:
        """Return a name for the run, from what it does."""
        move, methods, *_ = values
        words = [*([session.result.tool.write_caption()] if move else []), *(methods or ())]
        return ", then ".join(words)[:80] or "no move"

    @property
    def following_widgets(self) -> list[Any]:
        return [self.start, self.move, self.selected]

    def follow_world(self, session: Session) -> list[Any]:
        """Return what the widgets show in another world: there the networks are others."""
        starts = verbs.list_starts(self.workspace, session.world)
        return [gr.update(choices=starts, value=starts[0][1]), *self.follow_view(session)[1:]]

    def follow_view(self, session: Session) -> list[Any]:
        """Return what may have changed in the view: the networks of the world, the move's name, the selection."""
        chosen = session.selection
        count = len(chosen.rows) if chosen.source == "train" else 0
        move = (
            f"{session.result.tool.write_caption()}, {shorten_model_name(self.workspace, session.model, session.world)}"
        )
        only = f"only the selection, {count} images" if count else "only the map's selection"
        return [
            gr.update(choices=verbs.list_starts(self.workspace, session.world)),
            gr.update(label=move),
            gr.update(label=only, interactive=bool(count), info=None if count else NO_SELECTION_NOTE),
        ]
