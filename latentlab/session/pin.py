"""One picture kept in sight, whatever else changes."""

from __future__ import annotations

from dataclasses import replace

from latentlab.errors import UserError
from latentlab.session.desk import Workspace
from latentlab.session.state import Picture, PinnedPicture, Session
from latentlab.session.verbs import place_picture


def pin_picture(session: Session, what: str, words: str) -> Session:
    """Make the input or the result the reference; `words` say how it was made."""
    if what not in ("input", "result"):
        raise UserError(f"{what[:20]!r} cannot be pinned; pin the input or the result.")
    if what == "input":
        return replace(session, pinned=PinnedPicture(session.source, session.before), notice="")
    made = Picture(session.result.image, words, session.source.labels)
    return replace(session, pinned=PinnedPicture(made, session.result.prediction), notice="")


def remove_pin(session: Session) -> Session:
    return replace(session, pinned=None, notice="")


def take_pinned(workspace: Workspace, session: Session) -> Session:
    """Take the reference as input or partner."""
    if session.pinned is None:
        raise UserError("Nothing is pinned; pin the input or the result first.")
    return place_picture(workspace, session, session.pinned.picture)
