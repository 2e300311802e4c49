"""Every tab on a screen of 390 px, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
TABS = ("Explore", "Mix", "Attack", "Explain", "Map", "Audit", "Train", "Compare", "Toy room", "Learn")
BAR = ".tab-container:not(.visually-hidden)"
WIDE = "() => document.documentElement.scrollWidth"
CUT = "bar => { const seen = document.querySelector(bar); return seen.scrollWidth - seen.clientWidth; }"


def open_tab(view: Page, name: str) -> None:
    """By the bar, or by the menu of those that do not fit."""
    shown = view.locator(f"{BAR} button").get_by_text(name, exact=True)
    if not shown.count():
        view.locator(".overflow-menu > button").click()
        shown = view.locator(".overflow-dropdown button").get_by_text(name, exact=True)
    shown.click()
    view.wait_for_selector(f"{BAR} button.selected:text-is('{name}')")
    view.wait_for_timeout(1500)


def test_no_tab_is_wider_than_a_phone_and_no_name_is_cut(view: Page) -> None:
    view.set_viewport_size({"width": 390, "height": 900})
    view.reload()
    view.wait_for_selector(".ll-tile img")
    for name in TABS:
        open_tab(view, name)
        assert view.evaluate(WIDE) <= 390, name
        assert view.evaluate(CUT, BAR) <= 0, name


def test_no_name_is_cut_on_a_narrow_desk_and_the_pictures_stand_in_one_row(view: Page) -> None:
    for width in (1280, 1024, 910, 768):
        view.set_viewport_size({"width": width, "height": 900})
        view.wait_for_timeout(500)
        assert view.evaluate(WIDE) <= width
        assert view.evaluate(CUT, BAR) <= 0
        pictures = [view.locator("#stage .ll-card img").nth(n).bounding_box()["y"] for n in range(5)]
        assert len({round(top) for top in pictures}) == 1


@pytest.mark.parametrize("count", [2, 10])
def test_the_numbers_stand_below_the_bars_of_few_classes_and_of_many(view: Page, count: int) -> None:
    view.set_viewport_size({"width": 390, "height": 900})
    view.evaluate("count => document.querySelectorAll('.ll-bar').forEach((bar, n) => n < count || bar.remove())", count)
    assert view.locator("#stage .ll-bar").count() == count
    bars, numbers = (view.locator(f"#stage {name}").bounding_box() for name in (".ll-bars", ".ll-numbers"))
    assert bars["y"] + bars["height"] <= numbers["y"]
    assert bars["width"] > 300


def test_a_picture_is_taken_seen_and_moved_on_the_first_two_screens(view: Page) -> None:
    view.set_viewport_size({"width": 390, "height": 844})
    order = [view.locator(name).bounding_box()["y"] for name in ("#slots", "#drop", "#stage", "#bank-0", "#draw-from")]
    assert order == sorted(order)
    assert view.locator("#bank-0 input[type=range]").bounding_box()["y"] < 2 * 844


def test_one_button_hands_picture_and_address_to_the_phone(view: Page) -> None:
    view.set_viewport_size({"width": 390, "height": 844})
    view.add_init_script("navigator.canShare = () => true; navigator.share = async (held) => { window.given = held; };")
    view.reload()
    view.wait_for_selector("#take-share:visible")
    assert not view.locator("#take-png").is_visible()
    view.locator("#take-share").click()
    view.wait_for_function("window.given")
    assert view.evaluate("given.url").startswith(view.url.partition("?")[0] + "?")
    assert view.evaluate("given.files[0].type") == "image/png"
    start = view.evaluate("given.files[0].arrayBuffer().then(bytes => [...new Uint8Array(bytes).slice(0, 4)])")
    assert bytes(start) == b"\x89PNG"
    view.set_viewport_size({"width": 1280, "height": 900})
    assert view.locator("#take-png").is_visible()
    assert not view.locator("#take-share").is_visible()


def test_a_phone_that_shares_nothing_keeps_its_buttons(view: Page) -> None:
    view.set_viewport_size({"width": 390, "height": 844})
    view.add_init_script("delete Navigator.prototype.canShare")
    view.reload()
    view.wait_for_selector("#take-png:visible")
    assert not view.locator("#take-share").is_visible()
    assert view.locator("#pack").is_visible()
