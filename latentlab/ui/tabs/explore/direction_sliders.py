"""The sliders of a Shift's terms, each below a row of pictures that shows where its direction leads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr
from gradio.components import FormComponent

from latentlab.knobs import Knob, Setting
from latentlab.operators import is_local_direction
from latentlab.session import (
    DIRECTION_SLIDERS,
    DirectionPreview,
    Session,
    Workspace,
    list_session_directions,
    preview_directions,
)
from latentlab.ui import components
from latentlab.ui.events import connect_steps, connect_stop
from latentlab.ui.form import Knobs, connect_mode_forms, make_mode_choice, make_number_box
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.page_parts import Follower, Page, Painted
from latentlab.ui.tabs.explore.direction_rows import EMPTY_ROW, draw_direction_row, name_direction

SLIDER_REACH = 4.0  # σ to either side: beyond, few models have seen anything
LOCAL_SLIDERS = 5  # directions of a picture: three of its neighbours, two of the classifier
GROUPS = {"space": "of the space", "picture": "of this picture"}
RANDOM_SEED = Setting("random seed", int, 0, Knob("of the random direction", 0, 10**9 - 1))
AMOUNT_SETTING = Setting("amount", float, 0.0, Knob("", -SLIDER_REACH, SLIDER_REACH, unit="σ"))


class DirectionSlider:
    """A slider and the row of pictures above it; both are hidden where there is no direction for them."""

    def __init__(self, elem_id: str) -> None:
        self.elem_id = elem_id
        with gr.Column(elem_classes="ll-direction", min_width=200) as self.column:
            self.row = components.make_direction_row(elem_id, value=EMPTY_ROW)
            self.slider = make_amount_slider("direction", elem_id)

    def show_direction(self, name: str | None, amount: float) -> Painted:
        """Return what the slider shows of a direction; of none, nothing."""
        if name is None:
            return {self.column: gr.update(visible=False), self.slider: 0}
        shown = gr.update(label=f"{name_direction(name)} [σ]", value=amount)
        return {self.column: gr.update(visible=True), self.slider: shown}


class TermSliders:
    """The sliders of a Shift's terms: one for each of the space's first directions, one for any other, and one for a
    random direction; and those of the directions that hold at this picture alone.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.group = make_mode_choice(GROUPS, "bank")
        with gr.Column(elem_id="bank-of-space") as space:
            with gr.Row(elem_classes="ll-bank"):
                self.bank = [DirectionSlider(f"bank-{place}") for place in range(DIRECTION_SLIDERS)]
            with gr.Row(elem_classes="ll-bank"):
                self.other = gr.Dropdown([], label="another direction", elem_id="bank-other")
                self.amount = make_amount_slider("along it", "bank-amount")
                self.seed = make_number_box(RANDOM_SEED, "bank")
                self.chance = make_amount_slider("random direction", "bank-random")
        with gr.Column(elem_id="bank-of-picture", visible=False) as picture, gr.Row(elem_classes="ll-bank"):
            self.local = [DirectionSlider(f"near-{place}") for place in range(LOCAL_SLIDERS)]
        connect_mode_forms(self.group, {"space": space, "picture": picture})
        further = {"other": self.other, "amount": self.amount, "seed": self.seed, "chance": self.chance}
        places = {f"place {place}": one.slider for place, one in enumerate(self.bank)}
        near = {f"near {place}": one.slider for place, one in enumerate(self.local)}
        self.widgets: dict[str, FormComponent] = {**places, **further, **near}

    @property
    def follower(self) -> Follower:
        """Return what the sliders show of the session's tool, under the names of its space's directions."""
        columns = [one.column for one in (*self.bank, *self.local)]
        return Follower([self.group, *columns, *self.widgets.values()], self.show_terms)

    def show_terms(self, session: Session) -> Painted:
        wanted, names = session.result.tool.list_terms(), self.workspace.list_directions(session.model)
        painted: Painted = {self.group: "picture"} if holds_local_direction(session) else {}
        near = list_session_directions(self.workspace, session)
        for sliders, directions in ((self.bank, names), (self.local, near)):
            for place, one in enumerate(sliders):
                name = directions[place] if place < len(directions) else None
                painted |= one.show_direction(name, wanted.get(name, 0.0) if name else 0.0)
        rest = names[DIRECTION_SLIDERS:]
        other = next((name for name in rest if name in wanted), rest[0] if rest else None)
        choices = [(name_direction(name), name) for name in rest]
        painted[self.other] = gr.update(choices=choices, value=other, visible=bool(rest))
        painted[self.amount] = gr.update(value=wanted.get(other, 0.0) if other else 0.0, visible=bool(rest))
        chance = next((name for name in wanted if re.fullmatch(r"random-\d+", name)), None)
        painted[self.seed] = int(chance.removeprefix("random-")) if chance else 0
        painted[self.chance] = wanted[chance] if chance else 0.0
        return painted

    def read_terms(self, session: Session, terms: Knobs) -> dict[str, Any]:
        """Return direction to amount, as the sliders stand."""
        names = self.workspace.list_directions(session.model)[:DIRECTION_SLIDERS]
        wanted = {name: terms[f"place {place}"] for place, name in enumerate(names)}
        near = list_session_directions(self.workspace, session)
        wanted |= {name: terms[f"near {place}"] for place, name in enumerate(near)}
        if terms["other"]:
            wanted[str(terms["other"])] = terms["amount"]
        return wanted | {f"random-{RANDOM_SEED.check_value(terms['seed'])}": terms["chance"]}

    def wire_previews(self, page: Page, note: gr.HTML) -> None:
        """Draw the rows of the group in hand when the pictures have been at rest, and when the group changes; a new
        move stops what is still drawn of the last one.
        """
        rows = [one.row for one in (*self.bank, *self.local)]
        reads = {"session": page.session, "group": self.group}
        for trigger in (page.stage.rested, self.group.change):
            running = connect_steps([trigger], self.draw_rows, reads, rows, note, mode="multiple")
            connect_stop(page.stage.moved, running)

    def draw_rows(self, session: Session | None, group: str) -> Iterator[Painted]:
        """Yield each row as soon as its pictures are there."""
        if session is None or not session.result.tool.list_terms():
            return
        near = group == "picture"
        names = (
            list_session_directions(self.workspace, session)
            if near
            else self.workspace.list_directions(session.model)[:DIRECTION_SLIDERS]
        )
        sliders = dict(zip(names, self.local if near else self.bank, strict=False))
        for preview in preview_directions(self.workspace, session, list(sliders)) if sliders else ():
            yield self._paint_row(session, sliders, preview) if preview else {}

    def _paint_row(
        self, session: Session, sliders: Mapping[str, DirectionSlider], preview: DirectionPreview
    ) -> Painted:
        one = sliders[preview.direction]
        return {one.row: draw_direction_row(session, one.elem_id, preview)}


def holds_local_direction(session: Session) -> bool:
    """Say whether the move goes along a direction that holds at its picture alone."""
    return any(map(is_local_direction, session.result.tool.list_terms()))


def make_amount_slider(label: str, elem_id: str) -> UncheckedSlider:
    return UncheckedSlider(
        -SLIDER_REACH,
        SLIDER_REACH,
        value=0,
        step=0.05,
        label=f"{label} [σ]",
        buttons=["reset"],
        elem_id=elem_id,
        min_width=150,
        elem_classes="ll-centred",
    )


def sum_terms(wanted: Mapping[str, Any]) -> tuple[str, float]:
    """Return the knobs `direction` and `amount` of one Shift for these terms."""
    moving = {name: value for name, value in wanted.items() if value != 0}
    if len(moving) > 1:
        return " + ".join(f"{AMOUNT_SETTING.check_value(value):.3g}*{name}" for name, value in moving.items()), 1.0
    name, value = next(iter((moving or wanted).items()))
    return name, AMOUNT_SETTING.check_value(value)
