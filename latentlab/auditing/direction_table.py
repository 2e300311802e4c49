"""The directions of a space as a table and as a figure, for the report and the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

from latentlab.auditing.direction_ranking import RankedDirection, find_most_changed_class
from latentlab.auditing.report_figures import PlotFigure, choose_move_colour, draw_share_map
from latentlab.auditing.report_table import NO_CELL, TableCell, draw_cells
from latentlab.auditing.result import AuditResult
from latentlab.metrics import Estimate

MOST_DIRECTIONS = 12  # in the figure, and with pictures
HEADS = ("direction", "change a σ", "class crossed", "gains most", "loses most", "most in images of")


def draw_directions(result: AuditResult, space: str) -> str:
    """Draw the table; it sorts by any column."""
    heads = "".join(f'<th scope="col" tabindex="0">{head}</th>' for head in HEADS)
    rows = "".join(
        f'<tr><th scope="row" data-value="{html.escape(one.name)}">{html.escape(one.name)}'
        f"<small>{one.kind}</small></th>{draw_cells(_write_cells(result.classes, one))}</tr>"
        for one in result.rankings[space]
    )
    table = f'<table class="sortable"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="table tall">{table}</div>'


def _write_cells(classes: Sequence[str], one: RankedDirection) -> list[TableCell]:
    most = find_most_changed_class(one)
    return [
        _write_share_cell(one.change, digits=2),
        _write_share_cell(one.crossed),
        *(TableCell(name, f"in {100 * found.value:.0f} %", found.value) for name, found in (one.toward, one.away)),
        NO_CELL
        if most is None
        else TableCell(classes[most[0]], f"{100 * most[1].low:.1f} to {100 * most[1].high:.1f} %", most[1].value),
    ]


def _write_share_cell(found: Estimate, digits: int = 1) -> TableCell:
    ends = f"{100 * found.low:.{digits}f} to {100 * found.high:.{digits}f}"
    return TableCell(f"{100 * found.value:.{digits}f} %", ends, found.value)


def draw_class_changes(result: AuditResult, space: str) -> PlotFigure:
    """Draw the change of the decision of each class along the first directions, in percent of probability."""
    chosen = result.rankings[space][:MOST_DIRECTIONS]
    values = [[None if found is None else round(100 * found.value, 2) for found in one.by_class] for one in chosen]
    names = [one.name for one in chosen]
    told = "%{y}, images of %{x}: %{z:.2f} % a σ<extra></extra>"
    return draw_share_map(result.classes, names, values, told, choose_move_colour(0))
