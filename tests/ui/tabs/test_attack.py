"""An attack on the page: it runs, stops, is looked at step by step, and is measured over many images."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from ui.hand import caption, choose, result, slide

pytestmark = pytest.mark.browser
SLOW = 60_000  # ms


@pytest.fixture
def tab(view: Page) -> Any:
    choose(view, "space", "Glow")
    view.get_by_role("tab", name="Attack").click()
    view.wait_for_selector("#attack-verdict dl", timeout=SLOW)
    view.wait_for_timeout(1000)  # Gradio shows the parts of one answer one after another
    return view


def steps(view: Page, last: int) -> None:
    view.wait_for_function(
        "last => document.querySelector('#attack-step input[type=range]').max === String(last)", arg=last, timeout=SLOW
    )


def test_it_opens_with_a_whole_attack_and_its_verdict(tab: Page) -> None:
    said = tab.locator("#attack-verdict").inner_text()
    assert "pixel PGD at the same distance" in said
    assert "whether the label was kept is not known" in said
    tab.wait_for_selector("#attack-curve .main-svg")
    steps(tab, 4)
    assert tab.locator("#film .ll-tile").count() == 14  # five steps of the attack, nine of pixel PGD


def test_a_step_is_put_on_the_stage_by_the_slider_and_by_a_click_on_the_curve(tab: Page) -> None:
    slide(tab, "attack-step", 2)
    caption(tab, "attacked, ε 1, 1 steps", SLOW)
    second = result(tab)
    tab.wait_for_timeout(800)
    assert tab.locator("#attack-step input[type=number]").input_value() == "2"
    slide(tab, "attack-step", 4)
    caption(tab, "attacked, ε 1, 3 steps", SLOW)
    assert result(tab) != second
    tab.locator("#attack-curve").scroll_into_view_if_needed()
    point = tab.locator("#attack-curve .scatterlayer .trace").first.locator(".point").nth(2).bounding_box()
    tab.mouse.click(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    caption(tab, "attacked, ε 1, 1 steps", SLOW)
    assert result(tab) == second


def test_a_click_on_a_picture_of_the_film_goes_to_its_step(tab: Page) -> None:
    assert tab.locator("#film .ll-jump").count() == 5  # the control's pictures lead nowhere
    last = result(tab)
    for key, words in (("2", "attacked, ε 1, 1 steps"), ("0", "attacked, ε 0, 0 steps")):
        tab.locator(f"#film .ll-jump[data-key='{key}']").click()
        caption(tab, words, SLOW)
        tab.wait_for_function(
            "key => document.querySelector('#attack-step input[type=number]').value === key", arg=key, timeout=SLOW
        )
        tab.wait_for_selector(f"#film .ll-tile.ll-here .ll-jump[data-key='{key}']", timeout=SLOW)
    assert tab.locator("#adversary-steps input[type=number]").input_value() == "3"  # the settings stay
    tab.locator("#film .ll-jump[data-key='4']").click()
    caption(tab, "attacked, ε 1, 3 steps", SLOW)
    assert result(tab) == last


def test_a_published_attack_brings_its_settings_and_its_space(tab: Page) -> None:
    tab.locator("#attack-method").get_by_text("pixel PGD").click()
    tab.wait_for_selector(".ll-model[aria-pressed=true] b:text-is('Pixels')")
    caption(tab, "attacked, ε 0.0314, 7 steps", SLOW)
    assert tab.locator("#adversary-steps input[type=number]").input_value() == "7"
    steps(tab, 8)
    slide(tab, "adversary-steps", 9)
    tab.wait_for_selector("#attack-method label.selected:has-text('free settings')")


def test_a_stop_stops_and_the_steps_so_far_stay(tab: Page) -> None:
    slide(tab, "adversary-steps", 200)
    tab.wait_for_timeout(500)
    assert tab.locator("#attack-stop").is_disabled()
    tab.locator("#attack-go").click()
    tab.wait_for_function("!document.querySelector('#attack-stop').disabled", timeout=SLOW)
    tab.locator("#attack-stop").click()
    tab.wait_for_selector("#attack-note [role=status]:has-text('Stopped at')")
    tab.wait_for_timeout(2500)
    halted = tab.locator(".ll-card.ll-accent figcaption").inner_text()
    tab.wait_for_timeout(1500)
    assert tab.locator(".ll-card.ll-accent figcaption").inner_text() == halted
    assert "200 steps" not in halted
    slide(tab, "adversary-steps", 3)
    tab.locator("#attack-go").click()
    caption(tab, "3 steps", SLOW)
    tab.wait_for_selector("#attack-verdict dl", timeout=SLOW)


def test_success_is_drawn_as_it_grows_and_can_be_stopped(tab: Page) -> None:
    slide(tab, "success-images", 8)
    tab.locator("#success-go").click()
    tab.get_by_text("96 attacks, on the first 8 test images of digits").wait_for(timeout=2 * SLOW)
    tab.locator("#success-curve .legendtext").first.wait_for()
    names = tab.locator("#success-curve .legendtext").all_text_contents()
    assert names == ["attack: success", "pixel PGD: success"]
    points = "document.querySelector('#success-curve .scatterlayer .trace')?.querySelectorAll('.point').length === 6"
    tab.wait_for_function(points)
    slide(tab, "success-images", 400)
    tab.locator("#success-go").click()
    tab.get_by_text("of 4260 attacks").wait_for(timeout=SLOW)
    tab.locator("#success-stop").click()
    tab.wait_for_selector("#success-note:has-text('Stopped')")
    tab.wait_for_timeout(2500)
    halted = tab.locator("#success-words").inner_text()
    tab.wait_for_timeout(1500)
    assert tab.locator("#success-words").inner_text() == halted
