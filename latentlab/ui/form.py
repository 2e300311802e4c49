"""A dataclass of knobs as widgets: declared once in the tool, drawn, checked and reset here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import gradio as gr
from gradio.components import FormComponent

from latentlab.knobs import KNOB_LETTERS, Setting, list_settings, tool_from_json
from latentlab.session import Session
from latentlab.ui.events import NO_LANE, connect_events
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.page_parts import Follower, Painted

SLIDER_STEPS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
Knobs = Mapping[str, Any]  # what the widgets of a form tell, by the names of the knobs
RADIO_LIMIT = 5  # choices that fit beside one another


class Form:
    """The widgets of one tool class by the names of its knobs, in their order."""

    def __init__(
        self,
        cls: type,
        skip: Collection[str] = (),
        instead: Mapping[str, FormComponent] | None = None,
        prefix: str = "",
    ) -> None:
        self.cls = cls
        self.widgets = {
            setting.name: self._place_widget(setting, instead or {}, prefix or cls.__name__.lower())
            for setting in list_settings(cls)
            if setting.name not in skip
        }

    def _place_widget(self, setting: Setting, instead: Mapping[str, FormComponent], prefix: str) -> FormComponent:
        """Place the widget that stands in for the setting's own where there is one, else make the setting's own."""
        if setting.name in instead:
            instead[setting.name].render()
            return instead[setting.name]
        return make_knob_widget(setting, prefix)

    def read_tool(self, knobs: Knobs, **others: Any) -> Any:
        """Return the tool that these widget values and other knobs describe; a bad value is one clear line."""
        return tool_from_json(self.cls, {name: to_knob_value(value) for name, value in knobs.items()} | others)

    @property
    def follower(self) -> Follower:
        """Return the widgets, and what they show of the session's tool."""
        return Follower(list(self.widgets.values()), self.show_tool)

    def show_tool(self, session: Session) -> Painted:
        """Return what the widgets show: the knobs of the session's tool if it is of this class, else what they
        showed.
        """
        tool = session.result.tool
        if type(tool) is not self.cls:
            return {}
        return {widget: to_widget_value(getattr(tool, name)) for name, widget in self.widgets.items()}


def make_knob_widget(setting: Setting, prefix: str) -> FormComponent:
    """Make a slider for a bounded number, a box for a free one, a switch, a choice or a set of choices."""
    knob = setting.knob
    about: dict[str, Any] = {
        "label": label_setting(setting),
        "info": knob.help,
        "value": to_widget_value(setting.default),
        "elem_id": f"{prefix}-{setting.name}",
        "min_width": 150,
    }
    if setting.type is bool:
        return gr.Checkbox(**about)
    if setting.type in (int, float):
        if knob.low is None or knob.high is None:
            return make_number_box(setting, prefix)
        return UncheckedSlider(knob.low, knob.high, step=choose_slider_step(setting), buttons=["reset"], **about)
    if setting.type is tuple:
        return gr.CheckboxGroup(list(knob.choices), **about)
    if knob.choices:
        return (
            gr.Radio(list(knob.choices), **about)
            if len(knob.choices) < RADIO_LIMIT
            else gr.Dropdown(list(knob.choices), **about)
        )
    return gr.Textbox(max_length=200, **about)


def make_number_box(setting: Setting, prefix: str) -> gr.Number:
    """Make a box for a number without bounds, or with bounds too wide for a slider; the setting checks it."""
    place = f"{prefix}-{setting.name}".replace(" ", "-")
    return gr.Number(
        setting.default, label=label_setting(setting), info=setting.knob.help, elem_id=place, min_width=100
    )


def label_setting(setting: Setting) -> str:
    """Write the knob's name as people write it, its unit in brackets."""
    name = KNOB_LETTERS.get(setting.name) or setting.name.replace("_", " ")
    return f"{name} [{setting.knob.unit}]" if setting.knob.unit else name


def choose_slider_step(setting: Setting) -> float:
    """Return 1 for whole numbers, else the finest round step that cuts the range into at most a thousand."""
    if setting.type is int:
        return 1
    span = (setting.knob.high or 0) - (setting.knob.low or 0)
    return next((size for size in SLIDER_STEPS if span / size <= 1000), SLIDER_STEPS[-1])


def to_widget_value(value: Any) -> Any:
    """Return a knob's value as a widget shows it: a tuple becomes a list."""
    return list(value) if isinstance(value, tuple) else value


def to_knob_value(value: Any) -> Any:
    """Return a widget's value as a knob takes it: a list becomes a tuple."""
    return tuple(value) if isinstance(value, list) else value


def list_touch_events(widgets: Iterable[Any]) -> list[Any]:
    """Return the events of a hand on these widgets; a slider's reset button is heard as a release only."""
    touched = list(widgets)
    released = [widget.release for widget in touched if isinstance(widget, gr.Slider)]
    return [*list_input_events(touched), *released]


def list_input_events(widgets: Iterable[Any]) -> list[Any]:
    """Return the events of a hand that changes these widgets."""
    return [widget.input for widget in widgets]


def list_change_events(widgets: Iterable[Any]) -> list[Any]:
    """Return the events of any change of these widgets, by a hand or by the page."""
    return [widget.change for widget in widgets]


def make_mode_choice(labels: Mapping[str, str], prefix: str) -> gr.Radio:
    """Make the choice which of a tab's tools is in hand."""
    choices = [(label, key) for key, label in labels.items()]
    return gr.Radio(
        choices,
        value=choices[0][1],
        label="move",
        show_label=False,
        container=False,
        elem_id=f"{prefix}-mode",
        elem_classes="ll-modes",
    )


def connect_mode_forms(mode: gr.Radio, forms: Mapping[str, gr.Column | gr.Row]) -> None:
    """Show only the form of the tool in hand, from now on."""

    def show_form(mode: str) -> Painted:
        return {form: gr.update(visible=mode == own) for own, form in forms.items()}

    connect_events([mode.change], show_form, {"mode": mode}, list(forms.values()), lane=NO_LANE)
