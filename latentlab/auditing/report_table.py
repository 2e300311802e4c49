"""All moves in one table: as they are, at equal label-keeping, and what they cost; it sorts by any column."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.auditing.reach import estimate_kept
from latentlab.auditing.report_figures import choose_move_colour
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.auditing.verdict import write_limit
from latentlab.metrics import Estimate


@dataclass(frozen=True)
class TableCell:
    """What a cell shows, what is small below it, and the number by which it sorts."""

    text: str
    small: str = ""
    value: float | None = None


NO_CELL = TableCell("–")
CellWriter = Callable[[AuditResult, MoveResult], TableCell]


def draw_comparison(result: AuditResult) -> str:
    """Draw the table; a column that no move has is left out."""
    columns = {title: [write(result, move) for move in result.moves] for title, write in list_columns(result).items()}
    shown = {title: cells for title, cells in columns.items() if any(cell != NO_CELL for cell in cells)}
    heads = "".join(f'<th scope="col" tabindex="0">{html.escape(title)}</th>' for title in ("move", *shown))
    rows = "".join(
        _draw_row(place, move, [cells[place] for cells in shown.values()]) for place, move in enumerate(result.moves)
    )
    return (
        f'<div class="table"><table class="sortable"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def read_sort_script() -> str:
    """Return the script that makes such tables sort: `sortTables(element)`."""
    return (Path(__file__).parent / "sort_table.js").read_text("utf-8")


def list_columns(result: AuditResult) -> dict[str, CellWriter]:
    """Return what each column says of a move."""
    return {
        "labels kept": _make_share("kept"),
        "by the classifier": _make_share("classifier kept"),
        "lost by the model": _make_share("lost by the model"),
        "lost by the move": _make_share("lost by the move"),
        "noise keeps": _make_share("kept under noise"),
        "l2 distance": lambda result, move: _write_mean(move.summary.figures["distance"], 2),
        f"limit at {100 * result.config.keep:g} %": _write_limit_cell,
        "l2 at the limit": _write_limit_distance,
        "plain steps a batch": lambda result, move: TableCell(f"{move.steps:.2g}", value=move.steps),
        "hours of the run": _write_hours,
        "outside usual bits/dim": _make_share("outside usual bits/dim"),
        "far from real images": _make_share("far from real images"),
        "judge sees both classes": _make_share("sees both classes"),
        "confidence gained": lambda result, move: _write_mean(move.summary.figures["confidence gained"], 3, "+"),
        "calibration error": lambda result, move: _write_mean(move.summary.figures["calibration error"], 3),
    }


def _draw_row(place: int, move: MoveResult, cells: Sequence[TableCell]) -> str:
    head = (
        f'<th scope="row" data-value="{html.escape(move.title)}"><i class="key" style="background:'
        f'{choose_move_colour(place)}"></i>{html.escape(move.title)}<small>{html.escape(move.space)}</small></th>'
    )
    return f"<tr>{head}{draw_cells(cells)}</tr>"


def draw_cells(cells: Sequence[TableCell]) -> str:
    return "".join(
        f'<td data-value="{"" if cell.value is None else f"{cell.value:.6g}"}">{html.escape(cell.text)}'
        f"{f'<small>{html.escape(cell.small)}</small>' if cell.small else ''}</td>"
        for cell in cells
    )


def _make_share(name: str) -> CellWriter:
    def write_cell(result: AuditResult, move: MoveResult) -> TableCell:
        found = move.summary.figures.get(name)
        if found is None:
            return NO_CELL
        return TableCell(f"{100 * found.value:.1f} %", f"{100 * found.low:.1f} to {100 * found.high:.1f}", found.value)

    return write_cell


def _write_mean(found: Estimate, digits: int, sign: str = "") -> TableCell:
    ends = f"{found.low:{sign}.{digits}f} to {found.high:{sign}.{digits}f}"
    return TableCell(f"{found.value:{sign}.{digits}f}", ends, found.value)


def _write_limit_cell(result: AuditResult, move: MoveResult) -> TableCell:
    if move.limit is None or move.axis is None:
        return NO_CELL
    return TableCell(*write_limit(move.axis, move.limit), move.limit.value)


def _write_limit_distance(result: AuditResult, move: MoveResult) -> TableCell:
    """Write how far images are moved where the label-keeping of all moves is equal."""
    trial = next((t for t in move.trials if move.limit is not None and t["value"] == move.limit.value), None)
    if trial is None:
        return NO_CELL
    kept = estimate_kept(trial)
    return TableCell(f"{trial['distance']:.2f}", f"keeps {100 * kept.value:.1f} %", trial["distance"])


def _write_hours(result: AuditResult, move: MoveResult) -> TableCell:
    if move.hours is None:
        return NO_CELL
    return TableCell(f"{move.hours:.1f}", f"{move.extra_hours:.1f} the move", move.hours)
