"""This module stands between an event and a verb: one queue for all computing, one place where errors become a line,
one clock.

Values have names on both sides: a function is called with the values of the widgets that it reads, by the names that
they were given (those of a form together, by the names of its knobs), and returns what components show, a dict from
component to value. A component that is not in it stays as it is. The words of Gradio's event options stand here alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from latentlab.disk import explain_disk_errors
from latentlab.errors import UserError
from latentlab.operators import LatentOperator
from latentlab.session import Session, time_action
from latentlab.ui.compute_turns import PROCESSOR_TURNS
from latentlab.ui.gradio_patches.plain_values import PLAIN_WIDGETS, round_value
from latentlab.ui.gradio_patches.wrapped_generators import unwrap_generator
from latentlab.ui.page_parts import NO_FOLLOWER, Follower, Page, Painted, Trigger, Widget
from latentlab.ui.stage.view import draw_note

Reads = Mapping[str, Widget | Mapping[str, Widget]]  # the widgets of a form are read together

QUIET_OPTIONS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
SCRIPT_OPTIONS: dict[str, Any] = {"api_visibility": "private"}
# where an event waits: behind all short computing, behind long computing, for nobody, or not even in the queue
TORCH_LANE: dict[str, Any] = {"concurrency_id": "torch", "concurrency_limit": 1}
STEPS_LANE: dict[str, Any] = {"concurrency_id": "steps", "concurrency_limit": 4}  # long work, which shares its turns
BUSY_LANE: dict[str, Any] = {**TORCH_LANE, "show_progress": "minimal"}  # what takes seconds says so
FREE_LANE: dict[str, Any] = {"concurrency_limit": None}
NO_LANE: dict[str, Any] = {"queue": False}


def connect_action(
    page: Page,
    triggers: Sequence[Trigger],
    verb: Callable[..., Session],
    reads: Reads,
    note: gr.HTML,
    follower: Follower | Callable[[], Follower] = NO_FOLLOWER,
    event: Callable[[gr.EventData], Any] | None = None,
    clear: Widget | None = None,
    turn: bool = False,
) -> None:
    """Call verb(session, what `event` tells, values by their names) -> session at any of the triggers, and paint the
    page.

    Of many quick events the last always runs. What a person can mend becomes a line at `note`, and all else stays.
    `follower` may be a function: it is then asked when the page is complete. `clear` is emptied in any case.
    `turn`: the tab of the tool in use opens, also where another one of no tool was open.
    """
    if callable(follower):
        page.delayed_wiring.append(
            lambda: connect_action(page, triggers, verb, reads, note, follower(), event, clear, turn)
        )
        return
    emptied: Painted = {clear: None} if clear else {}

    def run_action(*heard: Any, session: Session | None, **values: Any) -> Painted:
        if session is None:  # the browser is quicker than the first view
            return {}
        try:
            with explain_disk_errors():
                after = time_action(verb, session, *heard, **values)
        except UserError as error:
            again = page.paint_names_again(list_widgets(reads), session)
            return {**again, **emptied, note: draw_note(str(error))}
        if after is session:
            return {**emptied, note: ""}
        painted = page.paint_session(after, before=session)
        followed = follower.paint(after) if turn else page.paint_follower(follower, session, after)
        return {**painted, **followed, **emptied, note: draw_note(after.notice)}

    outputs = [*page.always_outputs, *follower.widgets, *emptied, note]
    plain = all(isinstance(widget, PLAIN_WIDGETS) for widget in list_widgets(reads))
    connect_events(triggers, run_action, {"session": page.session, **reads}, outputs, note, event=event, plain=plain)


def list_widgets(reads: Reads) -> list[Widget]:
    """List the widgets, those of a form one after the other."""
    return [widget for part in reads.values() for widget in (part.values() if isinstance(part, Mapping) else [part])]


def name_values(reads: Reads, values: Iterable[Any]) -> dict[str, Any]:
    """Give each value the name of its widget; they come in the order of `list_widgets`."""
    following = iter(values)
    return {
        name: {knob: next(following) for knob in part} if isinstance(part, Mapping) else next(following)
        for name, part in reads.items()
    }


def make_entry_action(
    holds_move: Callable[[LatentOperator], bool], verb: Callable[..., Session]
) -> Callable[..., Session]:
    """Make the verb for a tab that is opened by hand; a tab that opens because its move is in use changes nothing."""

    def enter_tab(session: Session, **values: Any) -> Session:
        return session if holds_move(session.result.tool) else verb(session, **values)

    return enter_tab


def connect_events(
    triggers: Sequence[Trigger],
    run: Callable[..., Painted],
    reads: Reads,
    outputs: Sequence[Widget],
    note: gr.HTML | None = None,
    event: Callable[[gr.EventData], Any] | None = None,
    plain: bool = False,
    **options: Any,
) -> list[Any]:
    """Call run(what `event` tells, values by their names) -> what components show at any of the triggers.

    What a person can mend becomes a line at `note`. `plain`: Gradio does not look at the values on their way.
    """
    widgets = list_widgets(reads)

    def answer(values: Sequence[Any], *told: gr.EventData) -> Any:
        try:
            heard = [event(one) for one in told] if event else []
            read = map(round_value, widgets, values) if plain else values
            with explain_disk_errors():
                painted = run(*heard, **name_values(reads, read))
            return painted or (gr.skip() if outputs else None)  # an empty dict would be a value
        except UserError as error:
            if note is None:
                raise
            return {note: draw_note(str(error))}

    def answer_event(told: gr.EventData, *values: Any) -> Any:
        return answer(values, told)

    def answer_plainly(*values: Any) -> Any:
        return answer(values)

    call = answer_event if event else answer_plainly
    return wire_triggers(triggers, call, widgets, outputs, preprocess=not plain, **options)


def connect_steps(
    triggers: Sequence[Trigger],
    run: Callable[..., Iterator[Painted]],
    reads: Reads,
    outputs: Sequence[Widget],
    note: gr.HTML,
    mode: str = "once",
) -> Any:
    """Connect a function that yields what components show, step by step; what it gives back can be cancelled."""

    def answer_stepwise(*values: Any) -> Iterator[Any]:
        silent = True
        try:
            with explain_disk_errors():
                for painted in PROCESSOR_TURNS.share_turns(run(**name_values(reads, values))):
                    silent = False
                    yield painted or gr.skip()
            if silent:  # Gradio empties every output of a generator that yields nothing
                yield gr.skip()
        except UserError as error:
            yield {note: draw_note(str(error))}

    generator = unwrap_generator(answer_stepwise)
    return wire_triggers(triggers, generator, list_widgets(reads), outputs, STEPS_LANE, mode)[0]


def connect_stream(
    page: Page,
    triggers: Sequence[Trigger],
    verb: Callable[..., Iterator[Session]],
    reads: Reads,
    note: gr.HTML,
    follower: Follower = NO_FOLLOWER,
    mode: str = "once",
) -> Any:
    """Connect a verb that shows its steps, as `connect_action` does for others; what it gives back can be cancelled.

    In the mode "once" a trigger does nothing while the verb runs, nor until Gradio is done with one that was cancelled,
    which takes a second; with "multiple" it always does something.
    """

    def run_stream(session: Session | None, **values: Any) -> Iterator[Painted]:
        if session is None:
            return
        start = time.perf_counter()
        for state in verb(session, **values):
            state = replace(state, milliseconds=1000 * (time.perf_counter() - start))
            yield {**page.paint_session(state, before=session), **follower.paint(state), note: ""}

    outputs = [*page.always_outputs, *follower.widgets, note]
    return connect_steps(triggers, run_stream, {"session": page.session, **reads}, outputs, note, mode)


def wire_triggers(
    triggers: Sequence[Trigger],
    answer: Callable[..., Any],
    widgets: Sequence[Widget],
    outputs: Sequence[Widget],
    lane: Mapping[str, Any] = TORCH_LANE,
    mode: str = "always_last",
    **options: Any,
) -> list[Any]:
    """Wire Gradio's own events together, so that a bank of sliders is one queue; those of our scripts one by one."""
    if lane.get("concurrency_id") == "torch":
        answer = PROCESSOR_TURNS.wrap_short(answer)
    how: dict[str, Any] = {"trigger_mode": mode, **QUIET_OPTIONS, **lane, **options}
    native = [trigger for trigger in triggers if getattr(trigger, "has_trigger", False)]
    wires = [gr.on(native, answer, [*widgets], [*outputs], **how)] if native else []
    return [*wires, *(trigger(answer, [*widgets], [*outputs], **how) for trigger in triggers if trigger not in native)]


def connect_script(trigger: Trigger, script: str, reads: Sequence[Widget] = ()) -> None:
    """Let the browser alone answer an event."""
    trigger(None, [*reads], js=script, **SCRIPT_OPTIONS)


def connect_stop(trigger: Trigger, running: Any) -> Any:
    """Let an event cancel one that runs, and return it: something may follow."""
    return trigger(None, cancels=[running], **SCRIPT_OPTIONS)
