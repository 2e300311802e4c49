"""The part of the report that says what the classifier is sensitive to, a space after the other."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator

from latentlab.auditing.direction_ranking import RankedDirection
from latentlab.auditing.direction_table import MOST_DIRECTIONS, draw_class_changes, draw_directions
from latentlab.auditing.image_source import ImageSource
from latentlab.auditing.report_figures import PlotFigure
from latentlab.auditing.result import AuditResult
from latentlab.auditing.verdict import SENSITIVITY_TITLE, write_ranking
from latentlab.images import png

SHOWN_A_DIRECTION = 1
SENSITIVITY_READING = (
    "Each image is moved one σ to either side along a direction, σ being one standard deviation of codes along it; "
    "the change is half the total variation between the classifier's probabilities at the two sides. The axis of a "
    "part is the direction in which these images differ most within it."
)


def write_directions(result: AuditResult, images: ImageSource, figures: dict[str, PlotFigure]) -> str:
    """Write the section; nothing where no direction was measured."""
    if not result.rankings:
        return ""
    spaces = "".join(_write_space(result, space, images, figures) for space in result.rankings)
    return (
        f'<section id="directions"><h2>{SENSITIVITY_TITLE}</h2><p class="quiet">{SENSITIVITY_READING}</p>'
        f"{spaces}</section>"
    )


def _write_space(result: AuditResult, space: str, images: ImageSource, figures: dict[str, PlotFigure]) -> str:
    place = f"directions-{space}"
    figures[place] = draw_class_changes(result, space)
    sentences = "".join(f"<li>{html.escape(line)}</li>" for line in write_ranking(result, space))
    chosen = result.rankings[space][:MOST_DIRECTIONS]
    pictures = "".join(_draw_direction(one, images) for one in chosen)
    return (
        f'<h3>In {html.escape(space)}</h3><ul class="verdict">{sentences}</ul>{draw_directions(result, space)}'
        "<h3>Change of the decision a σ, by the images' class</h3>"
        f'<div class="wide"><div class="plot" id="{html.escape(place)}"></div></div>'
        "<h3>The images whose decision changes most: −1 σ, as it is, +1 σ</h3>"
        f'<div class="gallery">{pictures}</div>'
    )


def _draw_direction(one: RankedDirection, images: ImageSource) -> str:
    return "".join(_draw_triples(one, images))


def _draw_triples(one: RankedDirection, images: ImageSource) -> Iterator[str]:
    for shown in one.shown[:SHOWN_A_DIRECTION]:
        still = base64.b64encode(png(images.take_images([shown.row])[0])).decode()
        drawn = "".join(
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(words)}">'
            for data, words in (
                (shown.less, f"−1 σ along {one.name}"),
                (still, images.name_image(shown.row)),
                (shown.more, f"+1 σ along {one.name}"),
            )
        )
        yield (
            f'<figure class="three">{drawn}<figcaption><b>{html.escape(one.name)}</b> '
            f"{html.escape(shown.words)}</figcaption></figure>"
        )
