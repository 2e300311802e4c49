"""Explore: one picture, one space; along named directions, or into random noise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.knobs import Knob, Setting
from latentlab.operators import Noise, Shift
from latentlab.session import BANK, Desk, Session
from latentlab.ui.form import Form, modes, number, switched, touched
from latentlab.ui.inputs import Slide
from latentlab.ui.wiring import Page, entered, on

TITLE, KEY = "Explore", "explore"
TOOLS = (Shift, Noise)
REACH = 4.0  # σ to either side: beyond, few models have seen anything
RANDOM = Setting("random seed", int, 0, Knob("of the random direction", 0, 10**9 - 1))


def build(page: Page, tab: gr.Tab) -> None:
    mode = modes({"shift": "along directions", "noise": "random noise"}, KEY)
    with gr.Column(elem_id="explore-shift") as along:
        with gr.Row(elem_classes="ll-bank"):
            bank = [slider(f"direction {place + 1}", f"bank-{place}") for place in range(BANK)]
        with gr.Row(elem_classes="ll-bank"):
            other, amount = (
                gr.Dropdown([], label="another direction", elem_id="bank-other"),
                slider("along it", "bank-amount"),
            )
            seed, chance = number(RANDOM, "bank"), slider("random direction", "bank-random")
        with gr.Row(elem_classes="ll-bank"):
            shift = Form(Shift, skip={"direction", "amount"})
    with gr.Column(visible=False, elem_id="explore-noise") as noisy, gr.Row(elem_classes="ll-bank"):
        noise = Form(Noise)
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="explore-reset", size="sm")
        note = gr.HTML(elem_id="explore-note")

    controls = [*bank, other, amount, seed, chance]
    desk = page.desk

    def move(session: Session, mode: str | None, *values: Any) -> Session:
        own, parts, rest = (
            values[: len(controls)],
            values[len(controls) :][: len(shift.widgets)],
            values[-len(noise.widgets) :],
        )
        if mode == "noise":
            return verbs.act(desk, session, noise.read(rest))
        direction, far = summed(terms(desk.directions(session.model)[:BANK], own))
        return verbs.act(desk, session, shift.read(parts, direction=direction, amount=far))

    def still(session: Session, mode: str | None) -> Session:
        first = next(iter(desk.directions(session.model)), "random-0")
        return verbs.act(desk, session, Noise() if mode == "noise" else Shift(direction=first, amount=0.0))

    widgets = [mode, *controls, *shift.widgets, *noise.widgets]
    shown = (widgets, lambda session: [*(bank_values(desk, session)), *shift.shown(session), *noise.shown(session)])
    page.follow(*shown)
    page.steady.append((mode, lambda session: type(session.result.tool)))
    switched(mode, {"shift": along, "noise": noisy})
    on(page, touched(widgets), move, widgets, note)
    on(page, [tab.select], entered(TOOLS, move), widgets, note)
    on(page, [reset.click], still, [mode], note, shown)


def slider(label: str, elem_id: str) -> Slide:
    return Slide(
        -REACH,
        REACH,
        value=0,
        step=0.05,
        label=f"{label} [σ]",
        buttons=["reset"],
        elem_id=elem_id,
        min_width=150,
        elem_classes="ll-centred",
    )


def spoken(direction: str) -> str:
    """A number alone would look like a value."""
    return f"class {direction}" if direction.isdecimal() else direction.replace("_", " ")


def terms(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Direction to amount, as the sliders stand."""
    *bank, other, amount, seed, chance = values
    wanted = dict(zip(names, bank, strict=False))
    if other:
        wanted[str(other)] = amount
    return wanted | {f"random-{RANDOM.check(seed)}": chance}


def summed(wanted: dict[str, Any]) -> tuple[str, float]:
    """The knobs `direction` and `amount` of one Shift for these terms."""
    moving = {name: value for name, value in wanted.items() if value != 0}
    if len(moving) > 1:
        return " + ".join(f"{FINE.check(value):.3g}*{name}" for name, value in moving.items()), 1.0
    name, value = next(iter((moving or wanted).items()))
    return name, FINE.check(value)


FINE = Setting("amount", float, 0.0, Knob("", -REACH, REACH, unit="σ"))


def parsed(shift: Shift) -> dict[str, float]:
    """Direction to amount of a Shift, the inverse of `summed`."""
    pairs = (term.strip().rpartition("*") for term in shift.direction.split(" + "))
    return {name: float(factor or 1) * shift.amount for factor, _, name in pairs}


def bank_values(desk: Desk, session: Session) -> list[Any]:
    """What mode, bank and the other controls show for the session's tool."""
    tool, names = session.result.tool, desk.directions(session.model)
    wanted = parsed(tool) if isinstance(tool, Shift) else {}
    bank = [gr.update(visible=False, value=0)] * BANK
    for place, name in enumerate(names[:BANK]):
        bank[place] = gr.update(visible=True, label=f"{spoken(name)} [σ]", value=wanted.pop(name, 0.0))
    chance = next((name for name in wanted if re.fullmatch(r"random-\d+", name)), None)
    far = wanted.pop(chance) if chance else 0.0
    rest = names[BANK:]
    other = next((name for name in rest if name in wanted), rest[0] if rest else None)
    choices = [(spoken(name), name) for name in rest]
    return [
        "noise" if isinstance(tool, Noise) else "shift" if isinstance(tool, Shift) else gr.skip(),
        *bank,
        gr.update(choices=choices, value=other, visible=bool(rest)),
        gr.update(value=wanted.get(other, 0.0) if other else 0.0, visible=bool(rest)),
        int(chance.removeprefix("random-")) if chance else 0,
        far,
    ]
