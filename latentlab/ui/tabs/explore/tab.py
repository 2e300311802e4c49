"""The tab Explore: one picture, one space; along named directions, or into random noise."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.operators import Attack, LatentOperator, Noise, Shift, name_operator
from latentlab.session import Session
from latentlab.ui.events import Reads, connect_action, list_widgets, make_entry_action
from latentlab.ui.form import Form, Knobs, connect_mode_forms, list_touch_events, make_mode_choice
from latentlab.ui.page_parts import Page, join_followers, make_follower
from latentlab.ui.tabs.added_forms import build_added_forms
from latentlab.ui.tabs.explore.direction_sliders import TermSliders, holds_local_direction, sum_terms

TITLE, KEY = "Explore", "explore"
PURPOSE = "Move one picture through a model's latent space, along named directions or at random."
MODES = {"shift": "along directions", "noise": "random noise"}


def holds_exploration(tool: LatentOperator) -> bool:
    """Say whether the tab shows this move: one of a single picture that asks no classifier."""
    return not isinstance(tool, Attack) and not tool.needs_partner


def build_explore_tab(page: Page, tab: gr.Tab) -> None:
    mode = make_mode_choice(MODES, KEY)
    with gr.Column(elem_id="explore-shift") as along:
        sliders = TermSliders(page.workspace)
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
        direction, far = sum_terms(sliders.read_terms(session, terms))
        return verbs.apply_move(workspace, session, shift_form.read_tool(shift, direction=direction, amount=far))

    def reset_move(session: Session, mode: str | None) -> Session:
        first = next(iter(workspace.list_directions(session.model)), "random-0")
        return verbs.apply_move(workspace, session, Noise() if mode == "noise" else Shift(direction=first, amount=0.0))

    def show_mode(session: Session) -> Any:
        return key if (key := name_operator(session.result.tool)) in MODES else gr.skip()

    reads: Reads = {"mode": mode, "terms": sliders.widgets, "shift": shift_form.widgets, "noise": noise_form.widgets}
    widgets = list_widgets(reads)
    shown = join_followers(make_follower(mode, show_mode), sliders.follower, shift_form.follower, noise_form.follower)
    page.add_follower(shown)
    page.steady_parts.append((mode, lambda session: type(session.result.tool)))
    page.steady_parts.append((sliders.group, holds_local_direction))
    connect_mode_forms(mode, {"shift": along, "noise": noisy})
    connect_action(page, list_touch_events(widgets), apply_move, reads, note)
    connect_action(page, [tab.select], make_entry_action(holds_exploration, apply_move), reads, note)
    sliders.wire_previews(page, note)
    connect_action(page, [reset.click], reset_move, {"mode": mode}, note, shown)
