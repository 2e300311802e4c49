"""A comparison as HTML and figures: a row a metric, a column a classifier, the interval of each drawn under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentlab.metrics import METRICS
from latentlab.session import Workspace
from latentlab.session.runs.comparison import ComparisonTable, Flips, TableFigure, find_clear_best
from latentlab.session.runs.progress import EventRecord
from latentlab.ui.html import draw_image, draw_term, escape_text, join_html
from latentlab.ui.stage.view import spell_name as written
from latentlab.ui.tabs.train import curves

MOST_FLIPS = 24  # thumbnails of a kind
INTERVAL_NOTE = "95 % interval over the test images"
PERCENT_UNIT = "%"


DisplayNames = Mapping[str, str]  # what people call a classifier, where it is not its own name


def name_classifier(name: str, names: DisplayNames) -> str:
    return names.get(name) or written(name)


def draw_board_table(board: ComparisonTable, called: DisplayNames) -> str:
    """Draw what is measured so far; the best is marked only where its interval touches no other."""
    names = tuple(board.begin.get("classifiers", ()))
    if not names:
        return '<p class="ll-quiet">Waiting for the first figures.</p>'
    head = join_html(
        f'<th scope="col"><i class="ll-key" style="background:{curves.choose_series_colour(place)}"></i>'
        f"{escape_text(name_classifier(name, called))}</th>"
        for place, name in enumerate(names)
    )
    rows = join_html(_draw_metric_row(board, metric, names) for metric in board.begin["metrics"])
    corner = f'<th scope="col"><span class="ll-quiet">{INTERVAL_NOTE}</span></th>'
    return (
        f'<div class="ll-board"><table><thead><tr>{corner}{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{_list_notes(board, called)}"
    )


def _draw_metric_row(board: ComparisonTable, metric: str, names: Sequence[str]) -> str:
    figures, kind = board.figures.get(metric, {}), METRICS[metric]
    first = find_clear_best(figures, kind.higher_is_better)
    low = min((figure.low for figure in figures.values()), default=0.0)
    high = max((figure.high for figure in figures.values()), default=0.0)
    cells = join_html(
        _draw_cell(
            metric, figures.get(name), name == first, (low, high), _find_difference(board, metric, names[0], name)
        )
        if (reason := board.missing.get((metric, name))) is None
        else f'<td class="ll-quiet" title="{escape_text(reason)}">not measured</td>'
        for name in names
    )
    arrow = "↑" if kind.higher_is_better else "↓"
    label = draw_term(kind.label, " ".join((kind.__doc__ or "").split()))
    return (
        f'<tr><th scope="row">{label} <span class="ll-quiet">{escape_text(kind.unit)} {arrow}</span></th>{cells}</tr>'
    )


def _find_difference(board: ComparisonTable, metric: str, first: str, name: str) -> TableFigure | None:
    return board.differences.get(metric, {}).get((first, name))


def _draw_cell(
    metric: str, figure: TableFigure | None, leads: bool, span: tuple[float, float], gap: TableFigure | None
) -> str:
    if figure is None:
        return '<td class="ll-quiet">–</td>'
    low, high = span
    scale = 100 / ((high - low) or 1)
    start, wide, at = (scale * far for far in (figure.low - low, figure.high - figure.low, figure.value - low))
    bar = (
        f'<i class="ll-range"><u style="left:{start:.1f}%;width:{max(wide, 1):.1f}%"></u>'
        f'<s style="left:{at:.1f}%"></s></i>'
    )
    ends = f"{format_metric(metric, figure.low)} to {format_metric(metric, figure.high)}"
    return (
        f"<td{' class=ll-first' if leads else ''}><b>{format_metric(metric, figure.value)}</b>"
        f"<span>{ends}</span>{bar}{_draw_difference(metric, gap)}</td>"
    )


def _draw_difference(metric: str, gap: TableFigure | None) -> str:
    """Draw the paired difference to the first classifier; it is strong where its interval leaves out zero."""
    if gap is None:
        return ""
    clear = gap.low > 0 or gap.high < 0
    value, low, high = (format_metric(metric, number, True) for number in (gap.value, gap.low, gap.high))
    mark = " ll-clear" if clear else ""
    return f'<em class="ll-gap{mark}" title="difference to the first, paired">{value} ({low} to {high})</em>'


def format_metric(metric: str, value: float, signed: bool = False) -> str:
    """Write a value in the metric's unit, with as many digits as a test of some hundred images can bear."""
    shown, digits = (100 * value, 1) if METRICS[metric].unit == PERCENT_UNIT else (value, 3)
    return f"{shown:+.{digits}f}" if signed else f"{shown:.{digits}f}"


def _list_notes(board: ComparisonTable, called: DisplayNames) -> str:
    lines = [_describe_seeds(told, called) for told in board.seeds]
    return join_html(f'<p class="ll-quiet">{escape_text(line)}</p>' for line in (*lines, *board.notes))


def _describe_seeds(told: EventRecord, called: DisplayNames) -> str:
    metric, names = told["metric"], told["classifiers"]
    listed = ", ".join(name_classifier(name, called) for name in names)
    value, low, high = (format_metric(metric, told[field]) for field in ("value", "low", "high"))
    return f"{METRICS[metric].label} over {len(names)} seeds ({listed}): {value}, {low} to {high}."


def draw_board_reliability(board: ComparisonTable, called: DisplayNames) -> dict[str, Any] | None:
    found = board.figures.get("ece", {})
    rows = {
        name_classifier(name, called): [
            (each["confidence"], each["accuracy"]) for each in found[name].detail["bins"] if each["count"]
        ]
        for name in board.begin.get("classifiers", ())
        if name in found
    }
    return curves.draw_reliability(rows) if rows else None


def draw_board_corruptions(board: ComparisonTable, called: DisplayNames) -> dict[str, Any] | None:
    found = board.figures.get("corruptions", {})
    if not found:
        return None
    names = [name for name in board.begin["classifiers"] if name in found]
    kinds = list(found[names[0]].detail)
    rows = {name_classifier(name, called): [found[name].detail[kind] for kind in kinds] for name in names}
    return curves.draw_accuracy_bars(list(map(written, kinds)), rows)


def draw_flips(workspace: Workspace, board: ComparisonTable, called: DisplayNames) -> str:
    """Draw the images on which two classifiers differ; a click takes one to the workbench."""
    world = str(board.begin.get("world", ""))
    return join_html(_draw_flip_pair(workspace, world, pair, called) for pair in board.flips)


def _draw_flip_pair(workspace: Workspace, world: str, pair: Flips, called: DisplayNames) -> str:
    first, second = escape_text(name_classifier(pair.first, called)), escape_text(name_classifier(pair.second, called))
    return (
        f'<section class="ll-flips"><h3 class="ll-heading">What changed from {first} to {second}</h3>'
        f"{_draw_thumbnails(workspace, world, pair.gained, 'right now, wrong before')}"
        f"{_draw_thumbnails(workspace, world, pair.lost, 'wrong now, right before')}</section>"
    )


def _draw_thumbnails(workspace: Workspace, world: str, rows: Sequence[int], words: str) -> str:
    shown = rows[:MOST_FLIPS]
    if not shown:
        return f'<p class="ll-quiet">0 images {words}</p>'
    pictures, _ = workspace.load_rows(world, "test", shown)
    buttons = join_html(
        f'<button class="ll-thumb" data-key="{row}" title="test image {row}, to the workbench">'
        f"{draw_image(picture, f'test image {row}')}</button>"
        for row, picture in zip(shown, pictures, strict=True)
    )
    more = f", {len(shown)} shown" if len(rows) > len(shown) else ""
    return f'<p class="ll-quiet"><b>{len(rows)}</b> {words}{more}</p><div class="ll-flipped">{buttons}</div>'
