"""What is taken away comes back: zips, animations, and recipes of other networks."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load

from latentlab.errors import UserError
from latentlab.operators import OPERATORS
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    export_animation,
    export_png,
    export_zip,
    make_recipe,
    move_along_path,
    open_world,
    place_picture,
    restore_png,
    restore_recipe,
    select_rows,
    trace_attack,
)
from latentlab.session.restoring import list_differences
from latentlab.types import Latents


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return choose_networks(workspace, open_world(workspace, "digits"), model="digits-glow")


def unpack_zip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def apply_operator(workspace: Workspace, session: Session, operator: str) -> Any:
    knobs = {"mix": {"partner": "next", "lam": 0.3}, "swap": {"partner": "next", "parts": ("coarse",)}}
    return apply_move(workspace, replace(session, seed=3), OPERATORS[operator](**knobs.get(operator, {})))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture)


def test_a_zip_holds_each_selected_picture_before_and_after(workspace: Workspace, session: Session) -> None:
    session = select_rows(workspace, apply_operator(workspace, session, "noise"), "test", (2, 5, 7))
    files = unpack_zip(export_zip(workspace, session))
    names = ["000-test-2", "001-test-5", "002-test-7"]
    assert [Path(name).stem for name in files if name.startswith("originals/")] == names
    view = place_picture(workspace, session, workspace.load_row("digits", 5))
    assert np.array_equal(pixels(files["originals/001-test-5.png"]), levels(view.source.image))
    assert np.array_equal(pixels(files["moved/001-test-5.png"]), levels(view.result.image))
    assert apply_move(workspace, view, session.result.tool).result.image.equal(view.result.image)
    assert json.loads(files["recipe.json"])["images"] == names


def levels(image: torch.Tensor) -> np.ndarray:
    return (image[0] * 255).round().byte().permute(1, 2, 0).numpy()


def test_the_latents_of_a_zip_decode_to_its_pictures(workspace: Workspace, session: Session) -> None:
    files = unpack_zip(
        export_zip(workspace, select_rows(workspace, apply_operator(workspace, session, "shift"), "test", (1, 4)))
    )
    tensors = load(files["latents.safetensors"])
    size = int.from_bytes(files["latents.safetensors"][:8], "little")
    header = json.loads(files["latents.safetensors"][8 : 8 + size])
    order = json.loads(header["__metadata__"]["about"])["coarse to fine"]
    for when, folder in (("before", "originals"), ("after", "moved")):
        parts = {name: tensors[f"{when}.{name}"] for name in order}
        decoded = workspace.decode_latents("digits-glow", Latents(parts))
        shown = [pixels(data) for name, data in files.items() if name.startswith(folder)]
        for image, picture in zip(decoded, shown, strict=True):
            assert np.abs(levels(image[None]).astype(int) - picture).max() <= 1  # of a batch, which may round otherwise


def test_the_labels_of_a_zip_are_those_of_training(workspace: Workspace, session: Session) -> None:
    session = select_rows(workspace, apply_operator(workspace, session, "mix"), "test", (3, 9))
    rows = list(csv.reader(io.StringIO(unpack_zip(export_zip(workspace, session))["labels.csv"].decode())))
    assert rows[0][:6] == ["picture", "origin", "class", "seen before", "seen after", "l2"]
    for row, number in zip(rows[1:], (3, 9), strict=True):
        own = next(iter(workspace.load_row("digits", number).labels))
        assert row[2] == own
        soft = dict(zip(rows[0][6:], map(float, row[6:]), strict=True))
        assert sum(soft.values()) == pytest.approx(1)
        assert soft[own] == pytest.approx(0.3) or soft[own] == 1  # where the partner is of the same class


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
@pytest.mark.parametrize("many", [True, False])
def test_the_lines_of_a_zip_make_its_pictures_again(
    workspace: Workspace,
    session: Session,
    small_world: Path,
    tmp_path: Path,
    monkeypatch: Any,
    operator: str,
    many: bool,
) -> None:
    session = apply_operator(workspace, session, operator)
    session = select_rows(workspace, session, "test", (2, 5)) if many else session
    with zipfile.ZipFile(io.BytesIO(export_zip(workspace, session))) as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").symlink_to(small_world)
    exec((tmp_path / "again.py").read_text(), {})
    again = sorted((tmp_path / "again").iterdir())
    assert len(again) == (2 if many else 1)
    for file in again:
        assert np.array_equal(pixels(file.read_bytes()), pixels((tmp_path / "moved" / file.name).read_bytes()))


def test_a_moved_picture_of_a_zip_restores_its_view(workspace: Workspace, session: Session) -> None:
    session = select_rows(workspace, apply_operator(workspace, session, "noise"), "test", (2, 5))
    data = unpack_zip(export_zip(workspace, session))["moved/001-test-5.png"]
    back = restore_png(workspace, session, data)
    assert back is not None
    assert np.array_equal(levels(back.result.image), pixels(data))
    assert back.selection == session.selection


def test_a_zip_is_bounded_and_the_same_twice(workspace: Workspace, session: Session) -> None:
    assert export_zip(workspace, session) == export_zip(workspace, session)
    with pytest.raises(UserError, match="at most 128"):
        export_zip(workspace, select_rows(workspace, session, "test", range(129)))
    with pytest.raises(UserError, match="at most 32"):
        export_zip(
            workspace, select_rows(workspace, apply_operator(workspace, session, "adversary"), "test", range(33))
        )


@pytest.mark.parametrize("kind", ["webp", "png", "gif"])
@pytest.mark.parametrize("operator", ["noise", "shift", "mix"])
def test_an_animation_is_the_path_in_exact_pixels(
    workspace: Workspace, session: Session, kind: str, operator: str
) -> None:
    session = apply_operator(workspace, session, operator)
    path = session.result.tool.make_path()
    assert path is not None
    with Image.open(io.BytesIO(export_animation(workspace, session, kind))) as file:
        assert file.size == (256, 256)
        frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
    for place, frame in ((path.marks[0], frames[0]), (path.marks[-1], max_from(frames, operator))):
        end = (
            levels(apply_move(workspace, session, path.move_at(place)).result.image)
            .repeat(8, 0)
            .repeat(8, 1)
            .astype(int)
        )
        off = np.abs(frame - end)
        assert off.mean() < 8 if kind == "gif" else off.max() <= 1  # a GIF has 256 colours
    assert all(np.array_equal(frame[::8, ::8].repeat(8, 0).repeat(8, 1), frame) for frame in frames)


def max_from(frames: list[np.ndarray], operator: str) -> np.ndarray:
    """The farthest frame: an animation goes there and back."""
    assert len(frames) > 20, operator
    return frames[(len(frames)) // 2]


def test_an_animated_png_restores_its_view(workspace: Workspace, session: Session) -> None:
    session = apply_operator(workspace, session, "noise")
    back = restore_png(workspace, session, export_animation(workspace, session, "png"))
    assert back is not None
    assert back.result.image.equal(session.result.image)


def test_a_swap_has_no_path_and_an_attack_its_steps(workspace: Workspace, session: Session) -> None:
    swapped = apply_operator(workspace, session, "swap")
    for verb in (lambda: export_animation(workspace, swapped, "gif"), lambda: move_along_path(workspace, swapped, 0.5)):
        with pytest.raises(UserError, match="no path"):
            verb()
    with pytest.raises(UserError, match="no format"):
        export_animation(workspace, session, "exe")
    *_, attacked = trace_attack(workspace, session, apply_operator(workspace, session, "adversary").result.tool)
    with Image.open(io.BytesIO(export_animation(workspace, attacked, "png"))) as file:
        assert getattr(file, "n_frames", 1) > 1


def test_a_recipe_of_other_networks_says_which_and_restores_the_rest(workspace: Workspace, session: Session) -> None:
    session = apply_operator(workspace, session, "noise")
    recipe = make_recipe(workspace, session)
    other = replace(recipe, model_digest="0" * 16, classifier="digits-other", classifier_digest="f" * 16)
    first, second = list_differences(workspace, other)
    assert "digits-glow" in first
    assert "0" * 16 in first
    assert workspace.store.digest("digits-glow") in first
    assert "digits-other is not here" in second
    assert "f" * 16 in second
    assert list_differences(workspace, recipe) == []

    away = replace_recipe(
        export_png(workspace, session), replace(recipe, model="digits-flow", model_digest="a" * 16).to_json()
    )
    back = restore_png(workspace, session, away)
    assert back is not None
    assert back.source.image.equal(session.source.image)
    assert (back.result.tool, back.seed) == (session.result.tool, 3)
    assert "digits-flow is not here" in back.notice


def replace_recipe(data: bytes, recipe: str) -> bytes:
    """The PNG with another recipe."""
    file, notes = io.BytesIO(), PngInfo()
    with Image.open(io.BytesIO(data)) as picture:
        notes.add_itxt("latentlab", recipe)
        notes.add_text("latentlab-input", picture.info["latentlab-input"])
        picture.save(file, "PNG", pnginfo=notes)
    return file.getvalue()


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
def test_a_recipe_alone_restores_its_view(workspace: Workspace, session: Session, operator: str) -> None:
    session = place_picture(workspace, session, workspace.find_picture("digits", "test 7"))
    session = apply_operator(
        workspace, replace(session, partner=workspace.find_picture("digits", "example 5")), operator
    )
    back = restore_recipe(workspace, open_world(workspace, "digits"), make_recipe(workspace, session).to_json())
    assert back.result.image.equal(session.result.image)
    assert (back.result.tool, back.seed, back.source.name) == (session.result.tool, 3, "test 7")
    assert back.notice == ""


def test_a_recipe_of_a_zip_opens_its_first_picture(workspace: Workspace, session: Session) -> None:
    taken = select_rows(workspace, apply_operator(workspace, session, "noise"), "test", (5, 2))
    back = restore_recipe(workspace, session, unpack_zip(export_zip(workspace, taken))["recipe.json"].decode())
    assert (back.source.name, back.partner, back.notice) == ("test 2", session.partner, "")
    assert back.result.tool == taken.result.tool


def test_a_recipe_whose_picture_is_not_here_moves_the_one_at_hand(workspace: Workspace, session: Session) -> None:
    session = place_picture(
        workspace, apply_operator(workspace, session, "noise"), workspace.find_picture("digits", "test 9")
    )
    recipe = replace(make_recipe(workspace, session), images=("upload 20 × 20",), model_digest="0" * 16)
    back = restore_recipe(workspace, session, recipe.to_json())
    assert back.source is session.source
    first, second = back.notice.split("\n")
    assert "expected hash 0000" in first
    assert "'upload 20 × 20' is not inside it" in second


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\x00\xff", '{"version": 1}', '{"version": 2}', "[" * 9000, "x" * 70_000]
)
def test_rubbish_is_no_recipe_in_one_line(workspace: Workspace, session: Session, text: str) -> None:
    with pytest.raises(UserError, match="recipe") as error:
        restore_recipe(workspace, session, text)
    assert "\n" not in str(error.value)
