"""The tab Mix: a picture on its way to a partner, or with some parts borrowed; one pair, or many pictures at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.knobs import find_setting, list_settings
from latentlab.operators import LatentOperator, Mix, Swap, name_operator
from latentlab.session import Session, Workspace, mixing
from latentlab.session.mixing import GRID_SIDE, SET_SIZE
from latentlab.ui.components import make_paired_choices, read_event_key
from latentlab.ui.events import NO_LANE, Reads, connect_action, connect_events, list_widgets, make_entry_action
from latentlab.ui.form import Form, choose_slider_step, list_touch_events, make_knob_widget, make_mode_choice
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.page_parts import Follower, Page, Painted, join_followers, make_follower
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.added_forms import build_added_forms
from latentlab.ui.tabs.mix import pairing_view

TITLE, KEY = "Mix", "mix"
PURPOSE = "Mix a picture with another: a share of the way to it, or some parts of its code; one pair or many."
MODES = {"mix": "part of the way", "swap": "borrow parts"}
SET_KNOBS = {"partner", "weight", "alpha", "k", "candidates", "distinct"}  # knobs that choose among many partners
PAIR_KNOBS = {setting.name for setting in list_settings(Mix)} - SET_KNOBS
ADVERSARY_KNOBS = {"steps", "epsilon", "norm", "step_size", "label"}  # of the adversary behind a swap
LAM_SETTING = find_setting(Mix, "lam")
ARC_REASON = (
    '<p class="ll-quiet">Here the way is spherical unless you choose: the codes of this space lie in a thin shell, and '
    "half-way on the straight line, inside it, a picture greys out.</p>"
)
SCALE_HINTS = {
    "pair": "The partner is the second picture of the workbench: click it there, then choose what fills it.",
    "many": "A click on a picture takes it to the workbench, a mixed one with its partner and this move.",
}


def holds_mix(tool: LatentOperator) -> bool:
    """Say whether the tab shows this move: one that needs a partner."""
    return tool.needs_partner


def build_mix_tab(page: Page, tab: gr.Tab) -> None:
    forms = MixForms(page.workspace)
    with gr.Row(elem_classes="ll-actions"):
        reset = gr.Button("Reset all", elem_id="mix-reset", size="sm")
        note = gr.HTML(elem_id="mix-note")
    build_added_forms(page, MODES, holds_mix, note)
    hint = gr.HTML(draw_scale_hint("pair"))
    many = make_paired_choices(visible=False, elem_id="mix-many")
    drawn = gr.State(None)  # what the many pictures on the page were made from

    def apply_move(session: Session, **values: Any) -> Session:
        return verbs.apply_move(page.workspace, session, forms.read_tool(values))

    def reset_move(session: Session, mode: str | None) -> Session:
        mix = Mix(partner="next", path=page.workspace.choose_mix_path(session.model))
        return verbs.apply_move(page.workspace, session, mix if mode == "mix" else Swap(partner="next"))

    def take_clicked(session: Session, key: str, **values: Any) -> Session:
        tool, names = forms.read_tool(values), key.split("|")
        path = tool.make_path()
        if path is not None and len(names) > 2:
            tool = path.move_at(parse_share(names.pop()))
        return mixing.take_pictures(page.workspace, session, names, tool)

    def refresh_many(session: Session | None, before: Any, **values: Any) -> Painted:
        if session is None or not forms.wants_many(values):
            return {}
        try:
            wish = forms.read_many(values)
            now = (session.world, session.model, session.classifier, session.seed, session.selection, wish)
            if now == before:
                return {}
            return {many: MANY_VIEWS[values["mode"]](page, session, *wish), drawn: now, note: ""}
        except UserError as error:
            return {drawn: None, note: draw_note(str(error))}

    page.add_follower(forms.tool_follower)
    forms.wire_visibility(hint, many)
    connect_action(page, list_touch_events(list_widgets(forms.moving)), apply_move, forms.all, note)
    connect_action(page, [tab.select], make_entry_action(holds_mix, apply_move), forms.all, note)
    connect_action(page, [reset.click], reset_move, {"mode": forms.mode}, note, forms.tool_follower)
    connect_action(page, [many.pick], take_clicked, forms.all, note, lambda: page.situation_follower, read_event_key)
    chosen = list_touch_events([forms.mode, forms.scale, *forms.among.widgets.values(), forms.side])
    connect_events(
        [page.stage.settled_sets, tab.select, *chosen],
        refresh_many,
        {"session": page.session, "before": drawn, **forms.all},
        [many, drawn, note],
    )


class MixForms:
    """The widgets of the tab, and the tools that their values describe."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        with gr.Row(elem_id="mix-choice"):
            self.mode = make_mode_choice(MODES, KEY)
            self.scale = make_mode_choice({"pair": "one pair", "many": "many pictures"}, f"{KEY}-scale")
        with gr.Column(elem_id="mix-mix") as self.mixing:
            with gr.Row(elem_classes="ll-bank"):
                self.mix = Form(Mix, skip=SET_KNOBS)
            self.reason = gr.HTML(elem_id="mix-reason")
            with gr.Column(visible=False, elem_id="mix-sets") as self.of_sets, gr.Row(elem_classes="ll-bank"):
                self.among = Form(
                    Mix,
                    skip={*PAIR_KNOBS, "distinct"},
                    instead={"partner": make_partner_choice(), "k": make_set_size_slider()},
                )
        with gr.Column(visible=False, elem_id="mix-swap") as self.swapping:
            with gr.Row(elem_classes="ll-bank"):
                self.parts = Form(Swap, skip={*SET_KNOBS, *ADVERSARY_KNOBS})
            with gr.Column(elem_id="mix-ball") as self.ball, gr.Row(elem_classes="ll-bank"):
                self.adversary = Form(Swap, skip={*SET_KNOBS, "parts"})
            with gr.Column(visible=False, elem_id="mix-grid") as self.of_grid, gr.Row(elem_classes="ll-bank"):
                self.side = make_knob_widget(GRID_SIDE, KEY)
        self.moving: Reads = {
            "mode": self.mode,
            "scale": self.scale,
            "mix": self.mix.widgets,
            "parts": self.parts.widgets,
            "adversary": self.adversary.widgets,
        }
        self.all: Reads = {**self.moving, "among": self.among.widgets, "side": self.side}

    def wants_many(self, values: Mapping[str, Any]) -> bool:
        return values["scale"] == "many"

    def read_tool(self, values: Mapping[str, Any]) -> Mix | Swap:
        """Return the move of one pair; among many a swap has no adversary."""
        if values["mode"] == "mix":
            return self.mix.read_tool(values["mix"], partner="next")
        plain: Swap = self.parts.read_tool(values["parts"], partner="next")
        if self.wants_many(values):
            return plain
        return self.adversary.read_tool(values["adversary"], parts=plain.parts, partner="next")

    def read_many(self, values: Mapping[str, Any]) -> tuple[Mix | Swap, int]:
        """Return what is done to many pictures, and to how many."""
        if values["mode"] == "swap":
            return self.read_tool(values), GRID_SIDE.check_value(values["side"])
        alone: Mix = self.mix.read_tool(values["mix"])
        both: Mix = self.among.read_tool(values["among"], lam=alone.lam, path=alone.path, parts=alone.parts)
        return both, SET_SIZE.check_value(both.k)

    @property
    def tool_follower(self) -> Follower:
        """Return what the widgets show of the session's tool; the choice of one or many stays."""
        mode = make_follower(
            self.mode, lambda session: key if (key := name_operator(session.result.tool)) in MODES else gr.skip()
        )
        mix = Follower([*self.mix.widgets.values(), self.reason], self.show_mix)
        return join_followers(mode, mix, self.parts.follower, self.adversary.follower)

    def show_mix(self, session: Session) -> Painted:
        """Return the knobs of the session's mix; as long as there is none, the way that suits the space, and why."""
        path = self.workspace.choose_mix_path(session.model)
        shown = self.mix.show_tool(session) or {self.mix.widgets["path"]: path}
        return {**shown, self.reason: ARC_REASON if path == "spherical" else ""}

    def wire_visibility(self, hint: gr.HTML, many: gr.HTML) -> None:
        """Show only what belongs to the move and to one or many."""

        def update_visibility(mode: str, scale: str) -> Painted:
            all_of_them = scale == "many"
            seen = {
                self.mixing: mode == "mix",
                self.swapping: mode == "swap",
                self.of_sets: all_of_them,
                self.ball: not all_of_them,
                self.of_grid: all_of_them,
                many: all_of_them,
            }
            shown: Painted = {column: gr.update(visible=here) for column, here in seen.items()}
            return {**shown, hint: draw_scale_hint(scale)}

        connect_events(
            [self.mode.change, self.scale.change],
            update_visibility,
            {"mode": self.mode, "scale": self.scale},
            [self.mixing, self.swapping, self.of_sets, self.ball, self.of_grid, many, hint],
            lane=NO_LANE,
        )


def make_partner_choice() -> gr.Radio:
    """Return the choice of partners: two sets are always compared with random pairs, the others are a choice."""
    about = {"label": "partner", "info": "who is mixed with whom; random pairs stand beside it", "min_width": 150}
    return gr.Radio(["transport", "hardest"], value="transport", elem_id="mix-partner", render=False, **about)


def make_set_size_slider() -> UncheckedSlider:
    knob = SET_SIZE.knob
    assert knob.low is not None
    assert knob.high is not None
    return UncheckedSlider(
        knob.low,
        knob.high,
        value=SET_SIZE.default,
        step=choose_slider_step(SET_SIZE),
        label=SET_SIZE.name,
        info=knob.help,
        buttons=["reset"],
        elem_id="mix-k",
        min_width=150,
        render=False,
    )


def draw_scale_hint(scale: str) -> str:
    return f'<p class="ll-quiet">{SCALE_HINTS[scale]}</p>'


def parse_share(word: str) -> float:
    """Read λ as a picture's key says it: a visitor's word."""
    try:
        return LAM_SETTING.check_value(float(word[:30]))
    except ValueError as error:
        raise UserError("This picture does not say how it was mixed; click it again.") from error


def show_pairings(page: Page, session: Session, tool: Mix, count: int) -> str:
    return pairing_view.draw_pairings(session, mixing.pair_sets(page.workspace, session, count, tool))


def show_style_grid(page: Page, session: Session, tool: Swap, count: int) -> str:
    grid = mixing.make_style_grid(page.workspace, session, count, tool.parts)
    return pairing_view.draw_style_grid(session, grid, tool.parts)


MANY_VIEWS: dict[str, Callable[..., str]] = {"mix": show_pairings, "swap": show_style_grid}
