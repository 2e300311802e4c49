"""Beside the picture: a better encoding, the reference, the selection; its path, the other spaces, the heat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.operators import Adversary, Noise, Shift
from latentlab.session import (
    PathPredictions,
    Prediction,
    Session,
    Workspace,
    apply_move,
    change_world,
    choose_networks,
    compare_spaces,
    export_png,
    export_python,
    go_back,
    make_link,
    measure_latent_change,
    move_along_path,
    name_png,
    open_link,
    open_world,
    parse_rows,
    pick_picture,
    pin_picture,
    place_picture,
    predict_path,
    refine_encoding,
    remember_view,
    remove_pin,
    restore_png,
    select_rows,
    take_pinned,
    trace_attack,
    use_plain_encoding,
)
from latentlab.session.paths import UsualBits, measure_usual_bits
from latentlab.ui.stage.path_plot import draw_manifold_note


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


@pytest.fixture(scope="module")
def refined(workspace: Workspace) -> Any:
    *_, last = refine_encoding(workspace, open_world(workspace, "digits"))
    return last


def test_a_refined_encoding_is_nearer_and_is_the_one_that_moves(
    workspace: Workspace, session: Session, refined: Any
) -> None:
    assert refined.rebuilt["digits-stylegan2"].psnr > session.rebuilt["digits-stylegan2"].psnr
    still = apply_move(workspace, refined, Noise(epsilon=0.0)).result.image
    assert still.equal(refined.rebuilt["digits-stylegan2"].image)
    assert refined.rebuilt["digits-glow"] is session.rebuilt["digits-glow"]


def test_refining_shows_its_steps_and_changes_nothing_before_its_end(workspace: Workspace, session: Session) -> None:
    steps = refine_encoding(workspace, session)
    first, second = next(steps), next(steps)
    steps.close()
    assert [state.refining.step for state in (first, second)] == [0, 5]
    assert second.refined == frozenset()
    assert second.result is session.result


def test_a_refined_encoding_is_one_visitors_and_one_pictures(workspace: Workspace, refined: Any) -> None:
    other = open_world(workspace, "digits")
    assert other.rebuilt["digits-stylegan2"].psnr < refined.rebuilt["digits-stylegan2"].psnr
    assert place_picture(workspace, refined, workspace.list_examples("digits")[3]).refined == frozenset()
    assert use_plain_encoding(workspace, refined).result.image.equal(other.result.image)


def test_a_refined_view_comes_back_by_png_link_and_lines(
    workspace: Workspace, refined: Any, small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = restore_png(workspace, open_world(workspace), export_png(workspace, refined))
    assert back is not None
    linked = open_link(workspace, dict(parse_qsl(make_link(refined))))
    for view in (back, linked):
        assert view.result.image.equal(refined.result.image)
        assert view.refined == {"digits-stylegan2"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").symlink_to(small_world)
    (tmp_path / name_png(refined)).write_bytes(export_png(workspace, refined))
    exec(export_python(workspace, refined), {})
    with Image.open(name_png(refined)) as a, Image.open("again.png") as b:
        assert np.array_equal(np.array(a), np.array(b))


def test_only_a_style_space_can_be_refined(workspace: Workspace, session: Session) -> None:
    with pytest.raises(UserError, match="cannot be refined"):
        list(refine_encoding(workspace, choose_networks(workspace, session, model="digits-glow")))


def test_a_pinned_picture_stays_while_all_else_changes(workspace: Workspace, session: Session) -> None:
    pinned = pin_picture(session, "result", "pc1 +2.0 σ")
    later = place_picture(
        workspace, choose_networks(workspace, pinned, model="digits-glow"), workspace.list_examples("digits")[4]
    )
    assert later.pinned is pinned.pinned
    assert take_pinned(workspace, later).source.image.equal(session.result.image)
    assert change_world(workspace, later, "digits").pinned is pinned.pinned  # the same world
    assert remove_pin(later).pinned is None
    with pytest.raises(UserError, match="Nothing is pinned"):
        take_pinned(workspace, remove_pin(later))


@pytest.mark.parametrize(
    ("text", "rows"), [("0-3, 7", (0, 1, 2, 3, 7)), ("5", (5,)), ("3,1 , 2", (1, 2, 3)), ("2–4, 3-5", (2, 3, 4, 5))]
)
def test_ranges_are_read_as_people_write_them(text: str, rows: tuple[int, ...]) -> None:
    assert parse_rows(text) == rows


@pytest.mark.parametrize("text", ["", "a", "5-2", "-1", "0-99999", "1.5", "1e3", "9" * 30, "0-4095, 5000"])
def test_what_is_no_range_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]{1,120}$"):
        parse_rows(text)


def test_a_selected_row_becomes_the_picture(workspace: Workspace, session: Session) -> None:
    held = select_rows(workspace, session, "test", (7, 3))
    assert held.selection.rows == (3, 7)
    assert pick_picture(workspace, held, 7).source.name == "test 7"
    drawn = select_rows(workspace, session, "drawn", (5,))
    assert pick_picture(workspace, drawn, 5).source.image.equal(workspace.load_rows("digits", "drawn", (5,))[0])
    with pytest.raises(UserError, match="not in the selection"):
        pick_picture(workspace, held, 4)
    with pytest.raises(UserError, match="numbered 0 to"):
        select_rows(workspace, session, "test", (0, 10**8))
    with pytest.raises(UserError, match="choose test, train or drawn"):
        select_rows(workspace, session, "secret", (0,))


@pytest.mark.parametrize("place", [-3.0, 0.0, 1.5])
def test_a_jump_is_the_same_as_the_slider(workspace: Workspace, session: Session, place: float) -> None:
    there = move_along_path(workspace, session, place)
    assert there.result.tool == Shift(direction="pc1", amount=place)
    assert there.result.image.equal(apply_move(workspace, session, Shift(direction="pc1", amount=place)).result.image)


@pytest.mark.parametrize("place", [9.0, float("nan"), float("inf")])
def test_a_jump_off_the_path_is_one_line(workspace: Workspace, session: Session, place: float) -> None:
    with pytest.raises(UserError, match="path goes from -3 to 3"):
        move_along_path(workspace, session, place)


def test_the_course_reads_what_each_place_shows(workspace: Workspace, session: Session) -> None:
    session = move_along_path(workspace, choose_networks(workspace, session, model="digits-glow"), 0.25)
    path = session.result.tool.make_path()
    assert path is not None
    along = predict_path(workspace, session, path)
    assert 0.25 in along.places
    assert len(along.places) == 14  # seven marks, six middles, where it stands
    for place in (-3.0, 0.25, 2.5):
        there = move_along_path(workspace, session, place).result.prediction
        here = along.predictions[along.places.index(place)]
        assert here.probabilities == pytest.approx(there.probabilities, abs=2e-3)
        assert here.bits == pytest.approx(there.bits, abs=2e-2)


def test_what_is_usual_is_the_central_range_of_the_test_images(workspace: Workspace, session: Session) -> None:
    found = measure_usual_bits(workspace, "digits")
    assert found is not None
    bits = workspace.measure_bits("digits-glow", workspace.load_rows("digits", "test", range(64))[0])
    inside = sum(found.low <= value <= found.high for value in bits)
    assert inside == 56  # of 64: the edges lie between the fourth and the fifth value at either end
    assert "64 test images" in found.words


def test_where_the_path_leaves_what_is_usual_is_said() -> None:
    path = Shift(direction="pc1", amount=0.0).make_path()
    assert path is not None
    bits = (4.2, 3.9, 3.5, 3.0, 3.5, 3.9, 4.2)
    usual = UsualBits(2.9, 4.0, "so many images")
    course = PathPredictions(path.marks, tuple(Prediction((), value) for value in bits), usual)
    assert "Leaves the manifold at -3 σ, +3 σ" in draw_manifold_note(path, course)
    calm = PathPredictions(path.marks, tuple(Prediction((), 3.0) for _ in bits), usual)
    assert "Stays within" in draw_manifold_note(path, calm)
    wild = PathPredictions(path.marks, tuple(Prediction((), 9.0) for _ in bits), usual)
    assert "All of it is outside" in draw_manifold_note(path, wild)


@pytest.mark.parametrize("amount", [1.5, -1.5])
def test_side_by_side_every_space_travels_as_far(workspace: Workspace, session: Session, amount: float) -> None:
    session = apply_move(
        workspace, choose_networks(workspace, session, model="digits-glow"), Shift(direction="pc2", amount=amount)
    )
    own, *others = compare_spaces(workspace, session, same_distance=True)
    assert own.model == "digits-glow"
    there = {one.model: one for one in others}
    assert "no direction" in there["digits-pixels"].why
    reached = [one for one in others if one.result is not None]
    assert reached
    for one in reached:
        assert one.far == pytest.approx(own.far, rel=0.03)  # pictures are rounded to 256 levels
        assert one.result is not None
        assert np.sign(one.result.tool.amount) == np.sign(amount)


def test_side_by_side_with_equal_knobs_is_what_each_space_shows(workspace: Workspace, session: Session) -> None:
    session = apply_move(workspace, session, Noise(epsilon=0.5))
    for one in compare_spaces(workspace, session, same_distance=False):
        assert one.result is not None
        assert one.result.image.equal(choose_networks(workspace, session, model=one.model).result.image)


def test_side_by_side_an_attack_is_made_in_each_space_once_it_has_ended(workspace: Workspace, session: Session) -> None:
    tool = Adversary(epsilon=2.0, steps=2)
    session = choose_networks(workspace, session, model="digits-glow")
    running, *_, ended = trace_attack(workspace, session, tool)
    assert all("under way" in one.why for one in compare_spaces(workspace, running, same_distance=True)[1:])
    own, *others = compare_spaces(workspace, ended, same_distance=True)
    assert own.result is ended.result
    assert others
    for one in others:
        assert one.result is not None
        assert one.result.image.equal(choose_networks(workspace, ended, model=one.model).result.image)


def test_the_heat_is_where_the_move_went(workspace: Workspace, session: Session) -> None:
    session = apply_move(
        workspace, choose_networks(workspace, session, model="digits-glow"), Noise(epsilon=2.0, parts=("fine",))
    )
    parts = measure_latent_change(workspace, session)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert [part.rms > 0 for part in parts] == [False, False, True]
    sizes = [part.numel() for part in workspace.encode_pictures("digits-glow", session.source.image).parts.values()]
    whole = sum(part.rms**2 * size for part, size in zip(parts, sizes, strict=True)) ** 0.5
    assert whole == pytest.approx(2.0, rel=1e-3)  # ε is the length of δ
    still = measure_latent_change(workspace, apply_move(workspace, session, Noise(epsilon=0.0)))
    assert all(torch.count_nonzero(part.grid) == 0 for part in still)


def test_what_lies_beside_the_picture_stays_through_the_past(workspace: Workspace, session: Session) -> None:
    first = remember_view(session)
    later = pin_picture(select_rows(workspace, first, "test", (1, 2)), "input", "")
    back = go_back(workspace, later, 0)
    assert back.selection.rows == (1, 2)
    assert back.pinned is later.pinned
    assert replace(back, pinned=None).result.image.equal(first.result.image)
