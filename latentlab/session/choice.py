"""Many pictures in hand: rows of the data set, or samples by their seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from latentlab.errors import UserError
from latentlab.session.desk import TEMPERATURE, Desk
from latentlab.session.state import Found, Selection, Session, Source
from latentlab.session.verbs import put

SOURCES: dict[str, Source] = {"test": "test", "train": "train", "drawn": "drawn"}
MOST = 4096  # rows in one selection
SPAN = re.compile(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})\s*)?")


def rows_of(text: str) -> tuple[int, ...]:
    """The numbers that a text such as "0-63, 70" names, rising, each once."""
    rows: set[int] = set()
    for piece in text[:2000].split(","):
        span = SPAN.fullmatch(piece)
        if span is None:
            raise UserError(f"{piece.strip()[:20]!r} is no row; write numbers and ranges, as in 0-63, 70.")
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first or last - first >= MOST:
            raise UserError(f"{piece.strip()[:20]} is no range of at most {MOST} rows; write the smaller number first.")
        rows |= set(range(first, last + 1))
    if len(rows) > MOST:
        raise UserError(f"These are {len(rows)} rows; at most {MOST} are held at once.")
    return tuple(sorted(rows))


def select(desk: Desk, session: Session, source: str, rows: Iterable[int]) -> Session:
    """These pictures in hand; the first and the last are looked at, so that a wrong number is said at once."""
    chosen = tuple(sorted(set(rows)))
    if source not in SOURCES:
        raise UserError(f"There are no {source[:20]} images; choose test, train or drawn.")
    held = Selection(SOURCES[source], chosen)
    if chosen:
        desk.rows(session.world, held.source, (chosen[0], chosen[-1]))
    return replace(session, selection=held, notice="")


def picture(desk: Desk, session: Session, row: int) -> Found:
    """One of the selection or of its second set."""
    held = session.selection
    if row not in held.rows and row not in held.others:
        raise UserError(f"Row {row} is not in the selection; choose one of those shown.")
    if held.source == "drawn":
        return desk.draw(desk.drawing_model(session.world), row, TEMPERATURE.default)
    return desk.row(session.world, row, held.source)


def pick(desk: Desk, session: Session, row: int) -> Session:
    """One of the selection as input or partner."""
    return put(desk, session, picture(desk, session, row))
