"""A comparison as HTML and figures: a row a metric, a column a classifier, the interval of each drawn under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentlab.metrics import METRICS
from latentlab.session import Desk
from latentlab.session.board import Board, Flips, Measured, best
from latentlab.ui import curves
from latentlab.ui.markup import image, joined, term, text
from latentlab.ui.show import name as written

MOST_FLIPS = 24  # thumbnails of a kind
INTERVAL = "95 % interval over the test images"
SHARE = "%"


Names = Mapping[str, str]  # what people call a classifier, where it is not its own name


def spoken(name: str, names: Names) -> str:
    return names.get(name) or written(name)


def table(board: Board, called: Names) -> str:
    """What is measured so far; the best is marked only where its interval touches no other."""
    names = tuple(board.begin.get("classifiers", ()))
    if not names:
        return '<p class="ll-quiet">Waiting for the first figures.</p>'
    head = joined(
        f'<th scope="col"><i class="ll-key" style="background:{curves.colour(place)}"></i>'
        f"{text(spoken(name, called))}</th>"
        for place, name in enumerate(names)
    )
    rows = joined(_row(board, metric, names) for metric in board.begin["metrics"])
    return (
        f'<div class="ll-board"><table><thead><tr><th scope="col"><span class="ll-quiet">{INTERVAL}</span></th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>{_lines(board, called)}"
    )


def _row(board: Board, metric: str, names: Sequence[str]) -> str:
    figures, kind = board.figures.get(metric, {}), METRICS[metric]
    first = best(figures, kind.higher_is_better)
    low = min((figure.low for figure in figures.values()), default=0.0)
    high = max((figure.high for figure in figures.values()), default=0.0)
    cells = joined(
        _cell(metric, figures.get(name), name == first, (low, high), _gap(board, metric, names[0], name))
        for name in names
    )
    arrow = "↑" if kind.higher_is_better else "↓"
    label = term(kind.label, " ".join((kind.__doc__ or "").split()))
    return f'<tr><th scope="row">{label} <span class="ll-quiet">{text(kind.unit)} {arrow}</span></th>{cells}</tr>'


def _gap(board: Board, metric: str, first: str, name: str) -> Measured | None:
    return board.differences.get(metric, {}).get((first, name))


def _cell(metric: str, figure: Measured | None, leads: bool, span: tuple[float, float], gap: Measured | None) -> str:
    if figure is None:
        return '<td class="ll-quiet">–</td>'
    low, high = span
    scale = 100 / ((high - low) or 1)
    start, wide, at = (scale * far for far in (figure.low - low, figure.high - figure.low, figure.value - low))
    bar = (
        f'<i class="ll-range"><u style="left:{start:.1f}%;width:{max(wide, 1):.1f}%"></u>'
        f'<s style="left:{at:.1f}%"></s></i>'
    )
    ends = f"{said(metric, figure.low)} to {said(metric, figure.high)}"
    return (
        f"<td{' class=ll-first' if leads else ''}><b>{said(metric, figure.value)}</b>"
        f"<span>{ends}</span>{bar}{_against(metric, gap)}</td>"
    )


def _against(metric: str, gap: Measured | None) -> str:
    """The paired difference to the first classifier; strong where its interval leaves out zero."""
    if gap is None:
        return ""
    clear = gap.low > 0 or gap.high < 0
    words = f"{said(metric, gap.value, True)} ({said(metric, gap.low, True)} to {said(metric, gap.high, True)})"
    return f'<em class="ll-gap{" ll-clear" if clear else ""}" title="difference to the first, paired">{words}</em>'


def said(metric: str, value: float, signed: bool = False) -> str:
    """In the metric's unit, with as many digits as a test of some hundred images can bear."""
    shown, digits = (100 * value, 1) if METRICS[metric].unit == SHARE else (value, 3)
    return f"{shown:+.{digits}f}" if signed else f"{shown:.{digits}f}"


def _lines(board: Board, called: Names) -> str:
    lines = [
        f"{METRICS[told['metric']].label} over {len(told['classifiers'])} seeds "
        f"({', '.join(spoken(name, called) for name in told['classifiers'])}): {said(told['metric'], told['value'])}, "
        f"{said(told['metric'], told['low'])} to {said(told['metric'], told['high'])}."
        for told in board.seeds
    ]
    return joined(f'<p class="ll-quiet">{text(line)}</p>' for line in (*lines, *board.notes))


def reliability(board: Board, called: Names) -> dict[str, Any] | None:
    found = board.figures.get("ece", {})
    rows = {
        spoken(name, called): [
            (each["confidence"], each["accuracy"]) for each in found[name].detail["bins"] if each["count"]
        ]
        for name in board.begin.get("classifiers", ())
        if name in found
    }
    return curves.reliability(rows) if rows else None


def corruptions(board: Board, called: Names) -> dict[str, Any] | None:
    found = board.figures.get("corruptions", {})
    if not found:
        return None
    names = [name for name in board.begin["classifiers"] if name in found]
    kinds = list(found[names[0]].detail)
    rows = {spoken(name, called): [found[name].detail[kind] for kind in kinds] for name in names}
    return curves.bars(list(map(written, kinds)), rows)


def flips(desk: Desk, board: Board, called: Names) -> str:
    """The images on which two classifiers differ; a click takes one to the workbench."""
    world = str(board.begin.get("world", ""))
    return joined(_pair(desk, world, pair, called) for pair in board.flips)


def _pair(desk: Desk, world: str, pair: Flips, called: Names) -> str:
    first, second = text(spoken(pair.first, called)), text(spoken(pair.second, called))
    return (
        f'<section class="ll-flips"><h3 class="ll-heading">What changed from {first} to {second}</h3>'
        f"{_thumbs(desk, world, pair.gained, 'right now, wrong before')}"
        f"{_thumbs(desk, world, pair.lost, 'wrong now, right before')}</section>"
    )


def _thumbs(desk: Desk, world: str, rows: Sequence[int], words: str) -> str:
    shown = rows[:MOST_FLIPS]
    if not shown:
        return f'<p class="ll-quiet">0 images {words}</p>'
    pictures, _ = desk.rows(world, "test", shown)
    buttons = joined(
        f'<button class="ll-thumb" data-key="{row}" title="test image {row}, to the workbench">'
        f"{image(picture, f'test image {row}')}</button>"
        for row, picture in zip(shown, pictures, strict=True)
    )
    more = f", {len(shown)} shown" if len(rows) > len(shown) else ""
    return f'<p class="ll-quiet"><b>{len(rows)}</b> {words}{more}</p><div class="ll-flipped">{buttons}</div>'
