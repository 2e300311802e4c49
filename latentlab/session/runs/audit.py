"""Audits from the page: what is asked, what was found so far, and what a click takes from it into the view."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from latentlab import images
from latentlab.auditing import Audit
from latentlab.auditing.choices import ChoiceResult
from latentlab.auditing.direction_ranking import RankedDirection
from latentlab.auditing.reach import set_reach
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.errors import UserError
from latentlab.knobs import tool_from_json
from latentlab.operators import METHODS, LatentOperator, Shift
from latentlab.session.actions import apply_move, change_world, choose_networks, place_picture
from latentlab.session.runs.progress import EventRecord
from latentlab.session.runs.training import make_page_augmentation
from latentlab.session.state import Picture, Selection, Session
from latentlab.session.workspace import Workspace
from latentlab.training.augmented import Augmentation
from latentlab.types import Operator

AuditEvents = tuple[EventRecord, ...]


def join_audit_events(told: AuditEvents, events: Iterable[EventRecord]) -> AuditEvents:
    return (*told, *events)


def make_audit_config(
    session: Session, methods: Sequence[str], judge: str, selected: bool, knobs: Mapping[str, Any]
) -> Audit:
    """Return the audit of the move on the page and of methods beside it; every value may be a stranger's."""
    if unknown := [name for name in methods if name not in METHODS]:
        raise UserError(f"There is no method {str(unknown[0])[:40]!r}; choose one of {', '.join(METHODS)}.")
    own = {
        "world": session.world,
        "moves": (make_page_augmentation(session), *(Augmentation(name) for name in methods)),
        "classifier": session.classifier,
        "judge": judge,
    }
    return tool_from_json(Audit, {**knobs, **own, **(_take_selection(session) if selected else {})})


def _take_selection(session: Session) -> dict[str, Any]:
    held = session.selection
    if held.source == "drawn" or not held.rows:
        raise UserError("No images of the data set are selected; lasso some on the map first.")
    return {"half": held.source, "rows": held.rows}


def find_audited_move(result: AuditResult, place: str) -> MoveResult:
    if not place.isdecimal() or int(place) >= len(result.moves):
        raise UserError("There is no such move in this audit; reload the page.")
    return result.moves[int(place)]


def set_limit(workspace: Workspace, session: Session, result: AuditResult, move: MoveResult) -> Session:
    """Set the move on the page to the largest value that keeps enough labels."""
    if move.limit is None or move.axis is None or move.limit.value is None:
        raise UserError(f"No limit of {move.title} is known; let the audit finish, or take a smaller move.")
    limited = set_reach(move.recipe.make_operator(), move.axis.knob, move.limit.value)
    return _show_move(workspace, session, result, move, limited)


def set_choice(
    workspace: Workspace, session: Session, result: AuditResult, move: MoveResult, found: ChoiceResult
) -> Session:
    """Set one knob of the move on the page to the last value that keeps enough labels."""
    if found.limit is None:
        raise UserError(f"No {found.knob} of {move.title} keeps enough labels; take a smaller move.")
    limited = set_reach(move.recipe.make_operator(), found.knob, found.limit)
    return _show_move(workspace, session, result, move, limited)


def find_tried_choice(result: AuditResult, place: str) -> tuple[MoveResult, ChoiceResult]:
    """Return a move and what was tried of one of its knobs, at a place such as `0-1`, as the page numbers them."""
    first, _, second = place.partition("-")
    move = find_audited_move(result, first)
    if not second.isdecimal() or int(second) >= len(move.choices):
        raise UserError("There is no such knob in this audit; reload the page.")
    return move, move.choices[int(second)]


def open_audited_image(
    workspace: Workspace, session: Session, result: AuditResult, move: MoveResult, row: int
) -> Session:
    """Open one of the audited images on the workbench, under the move that broke it.

    What is no move of a space, such as a corruption, cannot be made there: the picture as it left it is opened.
    """
    rows = result.columns.clean["row"].tolist()
    if row not in rows:
        raise UserError("This image was not audited; click one of those shown.")
    operator = move.recipe.make_operator()
    if isinstance(operator, LatentOperator):
        moved = _show_move(workspace, session, result, move, operator)
        return place_picture(workspace, moved, workspace.load_row(moved.world, row, result.config.half))
    there = _enter_world(workspace, session, result)
    kept = result.columns.pictures[move.title].get(rows.index(row))
    if kept is None:
        raise UserError("The picture of this image was not kept; click one of those shown.")
    return place_picture(workspace, there, _read_moved_picture(workspace, result, move, row, kept))


def _read_moved_picture(workspace: Workspace, result: AuditResult, move: MoveResult, row: int, kept: str) -> Picture:
    """Return a picture that was kept, with the true classes of its original."""
    original = workspace.load_row(result.config.world, row, result.config.half)
    shape = workspace.store.find_image_shape(result.config.world)
    image = images.fit_to(images.read(base64.b64decode(kept)), shape)
    return replace(original, image=image[None], origin=f"{original.origin}, {move.title}", name="")


def find_ranked_direction(result: AuditResult, place: str) -> tuple[str, RankedDirection]:
    """Return the space and the direction at a place such as `0-3`, as the page numbers them."""
    space, _, rank = place.partition("-")
    names = list(result.rankings)
    known = space.isdecimal() and rank.isdecimal() and int(space) < len(names)
    if not known or int(rank) >= len(result.rankings[names[int(space)]]):
        raise UserError("There is no such direction in this audit; reload the page.")
    return names[int(space)], result.rankings[names[int(space)]][int(rank)]


def open_along_direction(
    workspace: Workspace, session: Session, result: AuditResult, space: str, ranked: RankedDirection, row: int
) -> Session:
    """Open one of the audited images on the workbench, one σ along a direction."""
    if not ranked.is_named or row not in [shown.row for shown in ranked.shown]:
        raise UserError("This image and direction cannot be opened; click one of those shown.")
    shift = Shift(direction=ranked.name, amount=1.0)
    moved = _enter_space(workspace, session, result, space)
    opened = place_picture(workspace, moved, workspace.load_row(moved.world, row, result.config.half))
    return apply_move(workspace, opened, shift)


def leave_out_broken(workspace: Workspace, session: Session, result: AuditResult, move: MoveResult) -> Session:
    """Select every training image but those whose label the move breaks, for a training without them."""
    if result.config.half != "train":
        raise UserError("These are test images, which no training learns from; audit the half train to leave some out.")
    rows = result.columns.clean["row"]
    broken = {int(rows[place]) for place in move.summary.broken}
    there = _enter_world(workspace, session, result)
    count = len(workspace.load_dataset(there.world).train)
    kept = tuple(row for row in range(count) if row not in broken)
    return replace(there, selection=Selection("train", kept), notice="")


def _show_move(
    workspace: Workspace, session: Session, result: AuditResult, move: MoveResult, operator: Operator
) -> Session:
    if not isinstance(operator, LatentOperator):
        raise UserError(f"{move.title} is no move of a space, so the workbench cannot show it.")
    return apply_move(workspace, _enter_space(workspace, session, result, move.space), operator)


def _enter_space(workspace: Workspace, session: Session, result: AuditResult, space: str) -> Session:
    there = _enter_world(workspace, session, result)
    return there if there.model == space else choose_networks(workspace, there, model=space)


def _enter_world(workspace: Workspace, session: Session, result: AuditResult) -> Session:
    world = result.config.world
    return session if session.world == world else change_world(workspace, session, world)
