"""Rows of pictures that are sliders, in Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from ui.hand import caption

pytestmark = pytest.mark.browser
SLOW = 60_000


def wait_for_row(view: Page, slider: str) -> Any:
    """The row of pictures above a slider, when it shows the view that is on the stage."""
    view.wait_for_selector(f"#{slider}-row .ll-direction-track img", timeout=SLOW)
    view.wait_for_function(
        "row => document.querySelector(`${row} [data-of]`).dataset.of"
        " === document.querySelector('#stage [data-view]').dataset.view",
        arg=f"#{slider}-row",
        timeout=SLOW,
    )
    row = view.locator(f"#{slider}-row .ll-direction-track")
    row.scroll_into_view_if_needed()
    return row


def read_slider(view: Page, slider: str) -> float:
    return float(view.locator(f"#{slider} input[type=number]").input_value())


def test_a_click_on_a_picture_goes_there_and_the_result_is_that_picture(view: Page) -> None:
    row = wait_for_row(view, "bank-1")
    assert row.locator("img").count() == 5
    box = row.bounding_box()
    view.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    caption(view, "pc1 +2.0 σ, pc2 +2.0 σ", SLOW)
    assert read_slider(view, "bank-1") == 2
    shown = wait_for_row(view, "bank-1").locator("img").nth(4).get_attribute("src")
    assert shown == view.locator(".ll-card.ll-accent img").get_attribute("src")


def test_a_drag_between_the_pictures_is_the_slider(view: Page) -> None:
    row = wait_for_row(view, "bank-2")
    box = row.bounding_box()
    middle = box["y"] + box["height"] / 2
    view.mouse.move(box["x"] + box["width"] / 2, middle)
    view.mouse.down()
    for step in range(8):
        view.mouse.move(box["x"] + box["width"] * (0.5 - 0.05 * step), middle)
    view.mouse.up()
    last = read_slider(view, "bank-2")
    assert -2 < last < -1.5  # 15 % of the row from its left edge
    caption(view, f"pc3 {last:+.1f} σ", SLOW)


def test_directions_of_this_picture_come_back_with_their_link(view: Page) -> None:
    view.get_by_text("of this picture").click()
    row = wait_for_row(view, "near-0")
    assert view.locator("#bank-0").is_hidden()
    assert "local 1" in view.locator("#near-0").inner_text()
    assert "decision" in view.locator("#near-3").inner_text()
    box = row.bounding_box()
    view.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + box["height"] / 2)
    caption(view, "local-1 -2.0 σ", SLOW)
    view.wait_for_function("location.search.includes('local-1')", timeout=SLOW)
    before = view.locator(".ll-card.ll-accent img").get_attribute("src")
    view.reload()
    view.wait_for_selector(".ll-tile img", timeout=SLOW)
    caption(view, "local-1 -2.0 σ", SLOW)
    assert view.locator(".ll-card.ll-accent img").get_attribute("src") == before
    view.wait_for_selector("#near-0", timeout=SLOW)
    view.wait_for_function("document.querySelector('#near-0 input[type=number]')?.value === '-2'", timeout=SLOW)
    assert view.locator("#bank-0").is_hidden()


def test_another_picture_has_other_rows(view: Page) -> None:
    before = wait_for_row(view, "bank-0").inner_html()
    view.locator("#examples [data-key]").nth(2).click()
    view.wait_for_function(
        "before => document.querySelector('#bank-0-row .ll-direction-track').innerHTML !== before",
        arg=before,
        timeout=SLOW,
    )
    assert wait_for_row(view, "bank-0").locator("img").count() == 5
