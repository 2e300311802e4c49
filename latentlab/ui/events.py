"""This module stands between an event and a verb: one queue for all computing, one place where errors become a line,
one clock.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from latentlab.errors import UserError
from latentlab.operators import LatentOperator
from latentlab.session import Session, Workspace, time_action
from latentlab.ui.stage.view import draw_note, draw_stage, draw_status
from latentlab.ui.workbench.view import draw_models, draw_selection, draw_slots
from latentlab.untrusted import is_finite_number

TORCH_QUEUE: dict[str, Any] = {"concurrency_id": "torch", "concurrency_limit": 1}
Widget = Component | BlockContext  # a tab bar is no component, but it can be written
PLAIN_WIDGETS = (
    gr.State,
    gr.Slider,
    gr.Number,
    gr.Dropdown,
    gr.Radio,
    gr.Checkbox,
    gr.CheckboxGroup,
)  # arrive as they are
Follower = tuple[Sequence[Widget], Callable[[Session], Sequence[Any]]]


@dataclass
class Page:
    """The parts of the page that every event may change, and the tabs' parts that follow a new situation."""

    workspace: Workspace
    session: gr.State
    stage: gr.HTML
    status: gr.HTML
    models: gr.HTML
    slots: gr.HTML
    filmstrip: gr.HTML
    export_menu: gr.HTML
    history: gr.HTML
    selection: gr.HTML  # the selection
    file: gr.DownloadButton  # the last file that was made on demand
    owner: gr.BrowserState  # the secret name of whose runs these are
    tabs: gr.Tabs
    name_choices: Follower = field(
        default_factory=lambda: ([], follow_nothing)
    )  # world, space and classifier as dropdowns
    followers: list[Follower] = field(default_factory=list)
    steady_parts: list[tuple[Widget, Callable[[Session], Any]]] = field(
        default_factory=list
    )  # follow a change of this alone
    delayed_wiring: list[Callable[[], None]] = field(default_factory=list)

    @property
    def always_outputs(self) -> list[Widget]:
        """Return the parts that every event writes, in the order of `paint_session`."""
        return [self.session, self.stage, self.status, self.selection]

    def paint_session(self, session: Session, before: Session | None = None) -> list[Any]:
        """Return what `always_outputs` show; the selection is drawn again only where it is another one than before."""
        same = before is not None and before.selection == session.selection and before.source is session.source
        held = gr.skip() if same else draw_selection(self.workspace, session)
        return [session, draw_stage(self.workspace, session), draw_status(self.workspace, session), held]

    @property
    def picture_follower(self) -> Follower:
        """Return what follows a new picture."""
        return [self.models, self.slots], lambda s: [draw_models(self.workspace, s), draw_slots(s)]

    def add_follower(self, outputs: Sequence[Widget], values: Callable[[Session], Sequence[Any]]) -> None:
        """Let these components show `values(session)` whenever world, space or classifier change, from now on."""
        self.followers.append((outputs, values))

    @property
    def situation_follower(self) -> Follower:
        """Return everything that follows a new world, space or classifier."""
        return join_followers(self.picture_follower, *self.followers)

    def show_follower(self, more: Follower, before: Session, after: Session) -> list[Any]:
        """Return what `more` shows; a choice that a quick hand may have changed meanwhile stays if it need not
        follow.
        """
        stays = {id(part) for part, key in self.steady_parts if key(before) == key(after)}
        return [gr.skip() if id(part) in stays else value for part, value in zip(more[0], more[1](after), strict=True)]

    def show_names_again(self, outputs: Sequence[Widget], reads: Sequence[Widget], session: Session) -> list[Any]:
        """Leave everything as it is, but let a dropdown of names show the network in use again: a choice that failed
        must not stand over another's numbers.
        """
        parts, values = self.name_choices
        chosen = {id(part) for part in parts} & {id(read) for read in reads}
        if not chosen:
            return keep_outputs(outputs)
        again = {id(part): value for part, value in zip(parts, values(session), strict=True) if id(part) in chosen}
        return [again.get(id(part), gr.skip()) for part in outputs]

    def finish_wiring(self) -> None:
        """Wire the events that had to wait for all followers."""
        for wire in self.delayed_wiring:
            wire()


def join_followers(*followers: Follower) -> Follower:
    """Join followers to one that shows what each of them shows, in their order."""
    outputs = [component for parts, _ in followers for component in parts]
    return outputs, lambda session: [value for _, values in followers for value in values(session)]


def follow_nothing(_: Session) -> Sequence[Any]:
    """Return no values: the follower that has no components."""
    return []


def connect_action(
    page: Page,
    triggers: Sequence[Callable[..., Any]],
    verb: Callable[..., Session],
    reads: Sequence[Widget],
    note: gr.HTML,
    more: Follower | Callable[[], Follower] = ((), follow_nothing),
    event: Callable[[gr.EventData], Any] | None = None,
    clear: Widget | None = None,
    turn: bool = False,
) -> None:
    """Call verb(session, what `event` tells, values of `reads`) -> session at any of the triggers, and paint the page.

    Of many quick events the last always runs. What a person can mend becomes a line at `note`, and all else stays.
    `more` may be a function: it is then asked when the page is complete. `clear` is emptied in any case.
    `turn`: the tab of the tool in use opens, also where another one of no tool was open.
    """
    if callable(more):
        page.delayed_wiring.append(
            lambda: connect_action(page, triggers, verb, reads, note, more(), event, clear, turn)
        )
        return
    empty = [clear] if clear else []
    outputs = [*page.always_outputs, *more[0], *empty, note]
    plain = all(isinstance(read, PLAIN_WIDGETS) for read in reads)

    def run_action(told: gr.EventData, session: Session | None, *values: Any) -> list[Any]:
        if session is None:  # the browser is quicker than the first view
            return keep_outputs(outputs)
        try:
            read = map(round_value, reads, values) if plain else values
            after = time_action(verb, session, *([event(told)] if event else []), *read)
            if after is session:
                return [*keep_outputs(outputs[: -1 - len(empty)]), *(None for _ in empty), ""]
            painted = page.paint_session(after, before=session)
            followed = more[1](after) if turn else page.show_follower(more, session, after)
            return [*painted, *followed, *(None for _ in empty), draw_note(after.notice)]
        except UserError as error:
            kept = page.show_names_again(outputs[: -1 - len(empty)], reads, session)
            return [*kept, *(None for _ in empty), draw_note(str(error))]

    connect_events(triggers, run_action, [page.session, *reads], outputs, preprocess=not plain)


def round_value(read: Widget, value: Any) -> Any:
    """Return what Gradio would make of a plain value, which it looks at in a thread each: half a millisecond for every
    slider of a bank. Whether it is allowed is for the tool to say.
    """
    if value is None or not isinstance(read, gr.Slider | gr.Number):
        return value
    if not is_finite_number(value) and not isinstance(value, bool):
        raise UserError(f"{read.label} is no number; give one.")
    return gr.Number.round_to_precision(value, read.precision)


def make_entry_action(
    holds_move: Callable[[LatentOperator], bool], verb: Callable[..., Session]
) -> Callable[..., Session]:
    """Make the verb for a tab that is opened by hand; a tab that opens because its move is in use changes nothing."""

    def enter_tab(session: Session, *values: Any) -> Session:
        return session if holds_move(session.result.tool) else verb(session, *values)

    return enter_tab


def connect_events(
    triggers: Sequence[Callable[..., Any]],
    run: Callable[..., Any],
    reads: list[Any],
    outputs: list[Any],
    mode: str = "always_last",
    preprocess: bool = True,
) -> list[Any]:
    """Connect Gradio's own events together, so that a bank of sliders is one queue; those of our scripts one by one."""
    how: dict[str, Any] = {
        "trigger_mode": mode,
        "preprocess": preprocess,
        "show_progress": "hidden",
        "api_visibility": "private",
        **TORCH_QUEUE,
    }
    native = [trigger for trigger in triggers if hasattr(trigger, "has_trigger")]
    wires = [gr.on(native, run, reads, outputs, **how)] if native else []
    return [*wires, *(trigger(run, reads, outputs, **how) for trigger in triggers if trigger not in native)]


def connect_stream(
    page: Page,
    triggers: Sequence[Callable[..., Any]],
    verb: Callable[..., Iterator[Session]],
    reads: Sequence[Widget],
    note: gr.HTML,
    more: Follower,
    mode: str = "once",
) -> Any:
    """Connect a verb that shows its steps, as `connect_action` does for others; what it gives back can be cancelled.

    In the mode "once" a trigger does nothing while the verb runs, nor until Gradio is done with one that was cancelled,
    which takes a second; with "multiple" it always does something.
    """
    outputs = [*page.always_outputs, *more[0], note]

    def run_stream(session: Session | None, *values: Any) -> Iterator[list[Any]]:
        start = time.perf_counter()
        if session is None:
            return
        try:
            for state in verb(session, *values):
                state = replace(state, milliseconds=1000 * (time.perf_counter() - start))
                yield [*page.paint_session(state, before=session), *more[1](state), ""]
        except UserError as error:
            yield [*keep_outputs(outputs[:-1]), draw_note(str(error))]

    return connect_events(triggers, unwrap_generator(run_stream), [page.session, *reads], outputs, mode=mode)[0]


def unwrap_generator(generator: Callable[..., Any]) -> Callable[..., Any]:
    """Return the generator without a type checker's wrapper, which would hide from Gradio that it is one."""
    return inspect.unwrap(generator)


def keep_outputs(outputs: Sequence[object]) -> list[Any]:
    """Return one skip for each of the outputs, so that everything stays as it is."""
    return [gr.skip() for _ in outputs]
