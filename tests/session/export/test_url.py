"""A view as an address, as lines of Python, and among the last ones."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.operators import OPERATORS, Noise
from latentlab.session import (
    HISTORY_LENGTH,
    Picture,
    Session,
    Workspace,
    apply_move,
    change_seed,
    change_world,
    choose_networks,
    export_png,
    export_python,
    find_current_entry,
    go_back,
    make_link,
    name_png,
    open_link,
    open_world,
    pictures_in,
    place_picture,
    receive_photo,
    remember_view,
    report_left_out,
    restore_png,
    trace_attack,
)
from latentlab.store import Store


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


def apply_operator(workspace: Workspace, session: Session, operator: str) -> Any:
    """The session after this operator, in Glow, with a seed of its own."""
    knobs = {"mix": {"partner": "next", "lam": 0.3}, "swap": {"partner": "next", "parts": ("coarse",)}}
    session = replace(choose_networks(workspace, session, model="digits-glow"), seed=5)
    return apply_move(workspace, session, OPERATORS[operator](**knobs.get(operator, {})))


def query(session: Session) -> dict[str, str]:
    return dict(parse_qsl(make_link(session), keep_blank_values=True))


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
@pytest.mark.parametrize("picture", ["example 4", "test 7", "drawn digits-glow 31 0.65"])
def test_a_link_opens_the_view_that_it_was_made_from(
    workspace: Workspace, session: Session, operator: str, picture: str
) -> None:
    session = apply_operator(
        workspace, place_picture(workspace, session, workspace.find_picture("digits", picture)), operator
    )
    back = open_link(workspace, query(session))
    assert back.result.image.equal(session.result.image)
    assert (back.result.tool, back.seed, back.source.name) == (session.result.tool, 5, picture)
    assert back.notice == ""
    assert make_link(back) == make_link(session)
    assert len(make_link(session)) < 400


def noise(seed: int) -> bytes:
    """The picture that compresses least."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def with_uploads(workspace: Workspace, session: Session) -> Any:
    session = receive_photo(workspace, replace(session, filling="partner"), noise(1))
    return apply_operator(workspace, receive_photo(workspace, replace(session, filling="input"), noise(2)), "mix")


def test_uploaded_pictures_are_in_the_link_exactly(workspace: Workspace, session: Session) -> None:
    session = with_uploads(workspace, session)
    back = open_link(workspace, query(session))
    assert back.source.image.equal(session.source.image)
    assert back.partner.image.equal(session.partner.image)
    assert back.result.image.equal(session.result.image)
    assert back.notice == report_left_out(session) == ""
    assert make_link(back) == make_link(session)
    assert len(make_link(session)) <= 12_000


def test_a_picture_that_is_too_large_is_left_out_and_that_is_said(workspace: Workspace, session: Session) -> None:
    large = Picture(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), "upload 64 × 64")
    view = replace(apply_operator(workspace, session, "noise"), source=large)
    assert len(make_link(view)) < 400
    assert "too large" in report_left_out(view)
    back = open_link(workspace, query(view))
    assert back.source is workspace.list_examples("digits")[0]
    assert back.result.tool == view.result.tool
    assert back.notice == "An uploaded picture is too large for the address; an example stands in for it."


def test_an_address_that_names_no_picture_keeps_the_first_ones(workspace: Workspace, session: Session) -> None:
    named = query(apply_operator(workspace, session, "noise"))
    short = {name: value for name, value in named.items() if name not in ("input", "partner")}
    back = open_link(workspace, short)
    first, second = workspace.list_examples("digits")[:2]
    assert (back.source, back.partner, back.notice) == (first, second, "")


def webp(wide: int, high: int, mode: str = "RGB", lossless: bool = True) -> str:
    file = io.BytesIO()
    Image.new(mode, (wide, high)).save(file, "WEBP", lossless=lossless)
    return base64.urlsafe_b64encode(file.getvalue()).decode().rstrip("=")


def bomb() -> str:
    """A picture of 32 × 32 whose header is changed to the largest size that a WebP can have."""
    data = bytearray(base64.urlsafe_b64decode(webp(32, 32) + "=="[: -len(webp(32, 32)) % 4]))
    data[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    return base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")


@pytest.mark.parametrize(
    "picture",
    [
        "x",
        "A" * 400,
        "%%%",
        "²" * 80,
        "A" * 20_000,
        webp(32, 31),
        webp(2000, 2000),
        webp(32, 32)[:-8],
        webp(32, 32, lossless=False),
        base64.urlsafe_b64encode(noise(0)).decode().rstrip("="),
        bomb(),
    ],
)
def test_a_bad_picture_is_one_line_and_the_rest_of_the_view_opens(
    workspace: Workspace, session: Session, picture: str
) -> None:
    session = with_uploads(workspace, session)
    back = open_link(workspace, query(session) | {"input-picture": picture})
    assert back.result.tool == session.result.tool
    assert back.source is workspace.list_examples("digits")[0]
    assert "an example stands in for it" in back.notice
    assert "\n" not in back.notice


def test_a_world_alone_opens_its_first_view(workspace: Workspace, session: Session) -> None:
    assert (
        make_link(open_link(workspace, {"world": "digits"}))
        == make_link(open_link(workspace, {}))
        == make_link(session)
    )
    assert open_link(workspace, {"__theme": "dark", "unknown": "x" * 9000}).notice == ""


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"world": "../etc"}, "no world"),
        ({"model": "/etc/passwd"}, "model"),
        ({"model": "digits-resnet"}, "no space"),
        ({"model": "faces-glow"}, "no space"),
        ({"classifier": "digits-glow"}, "no classifier"),
        ({"operator": "../noise"}, "operator"),
        ({"operator": "gaussian_noise"}, "operator"),
        ({"settings": '{"epsilon": 1e999}'}, "recipe"),
        ({"settings": '{"epsilon": NaN}'}, "recipe"),
        ({"settings": '{"path": "/etc/passwd"}'}, "no knob path"),
        ({"settings": "[" * 3000}, "cut short"),
        ({"settings": "[]"}, "settings"),
        ({"settings": "x" * 9000}, "longer than"),
        ({"seed": "-1"}, "seed"),
        ({"seed": "9" * 400}, "seed"),
        ({"input": "example 99"}, "no picture"),
        ({"input": "example ²"}, "no picture"),
        ({"input": "test nan"}, "test image"),
        ({"input": "test 99999"}, "numbered 0 to"),
        ({"input": "drawn digits-glow 1 inf"}, "temperature"),
        ({"input": "drawn digits-glow 1.5 1"}, "draw"),
        ({"input": "drawn digits-resnet 1 1"}, "no picture"),
        ({"input": "drawn digits-pixels 1 1"}, "no prior"),
        ({"partner": "../../secret.png"}, "images"),
    ],
)
def test_nonsense_is_one_line_and_the_first_view(
    workspace: Workspace, session: Session, changed: dict[str, str], line: str
) -> None:
    back = open_link(workspace, {**query(apply_operator(workspace, session, "noise")), **changed})
    assert make_link(back) == make_link(session)
    assert line in back.notice
    assert "\n" not in back.notice


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
def test_the_lines_make_the_same_picture_again(
    workspace: Workspace,
    session: Session,
    small_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operator: str,
) -> None:
    session = apply_operator(workspace, session, operator)
    if operator == "adversary":
        *_, session = trace_attack(workspace, session, session.result.tool)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").symlink_to(small_world)
    (tmp_path / name_png(session)).write_bytes(export_png(workspace, session))
    lines = export_python(workspace, session)
    exec(lines, {})
    with Image.open(name_png(session)) as a, Image.open("again.png") as b:
        assert np.array_equal(np.array(a), np.array(b))


def test_the_lines_name_ones_own_network_and_no_folder(small_world: Path) -> None:
    store = Store(small_world, "cpu")
    store.add("mine", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 2)), classes=("no", "yes"))
    workspace = Workspace(store)
    lines = export_python(workspace, choose_networks(workspace, open_world(workspace), classifier="mine"))
    assert 'store.add("mine", …)' in lines
    assert str(small_world) not in lines


def test_a_plain_png_has_no_pictures_inside() -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    with pytest.raises(UserError, match="no input inside"):
        pictures_in(file.getvalue())


def test_every_view_of_the_past_comes_back(workspace: Workspace, session: Session) -> None:
    views = [
        session,
        choose_networks(workspace, session, model="digits-glow"),
        place_picture(workspace, session, workspace.load_row("digits", 3)),
    ]
    views += [apply_move(workspace, session, Noise(epsilon=0.5)), change_seed(workspace, session, 4)]
    walked: Any = session
    for view in views:
        walked = remember_view(replace(view, history=walked.history))
        assert remember_view(walked) is walked
    assert len(walked.history) == len(views)
    for view, moment in zip(views, walked.history, strict=True):
        back = go_back(workspace, walked, moment.number)
        assert back.result.image.equal(view.result.image)
        assert back.source is view.source
        assert find_current_entry(back) is moment
        assert back.history is walked.history


def test_the_past_is_bounded_and_small(workspace: Workspace, session: Session) -> None:
    for step in range(HISTORY_LENGTH + 5):
        session = remember_view(apply_move(workspace, session, Noise(epsilon=step / 10)))
    assert [moment.number for moment in session.history] == list(range(5, HISTORY_LENGTH + 5))
    assert all(moment.small.shape[2:] == (32, 32) for moment in session.history)
    with pytest.raises(UserError, match="the last 20 are kept"):
        go_back(workspace, session, 0)


def test_the_past_goes_along_to_another_world_and_to_a_restored_picture(workspace: Workspace, session: Session) -> None:
    session = remember_view(session)
    restored: Any = restore_png(workspace, session, export_png(workspace, session))
    assert change_world(workspace, session, "digits").history is session.history is restored.history
