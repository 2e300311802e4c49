"""The form of a run: which moves, from which network, on which images, for how long; the rest is folded away."""

from __future__ import annotations

import gradio as gr

from latentlab.knobs import list_settings
from latentlab.operators import METHODS
from latentlab.session import Session, Workspace
from latentlab.session.runs import training as verbs
from latentlab.session.runs.training import BUDGET, BUDGET_UNITS, MAX_NAME_LETTERS, MOVE_PROBABILITY, RunForm
from latentlab.training.augmented import Config
from latentlab.ui.events import Reads
from latentlab.ui.form import Form, Knobs, make_knob_widget, make_number_box
from latentlab.ui.page_parts import Follower, Painted
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
    def reads(self) -> Reads:
        """Return the form's widgets: the fields of a `RunForm`, then the knobs of a `Config`."""
        wish = {
            "move": self.move,
            "methods": self.methods,
            "probability": self.probability,
            "start": self.start,
            "selected": self.selected,
            "budget": self.budget,
            "unit": self.unit,
        }
        return {"wish": wish, "knobs": {**self.front.widgets, **self.folded.widgets}}

    def read_config(self, session: Session, wish: Knobs, knobs: Knobs) -> Config:
        methods = wish["methods"]
        told = {**wish, "move": bool(wish["move"]), "methods": tuple(methods) if isinstance(methods, list) else ()}
        return verbs.make_run_config(session, RunForm(**told), knobs)

    def suggest_name(self, session: Session, wish: Knobs) -> str:
        """Return a name for the run, from what it does."""
        words = [*([session.result.tool.write_caption()] if wish["move"] else []), *(wish["methods"] or ())]
        return ", then ".join(words)[:80] or "no move"

    @property
    def world_follower(self) -> Follower:
        """Return what the widgets show in another world."""
        return Follower([self.start, self.move, self.selected], self.follow_world)

    def follow_world(self, session: Session) -> Painted:
        """Return what the widgets show in another world: there the networks are others."""
        starts = verbs.list_starts(self.workspace, session.world)
        first = next(key for _, key in starts)
        return {**self.follow_view(session), self.start: gr.update(choices=starts, value=first)}

    def follow_view(self, session: Session) -> Painted:
        """Return what may have changed in the view: the networks of the world, the move's name, the selection."""
        chosen = session.selection
        count = len(chosen.rows) if chosen.source == "train" else 0
        move = (
            f"{session.result.tool.write_caption()}, {shorten_model_name(self.workspace, session.model, session.world)}"
        )
        only = f"only the selection, {count} images" if count else "only the map's selection"
        return {
            self.start: gr.update(choices=verbs.list_starts(self.workspace, session.world)),
            self.move: gr.update(label=move),
            self.selected: gr.update(label=only, interactive=bool(count), info=None if count else NO_SELECTION_NOTE),
        }
