"""What the classifier is sensitive to, as HTML: each space with its sentences, its table and its pictures."""

from __future__ import annotations

from collections.abc import Iterator

from latentlab.auditing.direction_ranking import RankedDirection, ShownDirection
from latentlab.auditing.direction_table import draw_directions
from latentlab.auditing.result import AuditResult
from latentlab.auditing.verdict import SENSITIVITY_TITLE, write_ranking
from latentlab.session import Workspace
from latentlab.ui.html import encode_png_uri, escape_text, join_html

MOST_PICTURED = 8  # directions with a picture


def draw_audit_directions(workspace: Workspace, result: AuditResult) -> str:
    """Draw each space; a picture along a named direction names the direction's place and its row."""
    return join_html(_draw_space(workspace, result, place) for place in range(len(result.rankings)))


def _draw_space(workspace: Workspace, result: AuditResult, place: int) -> str:
    space = list(result.rankings)[place]
    lines = join_html(f"<li>{escape_text(line)}</li>" for line in write_ranking(result, space))
    pictures = join_html(_draw_pictures(workspace, result, place))
    return (
        f'<section class="ll-verdict"><h3>{SENSITIVITY_TITLE} In {escape_text(space)}</h3><ul>{lines}</ul>'
        f'<div class="ll-board ll-audited">{draw_directions(result, space)}</div>'
        '<p class="ll-quiet">The image whose decision changes most: −1 σ, as it is, +1 σ; a click opens it on the '
        f'workbench</p><div class="ll-broken">{pictures}</div></section>'
    )


def _draw_pictures(workspace: Workspace, result: AuditResult, place: int) -> Iterator[str]:
    ranking = list(result.rankings.values())[place]
    for rank, one in enumerate(ranking[:MOST_PICTURED]):
        for shown in one.shown[:1]:
            yield _draw_triple(workspace, result, f"{place}-{rank}", one, shown)


def _draw_triple(
    workspace: Workspace, result: AuditResult, place: str, one: RankedDirection, shown: ShownDirection
) -> str:
    half = result.config.half
    original = workspace.load_rows(result.config.world, half, [shown.row])[0][0]
    words = escape_text(f"{one.name}: {shown.words}")
    opens = f'data-key="along:{place}:{shown.row}"' if one.is_named else "disabled"
    return (
        f'<button class="ll-pair ll-triple" {opens} title="{half} image {shown.row}, {words}">'
        f'<img src="data:image/png;base64,{escape_text(shown.less)}" alt="−1 σ">'
        f'<img src="{encode_png_uri(original)}" alt="{half} image {shown.row}">'
        f'<img src="data:image/png;base64,{escape_text(shown.more)}" alt="+1 σ"><span>{words}</span></button>'
    )
