"""The parts of the page that any event may change, and those that follow a new situation, with what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from latentlab.session import Session, Workspace
from latentlab.ui.stage.view import draw_stage, draw_status
from latentlab.ui.workbench.view import draw_models, draw_selection, draw_slots

Widget = Component | BlockContext  # a tab bar is no component, but it can be written
Painted = dict[Widget, Any]  # what components show; the others stay as they are
Trigger = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Follower:
    """Components that follow the session, and what they show of it."""

    widgets: Sequence[Widget] = ()
    paint: Callable[[Session], Painted] = lambda _: {}


NO_FOLLOWER = Follower()


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
    name_choices: Follower = NO_FOLLOWER  # world, space and classifier as dropdowns
    followers: list[Follower] = field(default_factory=list)
    steady_parts: list[tuple[Widget, Callable[[Session], Any]]] = field(
        default_factory=list
    )  # follow a change of this alone
    settled_listeners: list[Callable[[Trigger], None]] = field(
        default_factory=list
    )  # wire what is shown once the view has settled and is remembered
    delayed_wiring: list[Callable[[], None]] = field(default_factory=list)

    @property
    def always_outputs(self) -> list[Widget]:
        """Return the parts that every event writes."""
        return [self.session, self.stage, self.status, self.selection]

    def paint_session(self, session: Session, before: Session | None = None) -> Painted:
        """Return what `always_outputs` show; the selection is drawn again only where it is another one than before."""
        painted: Painted = {
            self.session: session,
            self.stage: draw_stage(self.workspace, session),
            self.status: draw_status(self.workspace, session),
        }
        if before is None or before.selection != session.selection or before.source is not session.source:
            painted[self.selection] = draw_selection(self.workspace, session)
        return painted

    @property
    def picture_follower(self) -> Follower:
        """Return what follows a new picture."""
        return Follower(
            [self.models, self.slots],
            lambda session: {self.models: draw_models(self.workspace, session), self.slots: draw_slots(session)},
        )

    def add_follower(self, follower: Follower) -> None:
        """Let these components follow a new world, space or classifier, from now on."""
        self.followers.append(follower)

    @property
    def situation_follower(self) -> Follower:
        """Return everything that follows a new world, space or classifier."""
        return join_followers(self.picture_follower, *self.followers)

    def paint_follower(self, follower: Follower, before: Session, after: Session) -> Painted:
        """Return what the follower shows; a choice that a quick hand may have changed meanwhile stays if it need not
        follow.
        """
        painted = follower.paint(after)
        for part, key in self.steady_parts:
            if key(before) == key(after):
                painted.pop(part, None)
        return painted

    def paint_names_again(self, reads: Sequence[Widget], session: Session) -> Painted:
        """Let a dropdown of names that was read show the network in use again: a choice that failed must not stand
        over another's numbers.
        """
        if not set(self.name_choices.widgets) & set(reads):
            return {}
        return {part: value for part, value in self.name_choices.paint(session).items() if part in reads}

    def finish_wiring(self) -> None:
        """Wire the events that had to wait for all followers."""
        for wire in self.delayed_wiring:
            wire()


def join_followers(*followers: Follower) -> Follower:
    """Join followers to one that shows what each of them shows."""
    widgets = [widget for follower in followers for widget in follower.widgets]
    return Follower(
        widgets, lambda session: {part: value for one in followers for part, value in one.paint(session).items()}
    )


def make_follower(widget: Widget, show: Callable[[Session], Any]) -> Follower:
    """Make the follower of one component."""
    return Follower([widget], lambda session: {widget: show(session)})
