"""The tab Explore: one picture, one space; along named directions, or into random noise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.knobs import Knob, Setting
from latentlab.operators import Attack, LatentOperator, Noise, Shift, name_operator
from latentlab.session import DIRECTION_SLIDERS, Session, Workspace
from latentlab.ui.events import Page, connect_action, make_entry_action
from latentlab.ui.form import Form, connect_mode_forms, list_touch_events, make_mode_choice, make_number_box
from latentlab.ui.inputs import UncheckedSlider
from latentlab.ui.tabs.added_forms import build_added_forms

TITLE, KEY = "Explore", "explore"
MODES = {"shift": "along directions", "noise": "random noise"}
SLIDER_REACH = 4.0  # σ to either side: beyond, few models have seen anything
RANDOM_SEED = Setting("random seed", int, 0, Knob("of the random direction", 0, 10**9 - 1))


def holds_move(tool: LatentOperator) -> bool:
    """Say whether the tab shows this move: one of a single picture that asks no classifier."""
    return not isinstance(tool, Attack) and not tool.needs_partner


def build_explore_tab(page: Page, tab: gr.Tab) -> None:
    mode = make_mode_choice(MODES, KEY)
    with gr.Column(elem_id="explore-shift") as along:
        with gr.Row(elem_classes="ll-bank"):
            bank = [make_amount_slider(f"direction {place + 1}", f"bank-{place}") for place in range(DIRECTION_SLIDERS)]
        with gr.Row(elem_classes="ll-bank"):
            other, amount = (
                gr.Dropdown([], label="another direction", elem_id="bank-other"),
                make_amount_slider("along it", "bank-amount"),
            )
            seed, chance = make_number_box(RANDOM_SEED, "bank"), make_amount_slider("random direction", "bank-random")
        with gr.Row(elem_classes="ll-bank"):
            shift = Form(Shift, skip={"direction", "amount"})
    with gr.Column(visible=False, elem_id="explore-noise") as noisy, gr.Row(elem_classes="ll-bank"):
        noise = Form(Noise)
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="explore-reset", size="sm")
        note = gr.HTML(elem_id="explore-note")
    build_added_forms(page, MODES, holds_move, note)

    controls = [*bank, other, amount, seed, chance]
    workspace = page.workspace

    def apply_move(session: Session, mode: str | None, *values: Any) -> Session:
        own, parts, rest = (
            values[: len(controls)],
            values[len(controls) :][: len(shift.widgets)],
            values[-len(noise.widgets) :],
        )
        if mode == "noise":
            return verbs.apply_move(workspace, session, noise.read_tool(rest))
        direction, far = sum_terms(read_terms(workspace.list_directions(session.model)[:DIRECTION_SLIDERS], own))
        return verbs.apply_move(workspace, session, shift.read_tool(parts, direction=direction, amount=far))

    def reset_move(session: Session, mode: str | None) -> Session:
        first = next(iter(workspace.list_directions(session.model)), "random-0")
        return verbs.apply_move(workspace, session, Noise() if mode == "noise" else Shift(direction=first, amount=0.0))

    widgets = [mode, *controls, *shift.widgets, *noise.widgets]
    shown = (
        widgets,
        lambda session: [*(show_bank(workspace, session)), *shift.show_tool(session), *noise.show_tool(session)],
    )
    page.add_follower(*shown)
    page.steady_parts.append((mode, lambda session: type(session.result.tool)))
    connect_mode_forms(mode, {"shift": along, "noise": noisy})
    connect_action(page, list_touch_events(widgets), apply_move, widgets, note)
    connect_action(page, [tab.select], make_entry_action(holds_move, apply_move), widgets, note)
    connect_action(page, [reset.click], reset_move, [mode], note, shown)


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


def name_direction(direction: str) -> str:
    """Name a direction for people: a number alone would look like a value."""
    return f"class {direction}" if direction.isdecimal() else direction.replace("_", " ")


def read_terms(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return direction to amount, as the sliders stand."""
    *bank, other, amount, seed, chance = values
    wanted = dict(zip(names, bank, strict=False))
    if other:
        wanted[str(other)] = amount
    return wanted | {f"random-{RANDOM_SEED.check_value(seed)}": chance}


def sum_terms(wanted: dict[str, Any]) -> tuple[str, float]:
    """Return the knobs `direction` and `amount` of one Shift for these terms."""
    moving = {name: value for name, value in wanted.items() if value != 0}
    if len(moving) > 1:
        return " + ".join(f"{AMOUNT_SETTING.check_value(value):.3g}*{name}" for name, value in moving.items()), 1.0
    name, value = next(iter((moving or wanted).items()))
    return name, AMOUNT_SETTING.check_value(value)


AMOUNT_SETTING = Setting("amount", float, 0.0, Knob("", -SLIDER_REACH, SLIDER_REACH, unit="σ"))


def show_bank(workspace: Workspace, session: Session) -> list[Any]:
    """Return what mode, bank and the other controls show for the session's tool."""
    tool, names = session.result.tool, workspace.list_directions(session.model)
    wanted = tool.list_terms()
    bank = [gr.update(visible=False, value=0)] * DIRECTION_SLIDERS
    for place, name in enumerate(names[:DIRECTION_SLIDERS]):
        bank[place] = gr.update(visible=True, label=f"{name_direction(name)} [σ]", value=wanted.pop(name, 0.0))
    chance = next((name for name in wanted if re.fullmatch(r"random-\d+", name)), None)
    far = wanted.pop(chance) if chance else 0.0
    rest = names[DIRECTION_SLIDERS:]
    other = next((name for name in rest if name in wanted), rest[0] if rest else None)
    choices = [(name_direction(name), name) for name in rest]
    return [
        key if (key := name_operator(tool)) in MODES else gr.skip(),
        *bank,
        gr.update(choices=choices, value=other, visible=bool(rest)),
        gr.update(value=wanted.get(other, 0.0) if other else 0.0, visible=bool(rest)),
        int(chance.removeprefix("random-")) if chance else 0,
        far,
    ]
