"""Attack: against the classifier, step by step, with pixel PGD beside it at the same distance."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Adversary
from latentlab.session import Session
from latentlab.session.attack import at_step, prepare, preset_of, witness
from latentlab.session.success import COUNT, success
from latentlab.ui import show
from latentlab.ui.chase import place_of, step_name, success_figure, success_words, track_figure, verdict
from latentlab.ui.film import film
from latentlab.ui.form import Form, widget
from latentlab.ui.inputs import Slide
from latentlab.ui.plot import PlotlyView, points
from latentlab.ui.wiring import QUEUE, Follower, Page, bare, entered, kept, on, stream, wired

TITLE, KEY = "Attack", "attack"
TOOLS = (Adversary,)
METHODS = [
    ("free settings", ""),
    ("Adversarial-LA", "adversarial-la"),
    ("AdvMix's adversary", "advmix"),
    ("pixel PGD", "pixel-pgd"),
]
HOW: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **QUEUE}
AT_ONCE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
PACE = 0.4  # s between two pictures of a run: a browser draws them later than they come
T = TypeVar("T")
OFF = gr.update(interactive=False)


def build(page: Page, tab: gr.Tab) -> None:
    method = gr.Radio(
        METHODS, value="", label="method", show_label=False, container=False, elem_id="attack-method",
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

    hand = Hand(page, form)
    plain = [widget for widget in form.widgets if widget is not target]
    shown = ([*plain, target, method], hand.shown)
    page.follow(*shown)
    track = TrackView(page)
    running = stream(page, [go.click], hand.attack, form.widgets, note, track.follower(stop))
    halt = stop.click(None, cancels=[running], api_visibility="private")
    halt.then(stopped, [page.session], [note, stop], **HOW)  # in the queue: behind the end of the run
    on(page, [tab.select], entered(TOOLS, hand.begin), form.widgets, note)
    on(page, [method.input], hand.chosen, [method, *form.widgets], note, lambda: page.situation)
    changes = [getattr(widget, "change") for widget in form.widgets]  # noqa: B009
    gr.on(changes, hand.named, [page.session, *form.widgets], [method], **AT_ONCE)
    on(page, [reset.click], hand.first, [], note, shown)
    track.wire(note)
    success_view(page, form)


class Hand:
    """What the settings and the buttons below them do."""

    def __init__(self, page: Page, form: Form) -> None:
        self.desk, self.form = page.desk, form

    def attack(self, session: Session, *values: Any) -> Iterator[Session]:
        yield from paced(verbs.attack(self.desk, session, self.form.read(values)))

    def begin(self, session: Session, *values: Any) -> Session:
        return verbs.act(self.desk, session, self.form.read(values))

    def first(self, session: Session) -> Session:
        return verbs.act(self.desk, session, Adversary())

    def chosen(self, session: Session, name: str, *values: Any) -> Session:
        return prepare(self.desk, session, name) if name else self.begin(session, *values)

    def named(self, session: Session | None, *values: Any) -> Any:
        """Which method the widgets stand at."""
        try:
            return preset_of(self.desk, session.model, self.form.read(values)) if session else gr.skip()
        except UserError:
            return ""

    def shown(self, session: Session) -> list[Any]:
        if session.track is not None:  # an earlier step is on the stage: the settings are still the whole attack's
            session = replace(session, result=session.track[0].result)
        tool = session.result.tool
        choices = [(show.name(name), place) for place, name in enumerate(session.classes)]
        target = tool.target if isinstance(tool, Adversary) else 0
        method = preset_of(self.desk, session.model, tool) if isinstance(tool, Adversary) else gr.skip()
        aim = gr.update(choices=choices, value=target if choices else None)
        return [*self.form.shown(session, skip="target"), aim, method]


def paced(states: Iterator[T]) -> Iterator[T]:
    """The first, the last, and of those between as many as a browser can draw."""
    shown, left = -math.inf, None
    for state in states:
        left = state
        if time.monotonic() - shown >= PACE:
            yield state
            shown, left = time.monotonic(), None
    if left is not None:
        yield left


def stopped(session: Session | None) -> list[Any]:
    """What there is after a stop; the steps so far stay."""
    if session is None or session.track is None:
        return ["", OFF]
    ours, control = session.track
    words = f"Stopped at: {step_name(len(ours.steps) - 1)}. The steps so far stay."
    if control is not None:
        words = "It had ended before the stop."
    return [f'<p class="ll-quiet" role="status">{words}</p>', OFF]


class TrackView:
    """The curves of the attack, a slider over its steps, and the verdict beside them."""

    def __init__(self, page: Page) -> None:
        self.page, self.drawn = page, gr.State(None)
        with gr.Row(elem_classes="ll-track"):
            with gr.Column(min_width=280, scale=3):
                self.curve = PlotlyView(
                    height=300, label="margin, loss and distance at each step", elem_id="attack-curve"
                )
                self.steps = Slide(
                    0, 4, value=4, step=1, label="step on the stage", elem_id="attack-step",
                    info="0: no move, 1: the start in the ball; a click on the curves or a picture jumps there",
                )  # fmt: skip
            with gr.Column(min_width=260, scale=2):
                self.said = gr.HTML(elem_id="attack-verdict")
        self.outputs = [self.drawn, self.curve, self.steps, self.said]

    def wire(self, note: gr.HTML) -> None:
        page = self.page
        wired([page.away.change], self.settled, [page.session, self.drawn], self.outputs)
        curve = ([self.curve], lambda session: [track_figure(session)])
        page.follow([self.curve, self.steps], self.jumped)  # a click on the film goes to a step, too
        on(page, [self.steps.input, self.steps.release], at_step, [self.steps], note, curve)
        on(page, [self.curve.click], clicked, [], note, ([self.curve, self.steps], self.jumped), points)

    def follower(self, stop: gr.Button) -> Follower:
        """What changes while an attack runs."""

        def running(session: Session) -> list[Any]:
            done = session.track is not None and session.track[1] is not None
            rest = self.whole(session) if done else [gr.skip(), track_figure(session), gr.skip(), ""]
            strip = film(self.page.desk, session) if done else gr.skip()
            return [strip, gr.update(interactive=not done), *rest]

        return [self.page.film, stop, *self.outputs], running

    def whole(self, session: Session) -> list[Any]:
        if session.track is None:
            return [None, None, gr.skip(), ""]
        ours = session.track[0]
        slider = gr.update(maximum=len(ours.steps) - 1, value=place_of(session, ours))
        return [session.track, track_figure(session), slider, verdict(session, witness(self.page.desk, session))]

    def settled(self, session: Session | None, before: Any) -> list[Any]:
        """The slider is left alone while its attack is the same: a hand may be on it."""
        if session is None:
            return kept(self.outputs)
        if session.track is None or session.track is not before:
            return self.whole(session)
        return [gr.skip(), track_figure(session), gr.skip(), gr.skip()]

    def jumped(self, session: Session) -> list[Any]:
        place = gr.skip() if session.track is None else place_of(session, session.track[0])
        return [track_figure(session), place]


def clicked(session: Session, chosen: list[tuple[int, int]]) -> Session:
    """To the attack's step that was clicked, on whichever curve; the control may have gone on for longer."""
    if not chosen or session.track is None or chosen[0][1] >= len(session.track[0].steps):
        return session
    return at_step(session, chosen[0][1])


def success_view(page: Page, form: Form) -> None:
    """Success against the radius, over many images."""
    gr.HTML('<h3 class="ll-heading">success against the radius, over many images</h3>', elem_id="success-title")
    with gr.Row(elem_classes="ll-actions ll-success"):
        count = widget(COUNT, "success")
        go = gr.Button("Run", elem_id="success-go", size="sm")
        stop = gr.Button("Stop", interactive=False, elem_id="success-stop", size="sm")
        note = gr.HTML(elem_id="success-note")
    curve = PlotlyView(height=320, label="success against mean distance", elem_id="success-curve", visible=False)
    words = gr.HTML(elem_id="success-words")
    outputs = [curve, words, note, stop]

    def run(session: Session | None, many: Any, *values: Any) -> Iterator[list[Any]]:
        if session is None:
            return
        state = None
        try:
            for state in paced(success(page.desk, session, form.read(values), COUNT.check(many))):
                yield [drawing(success_figure(state)), success_words(state, True), "", gr.update(interactive=True)]
        except UserError as error:
            yield [gr.skip(), gr.skip(), show.note(str(error)), OFF]
        if state is not None:
            yield [gr.skip(), success_words(state, False), "", OFF]

    running = go.click(bare(run), [page.session, count, *form.widgets], outputs, trigger_mode="once", **HOW)
    halted = '<p class="ll-quiet" role="status">Stopped. What is drawn stays.</p>'
    halt = stop.click(None, cancels=[running], api_visibility="private")
    halt.then(lambda: [halted, OFF], None, [note, stop], **HOW)


def drawing(figure: Any) -> Any:
    return gr.update(value=figure, visible=figure is not None)
