"""A visitor's way through the page, in Chromium."""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from ui.hand import caption, choose, drop, result, slide

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something like a photo, 1000 × 700: a sky, a sun, a hill, grain."""
    y, x = np.mgrid[0:700, 0:1000] / 700
    sky = np.stack([0.4 + 0.4 * y, 0.6 + 0.2 * y, 0.95 - 0.2 * y], -1)
    sky[(x - 0.4) ** 2 + (y - 0.2) ** 2 < 0.01] = (1.0, 0.9, 0.4)
    sky[y > 0.75 - 0.2 * np.sin(3 * x)] = (0.2, 0.45, 0.2)
    grain = np.random.default_rng(0).normal(0, 0.02, sky.shape)
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    Image.fromarray(((sky + grain).clip(0, 1) * 255).astype(np.uint8)).save(path)
    return path


def test_nothing_is_empty_at_first_sight(view: Page) -> None:
    assert view.locator(".ll-card img").count() == 5
    assert view.locator(".ll-model").count() == 4
    caption(view, "+2.0 σ")
    assert view.locator("#examples img").count() == 8
    assert re.fullmatch(r"CPU · \d+ ms", view.locator("#status").inner_text().strip())
    assert "→" in view.locator(".ll-numbers").inner_text()


def test_a_photo_goes_through_every_model_and_operator_and_comes_back(view: Page, photo: Path, tmp_path: Path) -> None:
    drop(view, photo)
    view.wait_for_selector(".ll-frame")
    view.get_by_text("upload 1000 × 700").first.wait_for()
    for model in ("Glow", "MMD-VAE", "Pixels", "StyleGAN2"):
        choose(view, "space", model)
        view.wait_for_selector(f".ll-model[aria-pressed=true] b:text-is('{model}')")
    caption(view, "noise ε 4.4 σ")  # pixels have no directions
    view.get_by_text("along directions").click()
    slide(view, "bank-0", -1.5)
    caption(view, "pc1 -1.5 σ")
    view.get_by_text("random noise").click()
    caption(view, "noise ε 4.4 σ")
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed, λ 0.50")
    view.get_by_text("borrow parts").click()
    caption(view, "fine swapped")
    view.get_by_role("tab", name="Attack").click()
    caption(view, "attacked, ε 1, 3 steps")
    view.locator("#attack-go").click()
    view.wait_for_selector("#attack-verdict dl")
    view.get_by_role("tab", name="Explore").click()
    view.get_by_text("along directions").click()
    slide(view, "bank-1", 2.5)
    caption(view, "pc1 -1.5 σ, pc2 +2.5 σ")
    before = result(view)
    view.wait_for_timeout(800)
    with view.expect_download() as download:
        view.locator("#take-png").click()
    download.value.save_as(tmp_path / "taken.png")
    view.locator("#explore-reset").click()
    caption(view, "pc1 +0.0 σ")
    choose(view, "space", "Glow")
    view.wait_for_selector(".ll-model[aria-pressed=true] b:text-is('Glow')")
    drop(view, tmp_path / "taken.png")
    caption(view, "pc1 -1.5 σ, pc2 +2.5 σ")
    assert result(view) == before
    assert view.locator("#bank-1 input[type=number]").input_value() == "2.5"
    assert view.locator("#space input").first.input_value() == "StyleGAN2"


def test_the_last_position_of_a_drag_wins(view: Page) -> None:
    slider = view.locator("#bank-2 input[type=range]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    view.mouse.move(box["x"] + box["width"] / 2, middle)
    view.mouse.down()
    for step in range(60):
        view.mouse.move(box["x"] + box["width"] * (0.5 + 0.45 * np.sin(step)), middle)
    view.mouse.move(box["x"] + box["width"] * 0.25, middle)
    view.mouse.up()
    last = float(view.locator("#bank-2 input[type=number]").input_value())
    assert last < -1
    caption(view, f"pc3 {last:+.1f} σ")


def test_a_slider_goes_back_by_its_own_reset(view: Page) -> None:
    slide(view, "bank-2", 3)
    caption(view, "pc3 +3.0 σ")
    view.locator("#bank-2 button[aria-label*=Reset]").click()
    view.wait_for_function("!document.querySelector('.ll-card.ll-accent figcaption').innerText.includes('pc3')")


def test_the_crop_follows_the_frame(view: Page, photo: Path) -> None:
    drop(view, photo)
    view.wait_for_selector(".ll-frame")
    view.get_by_text("upload 1000 × 700").first.wait_for()
    before = result(view)
    view.locator(".ll-frame").focus()
    view.keyboard.press("ArrowLeft")
    view.wait_for_function("before => document.querySelector('.ll-card.ll-accent img').src !== before", arg=before)


def test_the_partner_is_chosen_in_the_workbench(view: Page) -> None:
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed")
    before, origin = result(view), view.locator(".ll-slot[data-key=input]").inner_text()
    view.locator(".ll-slot[data-key=partner]").click()
    view.wait_for_selector(".ll-slot[data-key=partner][aria-pressed=true]")
    view.locator(".ll-thumb").nth(5).click()
    view.wait_for_function("before => document.querySelector('.ll-card.ll-accent img').src !== before", arg=before)
    assert view.locator(".ll-slot[data-key=input]").inner_text() == origin


BOMB = b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100_000))),
        (b"IEND", b""),
    )
)


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("words.png", b"These are words, not a picture.", "not a picture that can be read"),
        ("empty.png", b"", "The file is empty"),
        ("bomb.png", b"\x89PNG\r\n\x1a\n" + BOMB, "at most"),
        ("page.png", b"<html><script>alert(1)</script></html>", "HTML"),
    ],
)
def test_a_bad_file_is_one_line_and_the_page_lives_on(
    view: Page, tmp_path: Path, name: str, data: bytes, line: str
) -> None:
    before = result(view)
    (tmp_path / name).write_bytes(data)
    drop(view, tmp_path / name)
    view.wait_for_selector("#bench-note .ll-note")
    assert line in view.locator("#bench-note").inner_text()
    assert result(view) == before
    slide(view, "bank-0", 1)
    caption(view, "pc1 +1.0 σ")


def test_the_picture_in_the_page_is_the_picture_taken_away(view: Page, tmp_path: Path) -> None:
    view.wait_for_timeout(500)
    with view.expect_download() as download:
        view.locator("#take-png").click()
    download.value.save_as(tmp_path / "taken.png")
    shown = base64.b64decode(result(view).partition(",")[2])
    with Image.open(io.BytesIO(shown)) as a, Image.open(tmp_path / "taken.png") as b:
        assert np.array_equal(np.array(a), np.array(b))


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (420, False), (420, True)])
def test_nothing_sticks_out_and_nothing_jumps(view: Page, width: int, dark: bool) -> None:
    view.emulate_media(color_scheme="dark" if dark else "light")
    view.set_viewport_size({"width": width, "height": 900})
    view.reload()
    view.wait_for_selector(".ll-tile img")
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    tabs = "document.querySelector('#tabs').getBoundingClientRect().top + window.scrollY"
    before = view.evaluate(tabs)
    slide(view, "bank-0", 1)
    caption(view, "pc1")
    view.wait_for_timeout(500)
    assert view.evaluate(tabs) == before


def test_two_visitors_never_see_each_others_pictures(view: Page, served: str, photo: Path) -> None:
    other = view.context.browser.new_page()
    other.goto(served)
    other.wait_for_selector(".ll-tile img")
    before = result(other)
    drop(view, photo)
    view.get_by_text("upload 1000 × 700").first.wait_for()
    slide(view, "bank-0", -3)
    caption(view, "pc1 -3.0 σ")
    slide(other, "bank-1", 0)
    other.wait_for_timeout(500)
    assert result(other) == before
    assert "upload" not in other.locator("#slots").inner_text()


def test_a_row_of_the_data_set(view: Page) -> None:
    view.get_by_text("Take from the data set").click()
    view.locator("#data-test-image input").fill("7")
    view.locator("#data-test-image input").press("Tab")  # a hand takes its time; the page has the number then
    view.locator("#take").click()
    view.get_by_text("digits test 7").first.wait_for()
    view.locator("#data-test-image input").fill("999999")
    view.locator("#data-test-image input").press("Tab")  # a hand takes its time; the page has the number then
    view.locator("#take").click()
    view.get_by_text("the test images of digits are numbered").wait_for()
    assert "digits test 7" in view.locator("#slots").inner_text()
