"""The tab Attack: a move against the classifier, step by step, with pixel PGD beside it at the same distance."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Adversary, Attack, LatentOperator
from latentlab.session import Session
from latentlab.session.attack.success_curve import ATTACK_COUNT, measure_success
from latentlab.session.attack.trace import apply_preset, ask_witness, match_preset, show_step
from latentlab.ui.events import (
    FREE_LANE,
    Reads,
    connect_action,
    connect_events,
    connect_steps,
    connect_stop,
    connect_stream,
    make_entry_action,
)
from latentlab.ui.form import Form, Knobs, list_change_events, make_knob_widget
from latentlab.ui.gradio_patches.unread_inputs import UncheckedSlider
from latentlab.ui.html import spell_name
from latentlab.ui.page_parts import Follower, Page, Painted, Trigger, make_follower
from latentlab.ui.plotly_view import PlotlyView, read_event_points
from latentlab.ui.stage.filmstrip import draw_filmstrip
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.added_forms import build_added_forms
from latentlab.ui.tabs.attack.figures import (
    describe_success_figure,
    draw_success_figure,
    draw_track_figure,
    find_step_place,
    name_attack_step,
    write_attack_verdict,
)

TITLE, KEY = "Attack", "attack"
PURPOSE = "Let a move look for the picture that changes the classifier's mind, beside pixel PGD at the same distance."
ATTACK_METHODS = [
    ("free settings", ""),
    ("Adversarial-LA", "adversarial-la"),
    ("AdvMix's adversary", "advmix"),
    ("pixel PGD", "pixel-pgd"),
]
FRAME_SECONDS = 0.4  # s between two pictures of a run: a browser draws them later than they come
T = TypeVar("T")
DISABLED = gr.update(interactive=False)


def holds_attack(tool: LatentOperator) -> bool:
    """Say whether the tab shows this move: one that can be followed step by step."""
    return isinstance(tool, Attack)


def build_attack_tab(page: Page, tab: gr.Tab) -> None:
    method = gr.Radio(
        ATTACK_METHODS, value="", label="method", show_label=False, container=False, elem_id="attack-method",
        elem_classes="ll-modes",
    )  # fmt: skip
    target = gr.Dropdown(
        [], label="target", info="the class to reach, if label is target", elem_id="adversary-target", render=False
    )
    with gr.Row(elem_classes="ll-bank"):
        form = Form(Adversary, instead={"target": target})
    with gr.Row(elem_classes="ll-actions"):
        go = gr.Button("Attack", variant="primary", elem_id="attack-go", size="sm")
        stop = gr.Button("Stop", interactive=False, elem_id="attack-stop", size="sm")
        reset = gr.Button("Reset all", elem_id="attack-reset", size="sm")
        note = gr.HTML(elem_id="attack-note")
    build_added_forms(page, {"adversary"}, holds_attack, note)

    hand, track = AttackActions(page, form, method), TrackView(page)
    shown = Follower([*form.widgets.values(), method], hand.show_settings)
    page.add_follower(shown)
    knobs: Reads = {"knobs": form.widgets}
    running = connect_stream(page, [go.click], hand.run_attack, knobs, note, track.follow_attack(stop))
    halted = connect_stop(stop.click, running)

    def report_halt(session: Session | None) -> Painted:
        return {note: describe_stop(session), stop: DISABLED}

    # in the queue: behind the end of the run
    connect_events([halted.then], report_halt, {"session": page.session}, [note, stop], mode="once")
    connect_action(page, [tab.select], make_entry_action(holds_attack, hand.apply_move), knobs, note)
    choice = {"name": method, **knobs}
    connect_action(page, [method.input], hand.choose_method, choice, note, lambda: page.situation_follower)
    changes, named = list_change_events(form.widgets.values()), {"session": page.session, **knobs}
    connect_events(changes, hand.name_method, named, [method], lane=FREE_LANE)
    connect_action(page, [reset.click], hand.reset_move, {}, note, shown)
    track.wire_events(note)
    build_success_view(page, form)


class AttackActions:
    """What the settings and the buttons below them do."""

    def __init__(self, page: Page, form: Form, method: gr.Radio) -> None:
        self.workspace, self.form, self.method = page.workspace, form, method

    def run_attack(self, session: Session, knobs: Knobs) -> Iterator[Session]:
        yield from pace_states(verbs.trace_attack(self.workspace, session, self.form.read_tool(knobs)))

    def apply_move(self, session: Session, knobs: Knobs) -> Session:
        return verbs.apply_move(self.workspace, session, self.form.read_tool(knobs))

    def reset_move(self, session: Session) -> Session:
        return verbs.apply_move(self.workspace, session, Adversary())

    def choose_method(self, session: Session, name: str, knobs: Knobs) -> Session:
        return apply_preset(self.workspace, session, name) if name else self.apply_move(session, knobs)

    def name_method(self, session: Session | None, knobs: Knobs) -> Painted:
        """Say which method the widgets stand at."""
        if session is None:
            return {}
        try:
            return {self.method: match_preset(self.workspace, session.model, self.form.read_tool(knobs))}
        except UserError:
            return {self.method: ""}

    def show_settings(self, session: Session) -> Painted:
        """Return what form and method show of the session's attack, and the classes that it may aim at."""
        if session.trace is not None:  # an earlier step is on the stage: the settings are still the whole attack's
            session = replace(session, result=session.trace[0].last_result)
        tool = session.result.tool
        choices = [(spell_name(name), place) for place, name in enumerate(session.classes)]
        target = tool.target if isinstance(tool, Attack) else 0
        painted = self.form.show_tool(session)
        painted[self.form.widgets["target"]] = gr.update(choices=choices, value=target if choices else None)
        if isinstance(tool, Attack):
            painted[self.method] = match_preset(self.workspace, session.model, tool)
        return painted


def pace_states(states: Iterator[T]) -> Iterator[T]:
    """Pass on the first and the last state, and of those between as many as a browser can draw."""
    shown, left = -math.inf, None
    for state in states:
        left = state
        if time.monotonic() - shown >= FRAME_SECONDS:
            yield state
            shown, left = time.monotonic(), None
    if left is not None:
        yield left


def describe_stop(session: Session | None) -> str:
    """Say what there is after a stop; the steps so far stay."""
    if session is None or session.trace is None:
        return ""
    ours, control = session.trace
    words = f"Stopped at: {name_attack_step(len(ours.steps) - 1)}. The steps so far stay."
    if control is not None:
        words = "It had ended before the stop."
    return f'<p class="ll-quiet" role="status">{words}</p>'


class TrackView:
    """The curves of the attack, a slider over its steps, and the verdict beside them."""

    def __init__(self, page: Page) -> None:
        self.page, self.drawn = page, gr.State(None)
        with gr.Row(elem_classes="ll-track"):
            with gr.Column(min_width=280, scale=3):
                self.curve = PlotlyView(
                    height=300, label="margin, loss and distance at each step", elem_id="attack-curve"
                )
                self.steps = UncheckedSlider(
                    0, 4, value=4, step=1, label="step on the stage", elem_id="attack-step",
                    info="0: no move, 1: the start in the ball; a click on the curves or a picture jumps there",
                )  # fmt: skip
            with gr.Column(min_width=260, scale=2):
                self.said = gr.HTML(elem_id="attack-verdict")
        self.outputs = [self.drawn, self.curve, self.steps, self.said]

    def wire_events(self, note: gr.HTML) -> None:
        page = self.page
        page.settled_listeners.append(self.wire_settled)
        jump = Follower([self.curve, self.steps], self.show_jump)
        page.add_follower(jump)  # a click on the film goes to a step, too
        curve = make_follower(self.curve, draw_track_figure)
        connect_action(page, [self.steps.input, self.steps.release], show_step, {"place": self.steps}, note, curve)
        connect_action(page, [self.curve.click], open_clicked_step, {}, note, jump, read_event_points)

    def wire_settled(self, settled: Trigger) -> None:
        """Show the track when the view has settled: an attack that was repeated on another picture has its own then."""
        reads = {"session": self.page.session, "before": self.drawn}
        connect_events([settled], self.show_settled, reads, self.outputs)

    def follow_attack(self, stop: gr.Button) -> Follower:
        """Return what changes while an attack runs."""
        film = self.page.filmstrip

        def follow_steps(session: Session) -> Painted:
            if session.trace is None or session.trace[1] is None:
                return {stop: gr.update(interactive=True), self.curve: draw_track_figure(session), self.said: ""}
            strip = draw_filmstrip(self.page.workspace, session)
            return {film: strip, stop: DISABLED, **self.show_track(session)}

        return Follower([film, stop, *self.outputs], follow_steps)

    def show_track(self, session: Session) -> Painted:
        if session.trace is None:
            return {self.drawn: None, self.curve: None, self.said: ""}
        ours = session.trace[0]
        return {
            self.drawn: session.trace,
            self.curve: draw_track_figure(session),
            self.steps: gr.update(maximum=len(ours.steps) - 1, value=find_step_place(session, ours)),
            self.said: write_attack_verdict(session, ask_witness(self.page.workspace, session)),
        }

    def show_settled(self, session: Session | None, before: Any) -> Painted:
        """Show the track; the slider is left alone while its attack is the same: a hand may be on it."""
        if session is None:
            return {}
        if session.trace is None or session.trace is not before:
            return self.show_track(session)
        return {self.curve: draw_track_figure(session)}

    def show_jump(self, session: Session) -> Painted:
        painted: Painted = {self.curve: draw_track_figure(session)}
        if session.trace is not None:
            painted[self.steps] = find_step_place(session, session.trace[0])
        return painted


def open_clicked_step(session: Session, chosen: list[tuple[int, int]]) -> Session:
    """Go to the attack's step that was clicked, on whichever curve; the control may have gone on for longer."""
    if not chosen or session.trace is None or chosen[0][1] >= len(session.trace[0].steps):
        return session
    return show_step(session, chosen[0][1])


def build_success_view(page: Page, form: Form) -> None:
    """Build the widgets and events of success against the radius, over many images."""
    gr.HTML('<h3 class="ll-heading">success against the radius, over many images</h3>', elem_id="success-title")
    with gr.Row(elem_classes="ll-actions ll-success"):
        count = make_knob_widget(ATTACK_COUNT, "success")
        go = gr.Button("Run", elem_id="success-go", size="sm")
        stop = gr.Button("Stop", interactive=False, elem_id="success-stop", size="sm")
        note = gr.HTML(elem_id="success-note")
    curve = PlotlyView(height=320, label="success against mean distance", elem_id="success-curve", visible=False)
    words = gr.HTML(elem_id="success-words")

    def stream_success(session: Session | None, many: Any, knobs: Knobs) -> Iterator[Painted]:
        if session is None:
            return
        tool, state = form.read_tool(knobs), None
        try:
            for state in pace_states(measure_success(page.workspace, session, tool, ATTACK_COUNT.check_value(many))):
                yield {
                    curve: update_plot(draw_success_figure(state)),
                    words: describe_success_figure(state, True),
                    note: "",
                    stop: gr.update(interactive=True),
                }
        except UserError as error:
            yield {note: draw_note(str(error)), stop: DISABLED}
        if state is not None:
            yield {words: describe_success_figure(state, False), note: "", stop: DISABLED}

    reads: Reads = {"session": page.session, "many": count, "knobs": form.widgets}
    running = connect_steps([go.click], stream_success, reads, [curve, words, note, stop], note)
    halted = '<p class="ll-quiet" role="status">Stopped. What is drawn stays.</p>'
    halt = connect_stop(stop.click, running)
    connect_events([halt.then], lambda: {note: halted, stop: DISABLED}, {}, [note, stop], mode="once")


def update_plot(figure: Any) -> Any:
    return gr.update(value=figure, visible=figure is not None)
