"""The report: one HTML file that opens alone, with Plotly once and every picture inside."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latentlab.auditing.gallery import ShownImage, list_first_flips, list_galleries
from latentlab.auditing.image_source import ImageSource
from latentlab.auditing.report_directions import write_directions
from latentlab.auditing.report_figures import (
    PlotFigure,
    choose_move_colour,
    draw_choices,
    draw_confusion,
    draw_flip_values,
    draw_kept_by_distance,
    draw_reach,
    write_knob,
)
from latentlab.auditing.report_table import draw_comparison, read_sort_script
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.auditing.verdict import list_doubts, write_verdict
from latentlab.images import png

HERE = Path(__file__).parent
READING = (
    "A label counts as kept where the judge, of the images that it knew, still gives the label that training would use "
    "(of a mixed label the class with the larger share). What rebuilding alone loses is lost by the model; what it "
    "keeps and the move loses is lost by the move. Pixel noise is drawn at each image's own distance. The usual range "
    "holds 95 % of the images themselves; the nearest real image is looked for among training images, in the features "
    "of the judge. The limit is bisected with the same chance in each trial; its interval is where the ends of the "
    "share's interval meet what is asked. Seconds are those of this device."
)


def write_report(result: AuditResult, images: ImageSource) -> str:
    """Write the page."""
    figures: dict[str, PlotFigure] = {"together": draw_kept_by_distance(result)}
    sections = "".join(_write_section(result, place, images, figures) for place in range(len(result.moves)))
    sections += write_directions(result, images, figures)
    title = _write_title(result)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_read_part('report.css')}</style></head><body><main>"
        f'<header><h1>{html.escape(title)}</h1><button id="theme" title="light or dark">◐</button></header>'
        f"{_write_preface(result)}{draw_comparison(result)}"
        "<h3>Labels that the judge keeps, at equal image distance</h3>"
        '<div class="wide"><div class="plot" id="together"></div></div>'
        f"{sections}{_write_reading(result)}</main>"
        f'<script type="application/json" id="figures">{_encode_json(figures)}</script>'
        f"<script>{_read_plotly()}</script><script>{read_sort_script()}{_read_part('report.js')}</script></body></html>"
    )


def _write_title(result: AuditResult) -> str:
    first, *others = result.moves
    moves = f"{len(result.moves)} moves" if others else first.title
    return f"Audit of {moves} on {result.image_count:,} images of {result.config.world}"


def _write_preface(result: AuditResult) -> str:
    begin, clean = result.begin, result.clean.figures
    judge, classifier = (100 * clean[f"accuracy of the {who}"].value for who in ("judge", "classifier"))
    lines = [
        f"Classifier under test: {begin['classifier']} ({classifier:.1f} % of the images right). "
        f"Judge: {begin['judge']} ({judge:.1f} %), which had no part in the moves.",
        f"Stratified choice with seed {result.config.seed}; intervals are those of 95 % over the images.",
    ]
    if not result.complete:
        lines.append("This audit has not ended: the figures are those of the images so far.")
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in (*begin["notes"], *list_doubts(result)))
    return "".join(f'<p class="quiet">{html.escape(line)}</p>' for line in lines) + notes


def _write_section(result: AuditResult, place: int, images: ImageSource, figures: dict[str, PlotFigure]) -> str:
    move, colour = result.moves[place], choose_move_colour(place)
    sentences = "".join(f"<li>{html.escape(line)}</li>" for line in write_verdict(result, move))
    low, middle, high = move.summary.quartiles
    return (
        f'<section id="move{place}"><h2><i style="background:{colour}"></i>{html.escape(move.title)}</h2>'
        f'<p class="quiet">in {html.escape(move.space)}; l2 distance of the images: quartiles {low:.2f}, {middle:.2f}, '
        f'{high:.2f}</p><ul class="verdict">{sentences}</ul>'
        f'<div class="figures">{_place_figures(result, move, place, colour, figures)}</div>'
        f"{''.join(_write_galleries(result, move, images))}"
        f"<details><summary>Recipe, for ll.Augment, training and the page</summary>"
        f"<pre>{html.escape(move.recipe.to_json())}</pre></details></section>"
    )


def _place_figures(
    result: AuditResult, move: MoveResult, place: int, colour: str, figures: dict[str, PlotFigure]
) -> str:
    drawn = {}
    if move.axis is not None and move.trials:
        drawn[f"How far: labels kept over {write_knob(move.axis)}"] = draw_reach(result, move, colour)
        if any(value is not None for _, value in list_first_flips(result, move)):
            drawn[f"Where images lose their label, of {move.judged_count}"] = draw_flip_values(move, colour)
    for found in move.choices:
        drawn[f"How far: labels kept at each {found.knob}"] = draw_choices(result, found, colour)
    if move.summary.broken:
        drawn["What the judge sees instead, of each label"] = draw_confusion(result.classes, move, colour)
    parts = []
    for number, (title, figure) in enumerate(drawn.items()):
        figures[f"plot{place}-{number}"] = figure
        parts.append(f'<div><h3>{html.escape(title)}</h3><div class="plot" id="plot{place}-{number}"></div></div>')
    return "".join(parts)


def _write_galleries(result: AuditResult, move: MoveResult, images: ImageSource) -> Iterator[str]:
    for place, (title, shown) in enumerate(list_galleries(result, move)):
        pairs = f'<div class="gallery">{_draw_pairs(shown, images)}</div>'
        words = f"{title}: original and moved"
        yield f"<details><summary>{words}</summary>{pairs}</details>" if place else f"<h3>{words}</h3>{pairs}"
    flips = list_first_flips(result, move)
    if flips and move.axis is not None:
        knob = write_knob(move.axis)
        singles = "".join(
            f'<figure class="one">{_draw_original(images, row)}<figcaption>{knob} {value:.3g}</figcaption></figure>'
            for row, value in flips
        )
        yield f'<h3>The images that lose their label first</h3><div class="gallery">{singles}</div>'


def _draw_pairs(shown: list[ShownImage], images: ImageSource) -> str:
    return "".join(
        f"<figure>{_draw_original(images, one.row)}"
        f'<img src="data:image/png;base64,{one.picture}" alt="the same, moved">'
        f"<figcaption>{html.escape(one.words)}</figcaption></figure>"
        for one in shown
    )


def _draw_original(images: ImageSource, row: int) -> str:
    data = base64.b64encode(png(images.take_images([row])[0])).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(images.name_image(row))}">'


def _write_reading(result: AuditResult) -> str:
    usual = result.clean.usual_bits
    bits = f" The flow's usual bits/dim are {usual[0]:.3f} to {usual[1]:.3f}." if usual else ""
    settings = html.escape(_write_settings(result))
    return (
        f'<h2>How to read this</h2><p class="quiet">{READING}{bits}</p>'
        f"<details><summary>Configuration and digests</summary><pre>{settings}</pre></details>"
    )


def _write_settings(result: AuditResult) -> str:
    told = {name: result.begin[name] for name in ("config", "digests", "fingerprint")}
    return json.dumps({**told, "cost": result.cost}, indent=1, ensure_ascii=False)


def _encode_json(figures: Mapping[str, Any]) -> str:
    return json.dumps(figures, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _read_part(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _read_plotly() -> str:
    """Return Plotly's own script; the package itself is not imported."""
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    script = (Path(found.origin).parent / "package_data" / "plotly.min.js").read_text("utf-8")
    return script.replace("</script", "<\\/script")
