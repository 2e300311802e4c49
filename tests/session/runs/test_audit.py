"""What a click in an audit takes into the view."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
import torch
from repository import CHECKPOINTS

from latentlab import images
from latentlab.auditing import Audit, audit_moves
from latentlab.auditing.result import AuditResult, read_result
from latentlab.errors import UserError
from latentlab.operators import Noise, Shift
from latentlab.session import Session, Workspace, open_world
from latentlab.session.runs.audit import (
    find_ranked_direction,
    leave_out_broken,
    open_along_direction,
    open_audited_image,
    set_limit,
)
from latentlab.store import Store
from latentlab.training.augmented import Augmentation

MOVES = (
    Augmentation("noise", {"epsilon": 24.0}, "digits-pixels"),
    Augmentation("contrast", {"severity": 5}),
    Augmentation("reconstruct", space="digits-glow"),
)


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace(Store(CHECKPOINTS, "cpu"))


@pytest.fixture(scope="module")
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


@pytest.fixture(scope="module")
def result(workspace: Workspace) -> AuditResult:
    asked = Audit(moves=MOVES, classifier="digits-resnet-biased", judge="digits-resnet", images=40, reach=20)
    return read_result(list(audit_moves(asked, workspace.store)))


def list_kept_rows(result: AuditResult, place: int) -> Sequence[int]:
    rows = result.columns.clean["row"].tolist()
    return [rows[kept] for kept in result.columns.pictures[result.moves[place].title]]


def test_a_broken_image_opens_under_the_move_that_broke_it(workspace: Workspace, session: Session, result: AuditResult):
    row = list_kept_rows(result, 0)[0]
    there = open_audited_image(workspace, session, result, result.moves[0], row)
    assert (there.source.name, there.model, there.result.tool) == (f"test {row}", "digits-pixels", Noise(epsilon=24.0))


def test_a_corrupted_image_opens_as_the_corruption_left_it(workspace: Workspace, session: Session, result: AuditResult):
    move, row = result.moves[1], list_kept_rows(result, 1)[0]
    there = open_audited_image(workspace, session, result, move, row)
    kept = result.columns.pictures[move.title][result.columns.clean["row"].tolist().index(row)]
    assert images.png(there.source.image[0]) == base64.b64decode(kept)
    original = workspace.load_row("digits", row)
    assert there.source.labels == original.labels
    assert not torch.equal(there.source.image, original.image)
    assert there.source.origin == f"digits test {row}, contrast, severity 5"


def test_an_image_opens_one_sigma_along_a_direction(workspace: Workspace, session: Session, result: AuditResult):
    ranking = result.rankings["digits-glow"]
    rank = next(place for place, one in enumerate(ranking) if one.is_named)
    space, ranked = find_ranked_direction(result, f"0-{rank}")
    row = ranked.shown[0].row
    there = open_along_direction(workspace, session, result, space, ranked, row)
    assert (there.model, there.source.name) == ("digits-glow", f"test {row}")
    assert there.result.tool == Shift(direction=ranked.name, amount=1.0)
    part = next(one for one in ranking if not one.is_named)
    with pytest.raises(UserError, match="cannot be opened; click one of those shown"):
        open_along_direction(workspace, session, result, space, part, part.shown[0].row)


@pytest.mark.parametrize("place", ["", "0", "0-99", "1-0", "a-b", "0--1"])
def test_a_stranger_names_no_direction(result: AuditResult, place: str):
    with pytest.raises(UserError, match="no such direction"):
        find_ranked_direction(result, place)


def test_what_an_audit_does_not_have_is_refused(workspace: Workspace, session: Session, result: AuditResult):
    with pytest.raises(UserError, match="was not audited"):
        open_audited_image(workspace, session, result, result.moves[0], 10**6)
    with pytest.raises(UserError, match="No limit of contrast"):
        set_limit(workspace, session, result, result.moves[1])
    with pytest.raises(UserError, match="audit the half train"):
        leave_out_broken(workspace, session, result, result.moves[0])
