"""One picture kept in sight, whatever else changes."""

from __future__ import annotations

from dataclasses import replace

from latentlab.errors import UserError
from latentlab.session.desk import Desk
from latentlab.session.state import Found, Pin, Session
from latentlab.session.verbs import put


def pin(session: Session, what: str, words: str) -> Session:
    """The input or the result becomes the reference; `words` say how it was made."""
    if what not in ("input", "result"):
        raise UserError(f"{what[:20]!r} cannot be pinned; pin the input or the result.")
    if what == "input":
        return replace(session, pinned=Pin(session.source, session.before), notice="")
    made = Found(session.result.image, words, session.source.labels)
    return replace(session, pinned=Pin(made, session.result.reading), notice="")


def unpin(session: Session) -> Session:
    return replace(session, pinned=None, notice="")


def take_pinned(desk: Desk, session: Session) -> Session:
    """The reference as input or partner."""
    if session.pinned is None:
        raise UserError("Nothing is pinned; pin the input or the result first.")
    return put(desk, session, session.pinned.found)
