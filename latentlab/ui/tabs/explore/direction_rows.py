"""A direction as a row of small pictures: the track of its slider."""

from __future__ import annotations

from latentlab.session import DirectionPreview, Session
from latentlab.session.directions import PREVIEW_PLACES
from latentlab.ui.html import draw_image, escape_text, join_html
from latentlab.ui.stage.view import draw_view_mark

ROW_HELP = "Click a picture to go there; drag between them as on the slider below."
SPELLED_DIRECTIONS = {"decision": "decision", "decision-inside": "decision, inside the data"}


def name_direction(direction: str) -> str:
    """Name a direction for people: a number alone would look like a value."""
    plain = direction.replace("-drawn", "")
    if plain in SPELLED_DIRECTIONS:
        return SPELLED_DIRECTIONS[plain]
    if plain.startswith("local-"):
        return plain.replace("-", " ")
    return f"class {direction}" if direction.isdecimal() else direction.replace("_", " ")


def draw_direction_row(session: Session, slider: str, preview: DirectionPreview) -> str:
    """Draw the pictures, what the direction changes most, and where the move stands."""
    name = name_direction(preview.direction)
    pictures = join_html(
        draw_image(picture, f"{name} at {place:+g} σ")
        for place, picture in zip(PREVIEW_PLACES, preview.images, strict=True)
    )
    about = f"<b>{escape_text(name)}</b> ~ {escape_text(preview.about)}" if preview.about else "&nbsp;"
    low, high = PREVIEW_PLACES[0], PREVIEW_PLACES[-1]
    at = ((preview.here - low) / (high - low) * (len(PREVIEW_PLACES) - 1) + 0.5) / len(PREVIEW_PLACES)
    return (
        f'{draw_view_mark(session)}<span class="ll-direction-about" title="{escape_text(preview.about)}">{about}</span>'
        f'<div class="ll-direction-track" data-slider="{slider}" data-low="{low:g}" data-high="{high:g}" role="group" '
        f'aria-label="{escape_text(name)} in pictures" title="{ROW_HELP}" style="--ll-at:{100 * at:.1f}%">'
        f"{pictures}</div>"
    )


EMPTY_ROW = '<span class="ll-direction-about">&nbsp;</span><div class="ll-direction-track"></div>'
