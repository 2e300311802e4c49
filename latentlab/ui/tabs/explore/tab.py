"""The tab Explore: one picture, one space; along named directions, or into random noise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import FormComponent

from latentlab import session as verbs
from latentlab.knobs import Knob, Setting
from latentlab.operators import Attack, LatentOperator, Noise, Shift, name_operator
from latentlab.session import DIRECTION_SLIDERS, Session, Workspace
from latentlab.ui.events import Reads, connect_action, list_widgets, make_entry_action
from latentlab.ui.form import Form, Knobs, connect_mode_forms, list_touch_events, make_mode_choice, make_number_box
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.page_parts import Follower, Page, Painted, join_followers, make_follower
from latentlab.ui.tabs.added_forms import build_added_forms

TITLE, KEY = "Explore", "explore"
MODES = {"shift": "along directions", "noise": "random noise"}
SLIDER_REACH = 4.0  # σ to either side: beyond, few models have seen anything
RANDOM_SEED = Setting("random seed", int, 0, Knob("of the random direction", 0, 10**9 - 1))


def holds_exploration(tool: LatentOperator) -> bool:
    """Say whether the tab shows this move: one of a single picture that asks no classifier."""
    return not isinstance(tool, Attack) and not tool.needs_partner


def build_explore_tab(page: Page, tab: gr.Tab) -> None:
    mode = make_mode_choice(MODES, KEY)
    with gr.Column(elem_id="explore-shift") as along:
        terms = TermSliders(page.workspace)
        with gr.Row(elem_classes="ll-bank"):
            shift_form = Form(Shift, skip={"direction", "amount"})
    with gr.Column(visible=False, elem_id="explore-noise") as noisy, gr.Row(elem_classes="ll-bank"):
        noise_form = Form(Noise)
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="explore-reset", size="sm")
        note = gr.HTML(elem_id="explore-note")
    build_added_forms(page, MODES, holds_exploration, note)

    workspace = page.workspace

    def apply_move(session: Session, mode: str | None, terms: Knobs, shift: Knobs, noise: Knobs) -> Session:
        if mode == "noise":
            return verbs.apply_move(workspace, session, noise_form.read_tool(noise))
        names = workspace.list_directions(session.model)[:DIRECTION_SLIDERS]
        direction, far = sum_terms(read_terms(names, terms))
        return verbs.apply_move(workspace, session, shift_form.read_tool(shift, direction=direction, amount=far))

    def reset_move(session: Session, mode: str | None) -> Session:
        first = next(iter(workspace.list_directions(session.model)), "random-0")
        return verbs.apply_move(workspace, session, Noise() if mode == "noise" else Shift(direction=first, amount=0.0))

    def show_mode(session: Session) -> Any:
        return key if (key := name_operator(session.result.tool)) in MODES else gr.skip()

    reads: Reads = {"mode": mode, "terms": terms.widgets, "shift": shift_form.widgets, "noise": noise_form.widgets}
    widgets = list_widgets(reads)
    shown = join_followers(make_follower(mode, show_mode), terms.follower, shift_form.follower, noise_form.follower)
    page.add_follower(shown)
    page.steady_parts.append((mode, lambda session: type(session.result.tool)))
    connect_mode_forms(mode, {"shift": along, "noise": noisy})
    connect_action(page, list_touch_events(widgets), apply_move, reads, note)
    connect_action(page, [tab.select], make_entry_action(holds_exploration, apply_move), reads, note)
    connect_action(page, [reset.click], reset_move, {"mode": mode}, note, shown)


class TermSliders:
    """The sliders of a Shift's terms: one for each of the space's first directions, one for any other, and one for a
    random direction.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        with gr.Row(elem_classes="ll-bank"):
            self.bank = {
                f"place {place}": make_amount_slider(f"direction {place}", f"bank-{place - 1}")
                for place in range(1, DIRECTION_SLIDERS + 1)
            }
        with gr.Row(elem_classes="ll-bank"):
            self.other = gr.Dropdown([], label="another direction", elem_id="bank-other")
            self.amount = make_amount_slider("along it", "bank-amount")
            self.seed = make_number_box(RANDOM_SEED, "bank")
            self.chance = make_amount_slider("random direction", "bank-random")
        further = {"other": self.other, "amount": self.amount, "seed": self.seed, "chance": self.chance}
        self.widgets: dict[str, FormComponent] = {**self.bank, **further}

    @property
    def follower(self) -> Follower:
        """Return what the sliders show of the session's tool, under the names of its space's directions."""
        return Follower(list(self.widgets.values()), self.show_terms)

    def show_terms(self, session: Session) -> Painted:
        tool, names = session.result.tool, self.workspace.list_directions(session.model)
        wanted = tool.list_terms()
        painted: Painted = {slider: gr.update(visible=False, value=0) for slider in self.bank.values()}
        for slider, name in zip(self.bank.values(), names, strict=False):
            painted[slider] = gr.update(visible=True, label=f"{name_direction(name)} [σ]", value=wanted.pop(name, 0.0))
        chance = next((name for name in wanted if re.fullmatch(r"random-\d+", name)), None)
        rest = names[DIRECTION_SLIDERS:]
        other = next((name for name in rest if name in wanted), rest[0] if rest else None)
        choices = [(name_direction(name), name) for name in rest]
        painted[self.other] = gr.update(choices=choices, value=other, visible=bool(rest))
        painted[self.amount] = gr.update(value=wanted.get(other, 0.0) if other else 0.0, visible=bool(rest))
        painted[self.seed] = int(chance.removeprefix("random-")) if chance else 0
        painted[self.chance] = wanted[chance] if chance else 0.0
        return painted


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


def read_terms(names: Sequence[str], terms: Knobs) -> dict[str, Any]:
    """Return direction to amount, as the sliders stand."""
    wanted = {name: terms[f"place {place}"] for place, name in enumerate(names, 1)}
    if terms["other"]:
        wanted[str(terms["other"])] = terms["amount"]
    return wanted | {f"random-{RANDOM_SEED.check_value(terms['seed'])}": terms["chance"]}


def sum_terms(wanted: dict[str, Any]) -> tuple[str, float]:
    """Return the knobs `direction` and `amount` of one Shift for these terms."""
    moving = {name: value for name, value in wanted.items() if value != 0}
    if len(moving) > 1:
        return " + ".join(f"{AMOUNT_SETTING.check_value(value):.3g}*{name}" for name, value in moving.items()), 1.0
    name, value = next(iter((moving or wanted).items()))
    return name, AMOUNT_SETTING.check_value(value)


AMOUNT_SETTING = Setting("amount", float, 0.0, Knob("", -SLIDER_REACH, SLIDER_REACH, unit="σ"))
