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
    Desk,
    Session,
    act,
    attack,
    choose,
    crop,
    open_world,
    png,
    put,
    receive,
    recipe_of,
    restore,
)
from latentlab.session.desk import Memory
from latentlab.session.keep import INPUT
from latentlab.session.verbs import true_class
from latentlab.store import Store


@pytest.fixture
def session(desk: Desk) -> Session:
    return open_world(desk, "digits")


def photo(wide: int = 100, high: int = 70) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((wide, high)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def test_the_first_view_is_complete(desk: Desk, session: Session) -> None:
    assert session.model == "digits-stylegan2"
    assert session.result.tool == Shift(direction="pc1", amount=2.0)
    assert list(session.rebuilt) == ["digits-glow", "digits-vae", "digits-stylegan2", "digits-pixels"]
    assert sum(session.before.probabilities) == pytest.approx(1)
    assert session.result.reading.bits is not None


@pytest.mark.parametrize("model", ["digits-glow", "digits-vae", "digits-stylegan2", "digits-pixels"])
def test_no_move_is_the_rebuilt_picture_bit_for_bit(desk: Desk, session: Session, model: str) -> None:
    session = choose(desk, session, model=model)
    clean = session.rebuilt[model].image
    assert act(desk, session, Noise(epsilon=0.0)).result.image.equal(clean)
    mixed = act(desk, session, Mix(partner="next", lam=1.0)).result.image
    torch.testing.assert_close(mixed, clean, atol=1 / 255, rtol=0)  # a batch of two may round otherwise


def test_what_is_shown_has_256_levels_and_is_what_was_read(desk: Desk, session: Session) -> None:
    image = session.result.image
    assert (image * 255).round().div(255).equal(image)
    seen = desk.store.load("digits-resnet")(image)[0].softmax(0)
    assert session.result.reading.probabilities == pytest.approx(seen.tolist(), abs=1e-6)


def test_a_picture_is_encoded_once(desk: Desk, session: Session) -> None:
    first = desk.latents(session.model, session.source.image)
    assert desk.latents(session.model, session.source.image.clone()) is first
    assert desk.latents(session.model, session.partner.image) is not first


def test_the_memory_is_bounded() -> None:
    memory, made = Memory(2), []
    for key in (1, 2, 1, 3, 1, 2):
        memory.get(key, lambda key=key: made.append(key))
    assert made == [1, 2, 3, 2]


def test_a_photo_is_cropped_to_its_middle_and_then_by_hand(desk: Desk, session: Session) -> None:
    session = receive(desk, session, photo())
    assert session.photo.box == (15.0, 0.0, 85.0, 70.0)
    assert session.source.image.shape == (1, 3, 32, 32)
    lower = crop(desk, session, (0.0, 40.0, 30.0, 70.0))
    assert lower.source.image.mean() > session.source.image.mean()
    with pytest.raises(UserError, match="not inside the picture"):
        crop(desk, session, (0.0, 0.0, 1e5, 70.0))
    with pytest.raises(UserError, match="no picture to crop"):
        crop(desk, replace(session, photo=None), (0.0, 0.0, 8.0, 8.0))


def test_a_move_that_a_space_cannot_make_is_replaced_and_said(desk: Desk, session: Session) -> None:
    pixels = choose(desk, session, model="digits-pixels")
    assert pixels.result.tool == Noise(epsilon=1.0)
    assert "no direction" in pixels.notice


@pytest.mark.parametrize("operator", ["noise", "shift", "adversary", "mix", "swap"])
def test_a_png_restores_the_view_that_made_it(desk: Desk, session: Session, operator: str) -> None:
    knobs = {"partner": "next"} if operator in ("mix", "swap") else {}
    session = receive(desk, choose(desk, session, model="digits-glow"), photo())
    session = act(desk, replace(session, seed=5), OPERATORS[operator](**knobs))
    back: Any = restore(desk, open_world(desk), png(desk, session))
    assert back.result.image.equal(session.result.image)
    assert (back.result.tool, back.model, back.seed) == (session.result.tool, "digits-glow", 5)
    assert back.notice == ""


def test_a_recipe_of_other_weights_says_so(desk: Desk, session: Session) -> None:
    other = replace(recipe_of(desk, session), model_digest="0" * 16)
    back: Any = restore(desk, session, images.png(session.result.image[0], other.to_json()))
    assert "digits-stylegan2 changed since" in back.notice


def test_a_plain_picture_has_nothing_to_restore(desk: Desk, session: Session) -> None:
    assert restore(desk, session, photo()) is None


@pytest.mark.parametrize("chunk", ["!!", "AAAA", "A" * 300_000])
def test_a_strange_picture_inside_a_png_is_one_line(desk: Desk, session: Session, chunk: str) -> None:
    notes, file = PngInfo(), io.BytesIO()
    notes.add_itxt("latentlab", recipe_of(desk, session).to_json())
    notes.add_text(INPUT, chunk)
    Image.open(io.BytesIO(png(desk, session))).save(file, "PNG", pnginfo=notes)
    with pytest.raises(UserError, match=r"^[^\n]+$"):
        restore(desk, session, file.getvalue())


def test_a_missing_data_set_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    with pytest.raises(UserError, match="latentlab data cifar10"):
        desk.row("cifar10", 0)


def test_a_row_of_the_data_knows_its_class(desk: Desk, session: Session) -> None:
    session = put(desk, session, desk.row("digits", 3))
    assert session.source.labels == {str(true_class(desk, session, session.source))}
    with pytest.raises(UserError, match="numbered 0 to"):
        desk.row("digits", 10**6)


def test_the_control_of_an_attack_ends_at_its_distance(desk: Desk, session: Session) -> None:
    session = choose(desk, session, model="digits-glow")
    *steps, last = attack(desk, session, Adversary(epsilon=1.0, steps=2))
    assert last.track is not None
    ours, control = last.track
    assert control is not None
    assert len(steps) == len(ours.distances) == 4  # no move, start, two steps
    assert control.distances[-1] == pytest.approx(ours.distances[-1], rel=0.05)
    assert last.result is ours.steps[-1]


def test_two_visitors_share_nothing_but_the_desk(desk: Desk, session: Session) -> None:
    other = open_world(desk, "digits")
    changed = receive(desk, session, photo())
    assert other.source.origin == session.source.origin != changed.source.origin


def test_ones_own_classifier_is_on_the_page(small_world: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    store = Store(small_world, "cpu")
    store.add("mine", net, classes=("no", "yes"), mean=(0.5,) * 3, std=(0.5,) * 3)
    desk = Desk(store)
    session = choose(desk, open_world(desk), classifier="mine")
    assert session.classes == ("no", "yes")
    assert len(session.result.reading.probabilities) == 2


def test_a_broken_checkpoint_is_said_and_the_rest_works(small_world: Path, tmp_path: Path) -> None:
    for file in small_world.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    broken = tmp_path / "digits-stylegan2.safetensors"
    broken.write_bytes(broken.read_bytes().replace(b'style_dim\\": 16', b'style_dim\\": 17'))
    session = open_world(Desk(Store(tmp_path, "cpu")))
    assert session.model != "digits-stylegan2"
    assert "does not fit its card" in str(session.rebuilt["digits-stylegan2"])
