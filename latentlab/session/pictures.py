"""Pictures in hand: a selection of rows or samples, and the one that stays pinned in sight."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from latentlab.errors import UserError
from latentlab.session.actions import place_picture
from latentlab.session.state import Picture, PictureSource, PinnedPicture, Selection, Session
from latentlab.session.workspace import TEMPERATURE_SETTING, Workspace

SOURCE_BY_NAME: dict[str, PictureSource] = {"test": "test", "train": "train", "drawn": "drawn"}
MAX_SELECTED_ROWS = 4096  # rows in one selection
ROW_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})\s*)?")


def parse_rows(text: str) -> tuple[int, ...]:
    """Return the numbers that a text such as "0-63, 70" names, rising, each once."""
    rows: set[int] = set()
    for piece in text[:2000].split(","):
        span = ROW_RANGE.fullmatch(piece)
        if span is None:
            raise UserError(f"{piece.strip()[:20]!r} is no row; write numbers and ranges, as in 0-63, 70.")
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first or last - first >= MAX_SELECTED_ROWS:
            raise UserError(
                f"{piece.strip()[:20]} is no range of at most {MAX_SELECTED_ROWS} rows; write the smaller number first."
            )
        rows |= set(range(first, last + 1))
    if len(rows) > MAX_SELECTED_ROWS:
        raise UserError(f"These are {len(rows)} rows; at most {MAX_SELECTED_ROWS} are held at once.")
    return tuple(sorted(rows))


def select_rows(workspace: Workspace, session: Session, source: str, rows: Iterable[int]) -> Session:
    """Take these pictures in hand; the first and the last are looked at, so that a wrong number is said at once."""
    chosen = tuple(sorted(set(rows)))
    if source not in SOURCE_BY_NAME:
        raise UserError(f"There are no {source[:20]} images; choose test, train or drawn.")
    held = Selection(SOURCE_BY_NAME[source], chosen)
    if chosen:
        workspace.load_rows(session.world, held.source, (chosen[0], chosen[-1]))
    return replace(session, selection=held, notice="")


def load_selected_picture(workspace: Workspace, session: Session, row: int) -> Picture:
    """Load one picture of the selection or of its second set."""
    held = session.selection
    if row not in held.rows and row not in held.others:
        raise UserError(f"Row {row} is not in the selection; choose one of those shown.")
    if held.source == "drawn":
        return workspace.draw_sample(workspace.choose_drawing_model(session.world), row, TEMPERATURE_SETTING.default)
    return workspace.load_row(session.world, row, held.source)


def pick_picture(workspace: Workspace, session: Session, row: int) -> Session:
    """Pick one of the selection as input or partner."""
    return place_picture(workspace, session, load_selected_picture(workspace, session, row))


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
