"""Between an event and a verb: one queue for all computing, one place where errors become a line, one clock."""

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
from latentlab.session import Desk, Session
from latentlab.ui import bench, show

QUEUE: dict[str, Any] = {"concurrency_id": "torch", "concurrency_limit": 1}
Widget = Component | BlockContext  # a tab bar is no component, but it can be written
PLAIN = (gr.State, gr.Slider, gr.Number, gr.Dropdown, gr.Radio, gr.Checkbox, gr.CheckboxGroup)  # arrive as they are
Follower = tuple[Sequence[Widget], Callable[[Session], Sequence[Any]]]


@dataclass
class Page:
    """The parts of the page that every event may change, and the tabs' parts that follow a new situation."""

    desk: Desk
    session: gr.State
    stage: gr.HTML
    status: gr.HTML
    models: gr.HTML
    slots: gr.HTML
    film: gr.HTML
    away: gr.HTML
    past: gr.HTML
    chosen: gr.HTML  # the selection
    file: gr.DownloadButton  # the last file that was made on demand
    owner: gr.BrowserState  # the secret name of whose runs these are
    tabs: gr.Tabs
    names: Follower = field(default_factory=lambda: ([], nothing))  # world, space and classifier as dropdowns
    followers: list[Follower] = field(default_factory=list)
    steady: list[tuple[Widget, Callable[[Session], Any]]] = field(default_factory=list)  # follow a change of this alone
    later: list[Callable[[], None]] = field(default_factory=list)

    @property
    def always(self) -> list[Widget]:
        return [self.session, self.stage, self.status, self.chosen]

    def paint(self, session: Session, before: Session | None = None) -> list[Any]:
        """The selection is drawn again only where it is another one than before."""
        same = before is not None and before.selection == session.selection and before.source is session.source
        held = gr.skip() if same else bench.selection(self.desk, session)
        return [session, show.stage(self.desk, session), show.status(self.desk, session), held]

    @property
    def picture(self) -> Follower:
        """What follows a new picture."""
        return [self.models, self.slots], lambda s: [bench.models(self.desk, s), bench.slots(s)]

    def follow(self, outputs: Sequence[Widget], values: Callable[[Session], Sequence[Any]]) -> None:
        """From now on these components show `values(session)` whenever world, space or classifier change."""
        self.followers.append((outputs, values))

    @property
    def situation(self) -> Follower:
        """Everything that follows a new world, space or classifier."""
        return joined(self.picture, *self.followers)

    def followed(self, more: Follower, before: Session, after: Session) -> list[Any]:
        """What `more` shows; a choice that a quick hand may have changed meanwhile stays if it need not follow."""
        stays = {id(part) for part, key in self.steady if key(before) == key(after)}
        return [gr.skip() if id(part) in stays else value for part, value in zip(more[0], more[1](after), strict=True)]

    def finish(self) -> None:
        """Wire the events that had to wait for all followers."""
        for wire in self.later:
            wire()


def joined(*followers: Follower) -> Follower:
    outputs = [component for parts, _ in followers for component in parts]
    return outputs, lambda session: [value for _, values in followers for value in values(session)]


def nothing(_: Session) -> Sequence[Any]:
    return []


def timed(verb: Callable[..., Session], *args: Any) -> Session:
    """What the verb makes of its first argument, with the time it took; one that it leaves alone stays the same."""
    start = time.perf_counter()
    session = verb(*args)
    return session if session is args[0] else replace(session, milliseconds=1000 * (time.perf_counter() - start))


def on(
    page: Page,
    triggers: Sequence[Callable[..., Any]],
    verb: Callable[..., Session],
    reads: Sequence[Widget],
    note: gr.HTML,
    more: Follower | Callable[[], Follower] = ((), nothing),
    event: Callable[[gr.EventData], Any] | None = None,
    clear: Widget | None = None,
    turn: bool = False,
) -> None:
    """On any of the triggers: verb(session, what `event` tells, values of `reads`) -> session, and the page is painted.

    Of many quick events the last always runs. What a person can mend becomes a line at `note`, and all else stays.
    `more` may be a function: it is then asked when the page is complete. `clear` is emptied in any case.
    `turn`: the tab of the tool in use opens, also where another one of no tool was open.
    """
    if callable(more):
        page.later.append(lambda: on(page, triggers, verb, reads, note, more(), event, clear, turn))
        return
    empty = [clear] if clear else []
    outputs = [*page.always, *more[0], *empty, note]
    plain = all(isinstance(read, PLAIN) for read in reads)

    def run(told: gr.EventData, session: Session | None, *values: Any) -> list[Any]:
        if session is None:  # the browser is quicker than the first view
            return kept(outputs)
        try:
            read = map(rounded, reads, values) if plain else values
            after = timed(verb, session, *([event(told)] if event else []), *read)
            if after is session:
                return [*kept(outputs[: -1 - len(empty)]), *(None for _ in empty), ""]
            painted = page.paint(after, before=session)
            followed = more[1](after) if turn else page.followed(more, session, after)
            return [*painted, *followed, *(None for _ in empty), show.note(after.notice)]
        except UserError as error:
            return [*kept(outputs[: -1 - len(empty)]), *(None for _ in empty), show.note(str(error))]

    wired(triggers, run, [page.session, *reads], outputs, preprocess=not plain)


def rounded(read: Widget, value: Any) -> Any:
    """What Gradio would make of a plain value, which it looks at in a thread each: half a millisecond for every slider
    of a bank. Whether it is allowed is for the tool to say."""
    if value is None or not isinstance(read, gr.Slider | gr.Number):
        return value
    if not isinstance(value, int | float):
        raise UserError(f"{read.label} is no number; give one.")
    return gr.Number.round_to_precision(value, read.precision)


def entered(tools: tuple[type, ...], verb: Callable[..., Session]) -> Callable[..., Session]:
    """The verb, for a tab that is opened by hand; one that opens because its tool is in use changes nothing."""

    def run(session: Session, *values: Any) -> Session:
        return session if isinstance(session.result.tool, tools) else verb(session, *values)

    return run


def wired(
    triggers: Sequence[Callable[..., Any]],
    run: Callable[..., Any],
    reads: list[Any],
    outputs: list[Any],
    mode: str = "always_last",
    preprocess: bool = True,
) -> list[Any]:
    """Gradio's own events together, so that a bank of sliders is one queue; those of our scripts one by one."""
    how: dict[str, Any] = {
        "trigger_mode": mode,
        "preprocess": preprocess,
        "show_progress": "hidden",
        "api_visibility": "private",
        **QUEUE,
    }
    native = [trigger for trigger in triggers if hasattr(trigger, "has_trigger")]
    wires = [gr.on(native, run, reads, outputs, **how)] if native else []
    return [*wires, *(trigger(run, reads, outputs, **how) for trigger in triggers if trigger not in native)]


def stream(
    page: Page,
    triggers: Sequence[Callable[..., Any]],
    verb: Callable[..., Iterator[Session]],
    reads: Sequence[Widget],
    note: gr.HTML,
    more: Follower,
    mode: str = "once",
) -> Any:
    """Like `on`, for a verb that shows its steps; what it gives back can be cancelled.

    In the mode "once" a trigger does nothing while the verb runs, nor until Gradio is done with one that was cancelled,
    which takes a second; with "multiple" it always does something.
    """
    outputs = [*page.always, *more[0], note]

    def run(session: Session | None, *values: Any) -> Iterator[list[Any]]:
        start = time.perf_counter()
        if session is None:
            return
        try:
            for state in verb(session, *values):
                state = replace(state, milliseconds=1000 * (time.perf_counter() - start))
                yield [*page.paint(state, before=session), *more[1](state), ""]
        except UserError as error:
            yield [*kept(outputs[:-1]), show.note(str(error))]

    return wired(triggers, bare(run), [page.session, *reads], outputs, mode=mode)[0]


def bare(generator: Callable[..., Any]) -> Callable[..., Any]:
    """Without a type checker's wrapper, which would hide from Gradio that this is a generator."""
    return inspect.unwrap(generator)


def kept(outputs: Sequence[object]) -> list[Any]:
    """Everything stays as it is."""
    return [gr.skip() for _ in outputs]
