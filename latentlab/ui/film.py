"""The strip below the pictures: where the move leads when it goes on, or how an attack went step by step."""

from __future__ import annotations

import math
from dataclasses import replace

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Adversary, Move, Swap
from latentlab.session import Desk, Path, Result, Session, Track, path_of
from latentlab.ui.course import title, words
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import seen, short

MOST = 9  # steps shown of a long attack
SWAPS = (("coarse",), ("middle",), ("fine",), ("coarse", "middle"), ("middle", "fine"), ("coarse", "middle", "fine"))


def film(desk: Desk, session: Session) -> str:
    if isinstance(session.result.tool, Adversary):
        return chase(desk, session)
    path = path_of(session.result.tool)
    return swaps(desk, session) if path is None else walk(desk, session, path)


def walk(desk: Desk, session: Session, path: Path) -> str:
    """The marks of the path; a click goes there."""
    results = verbs.strip(desk, session, [path.at(mark) for mark in path.marks])
    tiles = (
        tile(session, done, words(path, mark), math.isclose(mark, path.here), key=f"{mark!r}")
        for mark, done in zip(path.marks, results, strict=True)
    )
    return heading(title(session.result.tool, path)) + row(tiles)


def swaps(desk: Desk, session: Session) -> str:
    """Other choices of parts to borrow, as far as the space has them."""
    here = session.result.tool
    assert isinstance(here, Swap)
    frames = [(" + ".join(parts) if len(parts) < 3 else "all", replace(here, parts=parts)) for parts in SWAPS]
    possible = [frame for frame in frames if can(desk, session, frame[1])]
    results = verbs.strip(desk, session, [tool for _, tool in possible])
    return heading("parts borrowed") + row(
        tile(session, done, note, done.tool == here) for (note, _), done in zip(possible, results, strict=True)
    )


def can(desk: Desk, session: Session, tool: Move) -> bool:
    """A space of one part cannot swap some of them."""
    try:
        verbs.moved(desk, session, tool)
    except UserError:
        return False
    return True


def heading(title: str) -> str:
    return f'<h3 class="ll-heading">{text(title)}</h3>'


def row(tiles) -> str:
    return f'<div class="ll-film">{joined(tiles)}</div>'


def tile(session: Session, done: Result, note: str, here: bool = False, more: str = "", key: str = "") -> str:
    mark, picture = " ll-here" if here else "", image(done.image[0], note)
    if key:
        picture = f'<button class="ll-jump" data-key="{key}" title="Go there.">{picture}</button>'
    return (
        f'<figure class="ll-tile{mark}">{picture}<figcaption><b>{text(note)}</b>'
        f"<span>{text(seen(session, done))}</span>{f'<span>{text(more)}</span>' if more else ''}</figcaption></figure>"
    )


def chase(desk: Desk, session: Session) -> str:
    """The attack's steps, a click goes there, and below them its control in pixels; the tab has their curves."""
    if session.track is None:
        return ""
    ours, control = session.track
    title = f"attack in {short(desk, session.model, session.world)}, step by step"
    strips = heading(title) + pursuit(session, ours, leads=True)
    if control is not None:
        strips += heading(f"pixel PGD to the same distance, l2 {control.distances[-1]:.2f}") + pursuit(session, control)
    return f'<div class="ll-chase">{strips}</div>'


def pursuit(session: Session, track: Track, leads: bool = False) -> str:
    """All steps of a short attack, an even choice of a long one."""
    last = len(track.steps) - 1
    chosen = sorted({round(place * last / (MOST - 1)) for place in range(MOST)}) if last >= MOST else range(last + 1)
    return row(step(session, track, k, str(k) if leads else "") for k in chosen)


def step(session: Session, track: Track, k: int, key: str) -> str:
    here = track.steps[k] is session.result
    return tile(session, track.steps[k], step_name(k), here, f"l2 {track.distances[k]:.2f}", key)


def step_name(k: int) -> str:
    return "no move" if k == 0 else "start" if k == 1 else f"step {k - 1}"
