"""The workbench's contents as HTML: the pictures in hand, the reference, the selection, the last views, the models."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn.functional import interpolate

from latentlab import session as verbs
from latentlab.images import ImageTensor
from latentlab.session import Session, Workspace
from latentlab.ui.html import draw_image, escape_text, join_html
from latentlab.ui.stage.view import (
    DIFFERENCE_GAIN,
    amplify_difference,
    describe_model,
    format_bits,
    shorten_model_name,
)

MAX_SELECTION_SHOWN = 48  # pictures of a selection
MAX_THUMBNAIL_SIDE = 32  # px
PIN_HINT = "Pin a picture to compare others with it."
PIN_BUTTONS = (
    ("pin-input", "Pin input", "Keep the input in sight as the reference."),
    ("pin-result", "Pin result", "Keep this result in sight as the reference."),
)


def draw_slots(session: Session) -> str:
    """Draw the picture, its partner and the reference; the one that is pressed is filled by the next choice."""
    two = join_html(
        f'<button class="ll-slot" data-key="{key}" aria-pressed="{str(session.filling == key).lower()}" '
        f'title="The next picture you choose goes here. {escape_text(found.origin)}">{draw_image(found.image[0], key)}'
        f"<span><b>{key}</b>{escape_text(found.origin)}</span></button>"
        for key, found in (("input", session.source), ("partner", session.partner))
    )
    actions = PIN_BUTTONS if session.pinned is None else (*PIN_BUTTONS, ("unpin", "Unpin", "Put the reference away."))
    buttons = join_html(
        f'<button class="ll-small" data-key="{key}" title="{meaning}">{label}</button>'
        for key, label, meaning in actions
    )
    return f'{two}{draw_reference(session)}<div class="ll-pins">{buttons}</div>'


def draw_reference(session: Session) -> str:
    """Draw what is pinned; a click takes it up again."""
    if session.pinned is None:
        return f'<div class="ll-slot ll-none" title="{PIN_HINT}"><i></i><span><b>pinned</b>nothing</span></div>'
    found = session.pinned.picture
    return (
        f'<button class="ll-slot" data-key="pinned" title="Take it as the picture. {escape_text(found.origin)}">'
        f"{draw_image(found.image[0], 'pinned')}<span><b>pinned</b>{escape_text(found.origin)}</span></button>"
    )


def draw_selection(workspace: Workspace, session: Session) -> str:
    """Draw the pictures chosen together; a click takes one, and the list can be put away."""
    held = session.selection
    if not held.rows:
        return ""
    rows = held.rows[:MAX_SELECTION_SHOWN]
    more = f", the first {MAX_SELECTION_SHOWN} shown" if len(held.rows) > MAX_SELECTION_SHOWN else ""
    kind = "samples" if held.source == "drawn" else f"{held.source} images"
    title = f"{len(held.rows)} {kind if len(held.rows) > 1 else kind[:-1]}{more}"
    pictures = workspace.load_rows(session.world, held.source, rows)[0]
    chosen = session.source.name
    buttons = join_html(
        f'<button class="ll-thumb" data-key="{row}" aria-pressed="{str(chosen == f"{held.source} {row}").lower()}" '
        f'title="{held.source} {row}">{draw_image(shrink_picture(picture), f"{held.source} {row}")}</button>'
        for row, picture in zip(rows, pictures, strict=True)
    )
    return (
        f'<div class="ll-headed"><h2>Selection</h2><span>{title}</span>'
        f'<button class="ll-small" data-key="clear" title="Put the selection away.">Clear</button></div>'
        f'<div class="ll-many">{buttons}</div>'
    )


def shrink_picture(picture: ImageTensor) -> ImageTensor:
    """Return the picture no larger than a thumbnail."""
    if max(picture.shape[1:]) <= MAX_THUMBNAIL_SIDE:
        return picture
    return torch.as_tensor(interpolate(picture[None], (MAX_THUMBNAIL_SIDE, MAX_THUMBNAIL_SIDE), mode="area")[0])


def draw_models(workspace: Workspace, session: Session) -> str:
    """Draw the picture rebuilt by every model of the world, with the error of each; a click chooses the space."""
    return f'<div class="ll-models">{join_html(draw_model(workspace, session, name) for name in session.rebuilt)}</div>'


def draw_model(workspace: Workspace, session: Session, chosen: str) -> str:
    """Draw one model's rebuilding, or why it cannot rebuild the picture."""
    clean, (label, meaning) = session.rebuilt[chosen], describe_model(workspace, chosen)
    if isinstance(clean, str):
        return (
            f'<button class="ll-model" disabled><span><b>{escape_text(chosen)}</b>{escape_text(clean)}</span></button>'
        )
    pictures = draw_image(clean.image[0], f"rebuilt by {label}") + draw_image(
        amplify_difference(clean.image[0], session.source.image[0]), f"error of {label} × {DIFFERENCE_GAIN}"
    )
    bits = session.before.bits if workspace.find_density_model(session.world, session.model) == chosen else None
    surprise = "" if bits is None else f"<br>{format_bits(bits)} bits/dim"
    error = "exact" if math.isinf(clean.psnr) else f"{clean.psnr:.1f} dB"
    kept, survival = describe_survival(workspace.store.card(chosen).scores)
    own = escape_text(shorten_model_name(workspace, chosen, session.world))
    pressed = str(chosen == session.model).lower()
    return (
        f'<button class="ll-model" data-key="{escape_text(chosen)}" aria-pressed="{pressed}" '
        f'title="{escape_text(f"{meaning} {survival}".strip())}">{pictures}'
        f"<span><b>{own}</b>{error}{surprise}{kept and f'<br>{kept}'}</span></button>"
    )


def describe_survival(scores: Mapping[str, float]) -> tuple[str, str]:
    """Say in a word, and in a sentence with its interval, how often a judge still sees the class after rebuilding
    alone; nothing where that was not measured.
    """
    if "kept" not in scores:
        return "", ""
    what = "attributes" if "attributes judged" in scores else "labels"
    sentence = f"Rebuilding alone keeps {scores['kept']:.1%} of {what}"
    if "kept, at least" in scores:
        sentence += f" ({scores['kept, at least']:.1%} to {scores['kept, at most']:.1%})"
    return f"keeps {format_percent(scores['kept'])} of {what}", f"{sentence} as a judge sees them on test images."


def format_percent(share: float) -> str:
    """Write a share in whole percent; only all is 100."""
    return f"{100 * share:.0f} %" if share in (0, 1) else f"{min(max(round(100 * share), 1), 99)} %"


def draw_history(session: Session) -> str:
    """Draw the last views, the newest first; a click goes back to one."""
    now = verbs.find_current_entry(session)
    return join_html(
        f'<button class="ll-thumb" data-key="{entry.number}" aria-pressed="{str(entry is now).lower()}" '
        f'title="{escape_text(describe_entry(entry))}">{draw_image(entry.small[0], describe_entry(entry))}</button>'
        for entry in reversed(session.history)
    )


def describe_entry(entry: verbs.HistoryEntry) -> str:
    """Name the space of a last view, and its move."""
    return f"{entry.model}: {entry.tool.write_caption()}"
