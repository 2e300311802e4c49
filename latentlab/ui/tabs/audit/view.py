"""An audit as HTML: the moves in one table; for each its verdict, what a click can do, and the pictures that break."""

from __future__ import annotations

from collections.abc import Iterator

from latentlab.auditing.choices import write_choice
from latentlab.auditing.gallery import ShownImage, list_galleries
from latentlab.auditing.report_figures import choose_move_colour
from latentlab.auditing.report_table import draw_comparison
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.auditing.verdict import list_doubts, write_limit, write_verdict
from latentlab.operators import LatentOperator
from latentlab.session import Workspace
from latentlab.ui.html import encode_png_uri, escape_text, join_html

MOST_THUMBNAILS = 12  # pictures of a kind
WAITING_NOTE = '<p class="ll-quiet">Waiting for the first chunk of images.</p>'


def draw_audit_table(result: AuditResult) -> str:
    doubts = join_html(f'<p class="ll-doubt">{escape_text(line)}</p>' for line in list_doubts(result))
    return f'{doubts}<div class="ll-board ll-audited">{draw_comparison(result)}</div>'


def draw_audit_moves(workspace: Workspace, result: AuditResult) -> str:
    """Draw each move; what can be clicked names its deed and the move's place."""
    return join_html(_draw_move(workspace, result, place) for place in range(len(result.moves)))


def _draw_move(workspace: Workspace, result: AuditResult, place: int) -> str:
    move = result.moves[place]
    lines = join_html(f"<li>{escape_text(line)}</li>" for line in write_verdict(result, move))
    galleries = join_html(_draw_galleries(workspace, result, place))
    return (
        f'<section class="ll-verdict"><h3><i class="ll-key" style="background:{choose_move_colour(place)}"></i>'
        f"{escape_text(move.title)}</h3><ul>{lines}</ul>"
        f'<div class="ll-acts">{_draw_buttons(result, move, place)}</div>{galleries}</section>'
    )


def _draw_buttons(result: AuditResult, move: MoveResult, place: int) -> str:
    buttons = []
    if move.limit is not None and move.axis is not None and move.limit.value is not None:
        words = f"Set {write_limit(move.axis, move.limit)[0].replace('≤ ', '').replace('≥ ', '')}"
        buttons.append(f'<button class="ll-button" data-key="limit:{place}">{escape_text(words)}</button>')
    if isinstance(move.recipe.make_operator(), LatentOperator):
        buttons += [
            f'<button class="ll-button" data-key="choice:{place}-{number}">Set {found.knob} '
            f"{escape_text(write_choice(found.limit))}</button>"
            for number, found in enumerate(move.choices)
            if found.limit is not None
        ]
    if move.summary.broken and result.config.half == "train":
        count = len(move.summary.broken)
        words = f"Leave these {count} out" if count > 1 else "Leave this one out"
        help_ = "Select every other training image, for the tab Train."
        buttons.append(f'<button class="ll-button" data-key="leave:{place}" title="{help_}">{words}</button>')
    return join_html(buttons)


def _draw_galleries(workspace: Workspace, result: AuditResult, place: int) -> Iterator[str]:
    for title, shown in list_galleries(result, result.moves[place]):
        thumbs = join_html(_draw_pair(workspace, result, place, one) for one in shown[:MOST_THUMBNAILS])
        words = f"{title}; a click opens one on the workbench"
        yield f'<p class="ll-quiet">{words}</p><div class="ll-broken">{thumbs}</div>'


def _draw_pair(workspace: Workspace, result: AuditResult, place: int, one: ShownImage) -> str:
    half = result.config.half
    original = workspace.load_rows(result.config.world, half, [one.row])[0][0]
    words = escape_text(f"{half} image {one.row}, {one.words}")
    return (
        f'<button class="ll-pair" data-key="open:{place}:{one.row}" title="{words}">'
        f'<img src="{encode_png_uri(original)}" alt="{words}">'
        f'<img src="data:image/png;base64,{escape_text(one.picture)}" alt="the same, moved">'
        f"<span>{escape_text(one.words)}</span></button>"
    )
