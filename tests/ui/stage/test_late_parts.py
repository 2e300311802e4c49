"""What can be taken away is of the picture that is shown, however soon it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from PIL import Image
from playwright.sync_api import Page
from ui.hand import slide

from latentlab.recipe import parse_recipe

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOWN = "() => document.querySelector('#stage [data-view]').dataset.view"
AGE_PART = """() => {
  const part = document.querySelector('#away [data-of]'), aged = part.cloneNode();
  aged.dataset.of = 'an earlier view';
  part.replaceWith(aged);
}"""


def test_a_file_taken_at_once_is_of_the_picture_shown(view: Page, tmp_path: Path) -> None:
    """Each time the picture has just changed, and the files of the one before still lie there."""
    for number, value in enumerate((0.5, -1.5, 1.0, -0.5)):
        move_first_slider(view, value)
        with view.expect_download() as loading:
            view.locator("#take-png").click()
        file = tmp_path / f"{number}.png"
        loading.value.save_as(file)
        with Image.open(file) as picture:
            made = parse_recipe(picture.info["latentlab"])
        shown = parse_qs(view.evaluate(SHOWN))
        assert made.settings == made.settings | json.loads(shown["settings"][0])


def test_what_lags_is_marked_until_it_follows(view: Page) -> None:
    """A part is made late by hand: a quick machine may paint no frame between a picture and what follows it."""
    view.wait_for_selector("#away [data-of]", state="attached")
    view.evaluate(AGE_PART)
    view.wait_for_selector("#away .ll-late")
    move_first_slider(view, 1.25)
    view.wait_for_function("() => !document.querySelector('.ll-late')")


def move_first_slider(view: Page, value: float) -> None:
    """Move it, and wait for the picture alone."""
    before = view.evaluate(SHOWN)
    slide(view, "bank-0", value)
    view.wait_for_function(f"before => ({SHOWN})() !== before", arg=before)
