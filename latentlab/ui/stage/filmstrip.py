"""The strip below the pictures: where the move leads when it goes on, or how an attack went step by step."""

from __future__ import annotations

import math

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Attack, LatentOperator, MovePath
from latentlab.session import AttackTrace, Result, SecondReading, Session, Workspace, read_result_beside
from latentlab.ui.html import draw_image, escape_text, join_html, spell_name, write_percent
from latentlab.ui.stage.view import describe_result, draw_view_mark, shorten_model_name

MAX_STEPS_SHOWN = 9  # steps shown of a long attack


def draw_filmstrip(workspace: Workspace, session: Session) -> str:
    """Draw the strip of the session's move: the steps of an attack, the path, or what else could be moved."""
    mark = draw_view_mark(session)
    if isinstance(session.result.tool, Attack):
        return mark + draw_attack_strips(workspace, session)
    path = session.result.tool.make_path()
    if path is None:
        return mark + draw_variant_strip(workspace, session)
    return mark + draw_path_strip(workspace, session, path)


def draw_path_strip(workspace: Workspace, session: Session, path: MovePath) -> str:
    """Draw the marks of the path; a click goes there."""
    results = verbs.apply_moves(workspace, session, [path.move_at(mark) for mark in path.marks])
    tiles = (
        draw_strip_tile(
            session,
            done,
            path.write_place(mark),
            math.isclose(mark, path.here),
            key=f"{mark!r}",
            beside=read_result_beside(workspace, session, done),
        )
        for mark, done in zip(path.marks, results, strict=True)
    )
    return draw_strip_heading(path.title) + draw_strip_row(tiles)


def draw_variant_strip(workspace: Workspace, session: Session) -> str:
    """Draw other settings of the move, as far as the space can make them."""
    here = session.result.tool
    variants = here.list_variants()
    possible = {note: tool for note, tool in variants.moves.items() if can_move(workspace, session, tool)}
    if not possible:
        return ""
    results = verbs.apply_moves(workspace, session, list(possible.values()))
    return draw_strip_heading(variants.title) + draw_strip_row(
        draw_strip_tile(session, done, note, done.tool == here, beside=read_result_beside(workspace, session, done))
        for note, done in zip(possible, results, strict=True)
    )


def can_move(workspace: Workspace, session: Session, tool: LatentOperator) -> bool:
    """Say whether the space can make the move; a space of one part cannot swap some of them."""
    try:
        verbs.move_latents(workspace, session, tool)
    except UserError:
        return False
    return True


def draw_strip_heading(title: str) -> str:
    return f'<h3 class="ll-heading">{escape_text(title)}</h3>'


def draw_strip_row(tiles) -> str:
    return f'<div class="ll-film">{join_html(tiles)}</div>'


def draw_strip_tile(
    session: Session,
    done: Result,
    note: str,
    here: bool = False,
    more: str = "",
    key: str = "",
    beside: SecondReading | None = None,
) -> str:
    """Draw one result of a strip: its picture, a note, what the classifiers see; with a key, a click goes there."""
    mark, picture = " ll-here" if here else "", draw_image(done.image[0], note)
    if key:
        picture = f'<button class="ll-jump" data-key="{key}" title="Go there.">{picture}</button>'
    seen = f"<span>{escape_text(describe_result(session, done))}</span>"
    if beside is not None:
        apart = ' class="ll-off"' if beside.disagrees else ""
        seen += f"<span{apart}>{write_percent(beside.share)} {escape_text(spell_name(beside.label))}</span>"
    rest = f"<span>{escape_text(more)}</span>" if more else ""
    caption = f"<figcaption><b>{escape_text(note)}</b>{seen}{rest}</figcaption>"
    return f'<figure class="ll-tile{mark}">{picture}{caption}</figure>'


def draw_attack_strips(workspace: Workspace, session: Session) -> str:
    """Draw the attack's steps, a click goes there, and below them its control in pixels; the tab has their curves."""
    if session.trace is None:
        return ""
    ours, control = session.trace
    title = f"attack in {shorten_model_name(workspace, session.model, session.world)}, step by step"
    strips = draw_strip_heading(title) + draw_track_strip(workspace, session, ours, leads=True)
    if control is not None:
        strips += draw_strip_heading(
            f"pixel PGD to the same distance, l2 {control.distances[-1]:.2f}"
        ) + draw_track_strip(workspace, session, control)
    return f'<div class="ll-chase">{strips}</div>'


def draw_track_strip(workspace: Workspace, session: Session, trace: AttackTrace, leads: bool = False) -> str:
    """Draw all steps of a short attack, an even choice of a long one."""
    last = len(trace.steps) - 1
    chosen = (
        sorted({round(place * last / (MAX_STEPS_SHOWN - 1)) for place in range(MAX_STEPS_SHOWN)})
        if last >= MAX_STEPS_SHOWN
        else range(last + 1)
    )
    return draw_strip_row(draw_track_step(workspace, session, trace, k, str(k) if leads else "") for k in chosen)


def draw_track_step(workspace: Workspace, session: Session, trace: AttackTrace, k: int, key: str) -> str:
    here, done = trace.steps[k] is session.result, trace.steps[k]
    beside = read_result_beside(workspace, session, done)
    return draw_strip_tile(session, done, name_attack_step(k), here, f"l2 {trace.distances[k]:.2f}", key, beside)


def name_attack_step(k: int) -> str:
    """Name step k of an attack: 0 is no move, 1 the start, from which the steps are counted."""
    return "no move" if k == 0 else "start" if k == 1 else f"step {k - 1}"
