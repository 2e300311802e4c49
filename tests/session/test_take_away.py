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
    Desk,
    Session,
    act,
    animation,
    attack,
    bundle,
    choose,
    jump,
    open_world,
    path_of,
    png,
    put,
    recipe_of,
    restore,
    restore_recipe,
    select,
)
from latentlab.session.keep import differences
from latentlab.types import Latents


@pytest.fixture
def session(desk: Desk) -> Session:
    return choose(desk, open_world(desk, "digits"), model="digits-glow")


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def made(desk: Desk, session: Session, operator: str) -> Any:
    knobs = {"mix": {"partner": "next", "lam": 0.3}, "swap": {"partner": "next", "parts": ("coarse",)}}
    return act(desk, replace(session, seed=3), OPERATORS[operator](**knobs.get(operator, {})))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture)


def test_a_zip_holds_each_selected_picture_before_and_after(desk: Desk, session: Session) -> None:
    session = select(desk, made(desk, session, "noise"), "test", (2, 5, 7))
    files = unpacked(bundle(desk, session))
    names = ["000-test-2", "001-test-5", "002-test-7"]
    assert [Path(name).stem for name in files if name.startswith("originals/")] == names
    view = put(desk, session, desk.row("digits", 5))
    assert np.array_equal(pixels(files["originals/001-test-5.png"]), levels(view.source.image))
    assert np.array_equal(pixels(files["moved/001-test-5.png"]), levels(view.result.image))
    assert act(desk, view, session.result.tool).result.image.equal(view.result.image)
    assert json.loads(files["recipe.json"])["images"] == names


def levels(image: torch.Tensor) -> np.ndarray:
    return (image[0] * 255).round().byte().permute(1, 2, 0).numpy()


def test_the_latents_of_a_zip_decode_to_its_pictures(desk: Desk, session: Session) -> None:
    files = unpacked(bundle(desk, select(desk, made(desk, session, "shift"), "test", (1, 4))))
    tensors = load(files["latents.safetensors"])
    size = int.from_bytes(files["latents.safetensors"][:8], "little")
    header = json.loads(files["latents.safetensors"][8 : 8 + size])
    order = json.loads(header["__metadata__"]["about"])["coarse to fine"]
    for when, folder in (("before", "originals"), ("after", "moved")):
        parts = {name: tensors[f"{when}.{name}"] for name in order}
        decoded = desk.decode("digits-glow", Latents(parts))
        shown = [pixels(data) for name, data in files.items() if name.startswith(folder)]
        for image, picture in zip(decoded, shown, strict=True):
            assert np.abs(levels(image[None]).astype(int) - picture).max() <= 1  # of a batch, which may round otherwise


def test_the_labels_of_a_zip_are_those_of_training(desk: Desk, session: Session) -> None:
    session = select(desk, made(desk, session, "mix"), "test", (3, 9))
    rows = list(csv.reader(io.StringIO(unpacked(bundle(desk, session))["labels.csv"].decode())))
    assert rows[0][:6] == ["picture", "origin", "class", "seen before", "seen after", "l2"]
    for row, number in zip(rows[1:], (3, 9), strict=True):
        own = next(iter(desk.row("digits", number).labels))
        assert row[2] == own
        soft = dict(zip(rows[0][6:], map(float, row[6:]), strict=True))
        assert sum(soft.values()) == pytest.approx(1)
        assert soft[own] == pytest.approx(0.3) or soft[own] == 1  # where the partner is of the same class


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
@pytest.mark.parametrize("many", [True, False])
def test_the_lines_of_a_zip_make_its_pictures_again(
    desk: Desk, session: Session, small_world: Path, tmp_path: Path, monkeypatch: Any, operator: str, many: bool
) -> None:
    session = made(desk, session, operator)
    session = select(desk, session, "test", (2, 5)) if many else session
    with zipfile.ZipFile(io.BytesIO(bundle(desk, session))) as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").symlink_to(small_world)
    exec((tmp_path / "again.py").read_text(), {})
    again = sorted((tmp_path / "again").iterdir())
    assert len(again) == (2 if many else 1)
    for file in again:
        assert np.array_equal(pixels(file.read_bytes()), pixels((tmp_path / "moved" / file.name).read_bytes()))


def test_a_moved_picture_of_a_zip_restores_its_view(desk: Desk, session: Session) -> None:
    session = select(desk, made(desk, session, "noise"), "test", (2, 5))
    data = unpacked(bundle(desk, session))["moved/001-test-5.png"]
    back = restore(desk, session, data)
    assert back is not None
    assert np.array_equal(levels(back.result.image), pixels(data))
    assert back.selection == session.selection


def test_a_zip_is_bounded_and_the_same_twice(desk: Desk, session: Session) -> None:
    assert bundle(desk, session) == bundle(desk, session)
    with pytest.raises(UserError, match="at most 128"):
        bundle(desk, select(desk, session, "test", range(129)))
    with pytest.raises(UserError, match="at most 32"):
        bundle(desk, select(desk, made(desk, session, "adversary"), "test", range(33)))


@pytest.mark.parametrize("kind", ["webp", "png", "gif"])
@pytest.mark.parametrize("operator", ["noise", "shift", "mix"])
def test_an_animation_is_the_path_in_exact_pixels(desk: Desk, session: Session, kind: str, operator: str) -> None:
    session = made(desk, session, operator)
    path = path_of(session.result.tool)
    assert path is not None
    with Image.open(io.BytesIO(animation(desk, session, kind))) as file:
        assert file.size == (256, 256)
        frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
    for place, frame in ((path.marks[0], frames[0]), (path.marks[-1], max_from(frames, operator))):
        end = levels(act(desk, session, path.at(place)).result.image).repeat(8, 0).repeat(8, 1).astype(int)
        off = np.abs(frame - end)
        assert off.mean() < 8 if kind == "gif" else off.max() <= 1  # a GIF has 256 colours
    assert all(np.array_equal(frame[::8, ::8].repeat(8, 0).repeat(8, 1), frame) for frame in frames)


def max_from(frames: list[np.ndarray], operator: str) -> np.ndarray:
    """The farthest frame: an animation goes there and back."""
    assert len(frames) > 20, operator
    return frames[(len(frames)) // 2]


def test_an_animated_png_restores_its_view(desk: Desk, session: Session) -> None:
    session = made(desk, session, "noise")
    back = restore(desk, session, animation(desk, session, "png"))
    assert back is not None
    assert back.result.image.equal(session.result.image)


def test_a_swap_has_no_path_and_an_attack_its_steps(desk: Desk, session: Session) -> None:
    swapped = made(desk, session, "swap")
    for verb in (lambda: animation(desk, swapped, "gif"), lambda: jump(desk, swapped, 0.5)):
        with pytest.raises(UserError, match="no path"):
            verb()
    with pytest.raises(UserError, match="no format"):
        animation(desk, session, "exe")
    *_, attacked = attack(desk, session, made(desk, session, "adversary").result.tool)
    with Image.open(io.BytesIO(animation(desk, attacked, "png"))) as file:
        assert getattr(file, "n_frames", 1) > 1


def test_a_recipe_of_other_networks_says_which_and_restores_the_rest(desk: Desk, session: Session) -> None:
    session = made(desk, session, "noise")
    recipe = recipe_of(desk, session)
    other = replace(recipe, model_digest="0" * 16, classifier="digits-other", classifier_digest="f" * 16)
    first, second = differences(desk, other)
    assert "digits-glow" in first
    assert "0" * 16 in first
    assert desk.store.digest("digits-glow") in first
    assert "digits-other is not here" in second
    assert "f" * 16 in second
    assert differences(desk, recipe) == []

    away = renamed(png(desk, session), replace(recipe, model="digits-flow", model_digest="a" * 16).to_json())
    back = restore(desk, session, away)
    assert back is not None
    assert back.source.image.equal(session.source.image)
    assert (back.result.tool, back.seed) == (session.result.tool, 3)
    assert "digits-flow is not here" in back.notice


def renamed(data: bytes, recipe: str) -> bytes:
    """The PNG with another recipe."""
    file, notes = io.BytesIO(), PngInfo()
    with Image.open(io.BytesIO(data)) as picture:
        notes.add_itxt("latentlab", recipe)
        notes.add_text("latentlab-input", picture.info["latentlab-input"])
        picture.save(file, "PNG", pnginfo=notes)
    return file.getvalue()


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
def test_a_recipe_alone_restores_its_view(desk: Desk, session: Session, operator: str) -> None:
    session = put(desk, session, desk.named("digits", "test 7"))
    session = made(desk, replace(session, partner=desk.named("digits", "example 5")), operator)
    back = restore_recipe(desk, open_world(desk, "digits"), recipe_of(desk, session).to_json())
    assert back.result.image.equal(session.result.image)
    assert (back.result.tool, back.seed, back.source.name) == (session.result.tool, 3, "test 7")
    assert back.notice == ""


def test_a_recipe_of_a_zip_opens_its_first_picture(desk: Desk, session: Session) -> None:
    taken = select(desk, made(desk, session, "noise"), "test", (5, 2))
    back = restore_recipe(desk, session, unpacked(bundle(desk, taken))["recipe.json"].decode())
    assert (back.source.name, back.partner, back.notice) == ("test 2", session.partner, "")
    assert back.result.tool == taken.result.tool


def test_a_recipe_whose_picture_is_not_here_moves_the_one_at_hand(desk: Desk, session: Session) -> None:
    session = put(desk, made(desk, session, "noise"), desk.named("digits", "test 9"))
    recipe = replace(recipe_of(desk, session), images=("upload 20 × 20",), model_digest="0" * 16)
    back = restore_recipe(desk, session, recipe.to_json())
    assert back.source is session.source
    first, second = back.notice.split("\n")
    assert "expected hash 0000" in first
    assert "'upload 20 × 20' is not inside it" in second


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\x00\xff", '{"version": 1}', '{"version": 2}', "[" * 9000, "x" * 70_000]
)
def test_rubbish_is_no_recipe_in_one_line(desk: Desk, session: Session, text: str) -> None:
    with pytest.raises(UserError, match="recipe") as error:
        restore_recipe(desk, session, text)
    assert "\n" not in str(error.value)
