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
    TORCH_QUEUE,
    Follower,
    Page,
    connect_action,
    connect_events,
    connect_stream,
    keep_outputs,
    make_entry_action,
    unwrap_generator,
)
from latentlab.ui.form import Form, make_knob_widget
from latentlab.ui.inputs import UncheckedSlider
from latentlab.ui.plotly_view import PlotlyView, read_event_points
from latentlab.ui.stage.filmstrip import draw_filmstrip
from latentlab.ui.stage.view import draw_note, spell_name
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
ATTACK_METHODS = [
    ("free settings", ""),
    ("Adversarial-LA", "adversarial-la"),
    ("AdvMix's adversary", "advmix"),
    ("pixel PGD", "pixel-pgd"),
]
QUEUED_EVENT_OPTIONS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **TORCH_QUEUE}
INSTANT_EVENT_OPTIONS: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
FRAME_SECONDS = 0.4  # s between two pictures of a run: a browser draws them later than they come
T = TypeVar("T")
DISABLED = gr.update(interactive=False)


def holds_move(tool: LatentOperator) -> bool:
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
    build_added_forms(page, {"adversary"}, holds_move, note)

    hand = AttackActions(page, form)
    plain = [widget for widget in form.widgets if widget is not target]
    shown = ([*plain, target, method], hand.show_settings)
    page.add_follower(*shown)
    trace = TrackView(page)
    running = connect_stream(page, [go.click], hand.run_attack, form.widgets, note, trace.follow_attack(stop))
    halt = stop.click(None, cancels=[running], api_visibility="private")
    halt.then(
        report_stop, [page.session], [note, stop], **QUEUED_EVENT_OPTIONS
    )  # in the queue: behind the end of the run
    connect_action(page, [tab.select], make_entry_action(holds_move, hand.apply_move), form.widgets, note)
    connect_action(
        page, [method.input], hand.choose_method, [method, *form.widgets], note, lambda: page.situation_follower
    )
    changes = [getattr(widget, "change") for widget in form.widgets]  # noqa: B009
    gr.on(changes, hand.name_method, [page.session, *form.widgets], [method], **INSTANT_EVENT_OPTIONS)
    connect_action(page, [reset.click], hand.reset_move, [], note, shown)
    trace.wire_events(note)
    build_success_view(page, form)


class AttackActions:
    """What the settings and the buttons below them do."""

    def __init__(self, page: Page, form: Form) -> None:
        self.workspace, self.form = page.workspace, form

    def run_attack(self, session: Session, *values: Any) -> Iterator[Session]:
        yield from pace_states(verbs.trace_attack(self.workspace, session, self.form.read_tool(values)))

    def apply_move(self, session: Session, *values: Any) -> Session:
        return verbs.apply_move(self.workspace, session, self.form.read_tool(values))

    def reset_move(self, session: Session) -> Session:
        return verbs.apply_move(self.workspace, session, Adversary())

    def choose_method(self, session: Session, name: str, *values: Any) -> Session:
        return apply_preset(self.workspace, session, name) if name else self.apply_move(session, *values)

    def name_method(self, session: Session | None, *values: Any) -> Any:
        """Say which method the widgets stand at."""
        try:
            return match_preset(self.workspace, session.model, self.form.read_tool(values)) if session else gr.skip()
        except UserError:
            return ""

    def show_settings(self, session: Session) -> list[Any]:
        if session.trace is not None:  # an earlier step is on the stage: the settings are still the whole attack's
            session = replace(session, result=session.trace[0].last_result)
        tool = session.result.tool
        choices = [(spell_name(name), place) for place, name in enumerate(session.classes)]
        target = tool.target if isinstance(tool, Attack) else 0
        method = match_preset(self.workspace, session.model, tool) if isinstance(tool, Attack) else gr.skip()
        aim = gr.update(choices=choices, value=target if choices else None)
        return [*self.form.show_tool(session, skip="target"), aim, method]


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


def report_stop(session: Session | None) -> list[Any]:
    """Say what there is after a stop; the steps so far stay."""
    if session is None or session.trace is None:
        return ["", DISABLED]
    ours, control = session.trace
    words = f"Stopped at: {name_attack_step(len(ours.steps) - 1)}. The steps so far stay."
    if control is not None:
        words = "It had ended before the stop."
    return [f'<p class="ll-quiet" role="status">{words}</p>', DISABLED]


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
        connect_events([page.export_menu.change], self.show_settled, [page.session, self.drawn], self.outputs)
        curve = ([self.curve], lambda session: [draw_track_figure(session)])
        page.add_follower([self.curve, self.steps], self.show_jump)  # a click on the film goes to a step, too
        connect_action(page, [self.steps.input, self.steps.release], show_step, [self.steps], note, curve)
        connect_action(
            page,
            [self.curve.click],
            open_clicked_step,
            [],
            note,
            ([self.curve, self.steps], self.show_jump),
            read_event_points,
        )

    def follow_attack(self, stop: gr.Button) -> Follower:
        """Return what changes while an attack runs."""

        def follow_steps(session: Session) -> list[Any]:
            done = session.trace is not None and session.trace[1] is not None
            rest = self.show_track(session) if done else [gr.skip(), draw_track_figure(session), gr.skip(), ""]
            strip = draw_filmstrip(self.page.workspace, session) if done else gr.skip()
            return [strip, gr.update(interactive=not done), *rest]

        return [self.page.filmstrip, stop, *self.outputs], follow_steps

    def show_track(self, session: Session) -> list[Any]:
        if session.trace is None:
            return [None, None, gr.skip(), ""]
        ours = session.trace[0]
        slider = gr.update(maximum=len(ours.steps) - 1, value=find_step_place(session, ours))
        return [
            session.trace,
            draw_track_figure(session),
            slider,
            write_attack_verdict(session, ask_witness(self.page.workspace, session)),
        ]

    def show_settled(self, session: Session | None, before: Any) -> list[Any]:
        """Show the track; the slider is left alone while its attack is the same: a hand may be on it."""
        if session is None:
            return keep_outputs(self.outputs)
        if session.trace is None or session.trace is not before:
            return self.show_track(session)
        return [gr.skip(), draw_track_figure(session), gr.skip(), gr.skip()]

    def show_jump(self, session: Session) -> list[Any]:
        place = gr.skip() if session.trace is None else find_step_place(session, session.trace[0])
        return [draw_track_figure(session), place]


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
    outputs = [curve, words, note, stop]

    def stream_success(session: Session | None, many: Any, *values: Any) -> Iterator[list[Any]]:
        if session is None:
            return
        state = None
        try:
            for state in pace_states(
                measure_success(page.workspace, session, form.read_tool(values), ATTACK_COUNT.check_value(many))
            ):
                yield [
                    update_plot(draw_success_figure(state)),
                    describe_success_figure(state, True),
                    "",
                    gr.update(interactive=True),
                ]
        except UserError as error:
            yield [gr.skip(), gr.skip(), draw_note(str(error)), DISABLED]
        if state is not None:
            yield [gr.skip(), describe_success_figure(state, False), "", DISABLED]

    running = go.click(
        unwrap_generator(stream_success),
        [page.session, count, *form.widgets],
        outputs,
        trigger_mode="once",
        **QUEUED_EVENT_OPTIONS,
    )
    halted = '<p class="ll-quiet" role="status">Stopped. What is drawn stays.</p>'
    halt = stop.click(None, cancels=[running], api_visibility="private")
    halt.then(lambda: [halted, DISABLED], None, [note, stop], **QUEUED_EVENT_OPTIONS)


def update_plot(figure: Any) -> Any:
    return gr.update(value=figure, visible=figure is not None)
