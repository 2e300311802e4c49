"""Heat maps on the page: the quick ones follow the stage, the slow ones wait for the button and are never stale."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from ui.hand import caption, slide

pytestmark = pytest.mark.browser
MAPS = "#explain-view .ll-over img + img"


@pytest.fixture
def tab(view: Page) -> Any:
    view.get_by_role("tab", name="Explain").click()
    view.wait_for_selector(MAPS, timeout=60_000)
    return view


def read_moved_map(view: Page) -> str:
    return view.locator(MAPS).nth(1).get_attribute("src")


def test_three_maps_over_their_pictures_on_one_scale(tab: Page) -> None:
    assert tab.locator(MAPS).count() == 3
    assert tab.locator("#explain-view .ll-scale img").count() == 1
    whole = "image => [getComputedStyle(image).imageRendering, image.width % image.naturalWidth]"
    assert tab.locator(MAPS).first.evaluate(whole) == ["pixelated", 0]
    assert tab.locator("#explain-go").is_disabled()


def test_a_quick_map_follows_the_stage(tab: Page) -> None:
    before = read_moved_map(tab)
    tab.get_by_role("tab", name="Explore").click()
    slide(tab, "bank-0", -3)
    caption(tab, "pc1 -3.0 σ")
    tab.get_by_role("tab", name="Explain").click()
    tab.wait_for_function("([maps, old]) => document.querySelectorAll(maps)[1]?.src !== old", arg=[MAPS, before])
    still = tab.locator(MAPS).first.get_attribute("src")
    tab.get_by_text("Grad-CAM", exact=True).click()
    tab.wait_for_function("([maps, old]) => document.querySelectorAll(maps)[0]?.src !== old", arg=[MAPS, still])
    caption(tab, "pc1 -3.0 σ")


def test_the_maps_fade_into_the_pictures(tab: Page) -> None:
    slide(tab, "explain-over", 0.2)
    tab.wait_for_function("maps => getComputedStyle(document.querySelector(maps)).opacity === '0.2'", arg=MAPS)


def test_a_slow_map_waits_for_the_button_tells_its_gap_and_is_gone_with_its_picture(tab: Page) -> None:
    tab.get_by_text("integrated gradients", exact=True).click()
    tab.wait_for_selector("#explain-view .ll-yet")
    assert tab.locator(MAPS).count() == 0
    tab.locator("#explain-go").click()
    tab.wait_for_selector(MAPS, timeout=60_000)
    told = tab.locator("#explain-view figcaption").first.inner_text()
    assert "logits" in told
    assert "missing" in told
    tab.locator(".ll-thumb").nth(3).click()
    tab.wait_for_selector("#explain-view .ll-yet")
    assert tab.locator(MAPS).count() == 0


def test_a_class_may_be_asked_for_and_a_square_that_does_not_fit_is_one_line(tab: Page) -> None:
    before = tab.locator(MAPS).first.get_attribute("src")
    tab.locator("#explain-class input").click()
    tab.get_by_role("option", name="8", exact=True).click()
    tab.wait_for_function("([maps, old]) => document.querySelector(maps)?.src !== old", arg=[MAPS, before])
    assert "‘8’" in tab.locator("#explain-view .ll-told").inner_text()
    tab.get_by_text("occlusion", exact=True).click()
    tab.wait_for_selector("#explain-view .ll-yet")
    slide(tab, "explain-occlusion-window", 40)
    tab.locator("#explain-go").click()
    tab.get_by_text("the window must fit into 32 pixels").wait_for()
