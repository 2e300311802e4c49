"""The verbs of a visitor, without a page."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latentlab import images
from latentlab.errors import UserError
from latentlab.operators import OPERATORS, Adversary, Mix, Noise, Shift
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    crop_photo,
    export_png,
    make_recipe,
    open_world,
    place_picture,
    receive_photo,
    restore_png,
    trace_attack,
)
from latentlab.session.actions import find_true_class
from latentlab.session.cache import ResultCache
from latentlab.session.export.png import INPUT_KEY
from latentlab.store import Store


@pytest.fixture
def session(workspace: Workspace) -> Session:
    return open_world(workspace, "digits")


def photo(wide: int = 100, high: int = 70) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((wide, high)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def test_the_first_view_is_complete(workspace: Workspace, session: Session) -> None:
    assert session.model == "digits-stylegan2"
    assert session.result.tool == Shift(direction="pc1", amount=2.0)
    assert list(session.rebuilt) == ["digits-glow", "digits-vae", "digits-stylegan2", "digits-pixels"]
    assert sum(session.before.probabilities) == pytest.approx(1)
    assert session.result.prediction.bits is not None


@pytest.mark.parametrize("model", ["digits-glow", "digits-vae", "digits-stylegan2", "digits-pixels"])
def test_no_move_is_the_rebuilt_picture_bit_for_bit(workspace: Workspace, session: Session, model: str) -> None:
    session = choose_networks(workspace, session, model=model)
    clean = session.rebuilt[model].image
    assert apply_move(workspace, session, Noise(epsilon=0.0)).result.image.equal(clean)
    mixed = apply_move(workspace, session, Mix(partner="next", lam=1.0)).result.image
    torch.testing.assert_close(mixed, clean, atol=1 / 255, rtol=0)  # a batch of two may round otherwise


def test_what_is_shown_has_256_levels_and_is_what_was_read(workspace: Workspace, session: Session) -> None:
    image = session.result.image
    assert (image * 255).round().div(255).equal(image)
    seen = workspace.store.load("digits-resnet")(image)[0].softmax(0)
    assert session.result.prediction.probabilities == pytest.approx(seen.tolist(), abs=1e-6)


def test_a_picture_is_encoded_once(workspace: Workspace, session: Session) -> None:
    first = workspace.encode_pictures(session.model, session.source.image)
    assert workspace.encode_pictures(session.model, session.source.image.clone()) is first
    assert workspace.encode_pictures(session.model, session.partner.image) is not first


def test_the_memory_is_bounded() -> None:
    memory, made = ResultCache(2), []
    for key in (1, 2, 1, 3, 1, 2):
        memory.find_or_make(key, lambda key=key: made.append(key))
    assert made == [1, 2, 3, 2]


def test_a_photo_is_cropped_to_its_middle_and_then_by_hand(workspace: Workspace, session: Session) -> None:
    session = receive_photo(workspace, session, photo())
    assert session.photo.box == (15.0, 0.0, 85.0, 70.0)
    assert session.source.image.shape == (1, 3, 32, 32)
    lower = crop_photo(workspace, session, (0.0, 40.0, 30.0, 70.0))
    assert lower.source.image.mean() > session.source.image.mean()
    with pytest.raises(UserError, match="not inside the picture"):
        crop_photo(workspace, session, (0.0, 0.0, 1e5, 70.0))
    with pytest.raises(UserError, match="no picture to crop"):
        crop_photo(workspace, replace(session, photo=None), (0.0, 0.0, 8.0, 8.0))


def test_a_move_that_a_space_cannot_make_is_replaced_and_said(workspace: Workspace, session: Session) -> None:
    pixels = choose_networks(workspace, session, model="digits-pixels")
    assert pixels.result.tool == Noise(epsilon=4.4)  # 0.08 of each of 3,072 intensities, so that it is seen
    assert "no direction" in pixels.notice


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
def test_a_png_restores_the_view_that_made_it(workspace: Workspace, session: Session, operator: str) -> None:
    knobs = {"partner": "next"} if operator in ("mix", "swap") else {}
    session = receive_photo(workspace, choose_networks(workspace, session, model="digits-glow"), photo())
    session = apply_move(workspace, replace(session, seed=5), OPERATORS[operator](**knobs))
    back: Any = restore_png(workspace, open_world(workspace), export_png(workspace, session))
    assert back.result.image.equal(session.result.image)
    assert (back.result.tool, back.model, back.seed) == (session.result.tool, "digits-glow", 5)
    assert back.notice == ""


def test_a_recipe_of_other_weights_says_so(workspace: Workspace, session: Session) -> None:
    other = replace(make_recipe(workspace, session), model_digest="0" * 16)
    back: Any = restore_png(workspace, session, images.png(session.result.image[0], other.to_json()))
    assert "digits-stylegan2 changed since" in back.notice


def test_a_plain_picture_has_nothing_to_restore(workspace: Workspace, session: Session) -> None:
    assert restore_png(workspace, session, photo()) is None


@pytest.mark.parametrize("chunk", ["!!", "AAAA", "A" * 300_000])
def test_a_strange_picture_inside_a_png_is_one_line(workspace: Workspace, session: Session, chunk: str) -> None:
    notes, file = PngInfo(), io.BytesIO()
    notes.add_itxt("latentlab", make_recipe(workspace, session).to_json())
    notes.add_text(INPUT_KEY, chunk)
    Image.open(io.BytesIO(export_png(workspace, session))).save(file, "PNG", pnginfo=notes)
    with pytest.raises(UserError, match=r"^[^\n]+$"):
        restore_png(workspace, session, file.getvalue())


def test_a_missing_data_set_is_one_line(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match="latentlab data cifar10"):
        workspace.load_row("cifar10", 0)


def test_a_row_of_the_data_knows_its_class(workspace: Workspace, session: Session) -> None:
    session = place_picture(workspace, session, workspace.load_row("digits", 3))
    assert session.source.labels == {str(find_true_class(workspace, session, session.source))}
    with pytest.raises(UserError, match="numbered 0 to"):
        workspace.load_row("digits", 10**6)


def test_the_control_of_an_attack_ends_at_its_distance(workspace: Workspace, session: Session) -> None:
    session = choose_networks(workspace, session, model="digits-glow")
    *steps, last = trace_attack(workspace, session, Adversary(epsilon=1.0, steps=2))
    assert last.trace is not None
    ours, control = last.trace
    assert control is not None
    assert len(steps) == len(ours.distances) == 4  # no move, start, two steps
    assert control.distances[-1] == pytest.approx(ours.distances[-1], rel=0.05)
    assert last.result is ours.steps[-1]


def test_two_visitors_share_nothing_but_the_desk(workspace: Workspace, session: Session) -> None:
    other = open_world(workspace, "digits")
    changed = receive_photo(workspace, session, photo())
    assert other.source.origin == session.source.origin != changed.source.origin


def test_ones_own_classifier_is_on_the_page(small_world: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    store = Store(small_world, "cpu")
    store.add("mine", net, classes=("no", "yes"), mean=(0.5,) * 3, std=(0.5,) * 3)
    workspace = Workspace(store)
    session = choose_networks(workspace, open_world(workspace), classifier="mine")
    assert session.classes == ("no", "yes")
    assert len(session.result.prediction.probabilities) == 2


def test_a_broken_checkpoint_is_said_and_the_rest_works(small_world: Path, tmp_path: Path) -> None:
    for file in small_world.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    broken = tmp_path / "digits-stylegan2.safetensors"
    broken.write_bytes(broken.read_bytes().replace(b'style_dim\\": 16', b'style_dim\\": 17'))
    session = open_world(Workspace(Store(tmp_path, "cpu")))
    assert session.model != "digits-stylegan2"
    assert "does not fit its card" in str(session.rebuilt["digits-stylegan2"])
