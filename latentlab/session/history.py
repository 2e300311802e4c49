"""The last views of one visitor, small enough to keep, and the way back to each."""

from __future__ import annotations

from dataclasses import replace

from torch.nn.functional import interpolate

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.session.restoring import SavedView, restore_view
from latentlab.session.state import HistoryEntry, Session
from latentlab.session.workspace import Workspace

HISTORY_LENGTH = 20
HISTORY_PICTURE_SIDE = 32  # px of a small picture


def remember_view(session: Session) -> Session:
    """Return the session with its view among the last ones; a view that is there already is not written twice."""
    if find_current_entry(session) is not None:
        return session
    number = session.history[-1].number + 1 if session.history else 0
    small = interpolate(session.result.image, (HISTORY_PICTURE_SIDE, HISTORY_PICTURE_SIDE), mode="area")
    view = (session.world, session.model, session.classifier, session.source, session.partner)
    entry = HistoryEntry(number, *view, session.result.tool, session.seed, session.refined, round_levels(small))
    return replace(session, history=(*session.history, entry)[-HISTORY_LENGTH:])


def find_current_entry(session: Session) -> HistoryEntry | None:
    """Return the entry that is on the page now."""
    return next((entry for entry in reversed(session.history) if _matches_entry(entry, session)), None)


def _matches_entry(entry: HistoryEntry, session: Session) -> bool:
    tool = session.result.tool
    names = (entry.world, entry.model, entry.classifier, entry.seed, entry.tool, entry.refined)
    pair = entry.partner is session.partner or not tool.needs_partner
    now = (session.world, session.model, session.classifier, session.seed, tool, session.refined)
    return names == now and entry.source is session.source and pair


def go_back(workspace: Workspace, session: Session, number: int) -> Session:
    """Go back to the view of that number; the later ones stay, so that one can go forward too."""
    entry = next((entry for entry in session.history if entry.number == number), None)
    if entry is None:
        raise UserError(f"This view is gone: the last {HISTORY_LENGTH} are kept. Choose one of those shown.")
    pictures = {"input": entry.source, "partner": entry.partner}
    saved = SavedView(entry.world, entry.model, entry.classifier, entry.tool, entry.seed, entry.refined, pictures)
    return replace(restore_view(workspace, saved, session), filling=session.filling, drawn=session.drawn)
