"""The workbench's contents as HTML: the pictures in hand, the reference, the selection, the last views, the models."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import interpolate

from latentlab import session as verbs
from latentlab.images import Picture
from latentlab.session import Desk, Session
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import GAIN, KINDS, caption, density, difference, kind_of, short

SHOWN = 48  # pictures of a selection
SMALL = 32  # px
NONE = "Pin a picture to compare others with it."
PINS = (
    ("pin-input", "Pin input", "Keep the input in sight as the reference."),
    ("pin-result", "Pin result", "Keep this result in sight as the reference."),
)


def slots(session: Session) -> str:
    """The picture, its partner and the reference; the one that is pressed is filled by the next choice."""
    two = joined(
        f'<button class="ll-slot" data-key="{key}" aria-pressed="{str(session.filling == key).lower()}" '
        f'title="The next picture you choose goes here. {text(found.origin)}">{image(found.image[0], key)}'
        f"<span><b>{key}</b>{text(found.origin)}</span></button>"
        for key, found in (("input", session.source), ("partner", session.partner))
    )
    actions = PINS if session.pinned is None else (*PINS, ("unpin", "Unpin", "Put the reference away."))
    buttons = joined(
        f'<button class="ll-small" data-key="{key}" title="{meaning}">{label}</button>'
        for key, label, meaning in actions
    )
    return f'{two}{reference(session)}<div class="ll-pins">{buttons}</div>'


def reference(session: Session) -> str:
    """What is pinned; a click takes it up again."""
    if session.pinned is None:
        return f'<div class="ll-slot ll-none" title="{NONE}"><i></i><span><b>pinned</b>nothing</span></div>'
    found = session.pinned.found
    return (
        f'<button class="ll-slot" data-key="pinned" title="Take it as the picture. {text(found.origin)}">'
        f"{image(found.image[0], 'pinned')}<span><b>pinned</b>{text(found.origin)}</span></button>"
    )


def selection(desk: Desk, session: Session) -> str:
    """The pictures chosen together; a click takes one, and the list can be put away."""
    held = session.selection
    if not held.rows:
        return ""
    rows = held.rows[:SHOWN]
    more = f", the first {SHOWN} shown" if len(held.rows) > SHOWN else ""
    kind = "samples" if held.source == "drawn" else f"{held.source} images"
    title = f"{len(held.rows)} {kind if len(held.rows) > 1 else kind[:-1]}{more}"
    pictures = desk.rows(session.world, held.source, rows)[0]
    chosen = session.source.name
    buttons = joined(
        f'<button class="ll-thumb" data-key="{row}" aria-pressed="{str(chosen == f"{held.source} {row}").lower()}" '
        f'title="{held.source} {row}">{image(small(picture), f"{held.source} {row}")}</button>'
        for row, picture in zip(rows, pictures, strict=True)
    )
    return (
        f'<div class="ll-headed"><h2>Selection</h2><span>{title}</span>'
        f'<button class="ll-small" data-key="clear" title="Put the selection away.">Clear</button></div>'
        f'<div class="ll-many">{buttons}</div>'
    )


def small(picture: Picture) -> Picture:
    """No larger than a thumbnail."""
    if max(picture.shape[1:]) <= SMALL:
        return picture
    return torch.as_tensor(interpolate(picture[None], (SMALL, SMALL), mode="area")[0])


def models(desk: Desk, session: Session) -> str:
    """The picture rebuilt by every model of the world, with the error of each; a click chooses the space."""
    return f'<div class="ll-models">{joined(model(desk, session, name) for name in session.rebuilt)}</div>'


def model(desk: Desk, session: Session, chosen: str) -> str:
    clean, (label, meaning) = session.rebuilt[chosen], KINDS[kind_of(desk, chosen)]
    if isinstance(clean, str):
        return f'<button class="ll-model" disabled><span><b>{text(chosen)}</b>{text(clean)}</span></button>'
    pictures = image(clean.image[0], f"rebuilt by {label}") + image(
        difference(clean.image[0], session.source.image[0]), f"error of {label} × {GAIN}"
    )
    bits = session.before.bits if kind_of(desk, chosen) == "glow" else None
    surprise = "" if bits is None else f"<br>{density(bits)} bits/dim"
    error = "exact" if math.isinf(clean.psnr) else f"{clean.psnr:.1f} dB"
    own = text(short(desk, chosen, session.world))
    return (
        f'<button class="ll-model" data-key="{text(chosen)}" aria-pressed="{str(chosen == session.model).lower()}" '
        f'title="{text(meaning)}">{pictures}<span><b>{own}</b>{error}{surprise}</span></button>'
    )


def past(session: Session) -> str:
    """The last views, the newest first; a click goes back to one."""
    now = verbs.current(session)
    return joined(
        f'<button class="ll-thumb" data-key="{moment.number}" aria-pressed="{str(moment is now).lower()}" '
        f'title="{text(told(moment))}">{image(moment.small[0], told(moment))}</button>'
        for moment in reversed(session.past)
    )


def told(moment: verbs.Moment) -> str:
    return f"{moment.model}: {caption(moment.tool)}"
