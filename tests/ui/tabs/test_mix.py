"""Two sets and the style grid, in Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page
from ui.hand import caption, choose, result

pytestmark = pytest.mark.browser
SLOW = 30_000


@pytest.fixture
def mix(view: Page) -> Any:
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed, λ 0.50", SLOW)
    view.get_by_text("many pictures", exact=True).click()
    view.wait_for_selector("#mix-many .ll-panel", timeout=SLOW)
    return view


def total(view: Page, panel: int) -> float:
    words = view.locator(".ll-panel h4 span").nth(panel).inner_text()
    return float(words.partition("=")[2].removesuffix("σ²").replace(",", ""))


def test_the_plan_stands_beside_random_pairs_and_costs_no_more(mix: Page) -> None:
    assert mix.locator(".ll-panel").count() == 2
    assert total(mix, 0) <= total(mix, 1)
    for panel in (0, 1):
        one = mix.locator(".ll-panel").nth(panel)
        assert one.locator(".ll-lines line").count() == one.locator(".ll-chosen").count() == 8
        assert one.locator(".ll-mixed .ll-soft i").count() >= 8
    assert "of the squared distance of the random pairs" in mix.locator(".ll-verdict").inner_text()


def test_k_changes_both_sides(mix: Page) -> None:
    mix.locator("#mix-k input[type=number]").fill("3")
    mix.locator("#mix-k input[type=number]").press("Tab")
    mix.wait_for_function("document.querySelectorAll('.ll-lines line').length === 6", timeout=SLOW)


def test_a_pair_lights_up_together(mix: Page) -> None:
    mix.locator(".ll-panel").first.locator(".ll-mixed").nth(2).hover()
    lit = mix.locator(".ll-panel").first.locator(".ll-lit")
    assert lit.count() == 5  # two pictures, their line, their cost, their mix
    assert mix.locator(".ll-panel").nth(1).locator(".ll-lit").count() == 0


def test_a_mixed_picture_goes_to_the_workbench_as_it_is(mix: Page) -> None:
    choose(mix, "space", "Pixels")
    mix.wait_for_function("!document.querySelector('.ll-panel h4 span').innerText.includes('σ')", timeout=SLOW)
    tile = mix.locator(".ll-panel").first.locator(".ll-mixed").nth(1)
    wanted = tile.locator("img").get_attribute("src")
    tile.click()
    mix.wait_for_function(
        "src => document.querySelector('.ll-card.ll-accent img').src === src", arg=wanted, timeout=SLOW
    )
    assert result(mix) == wanted
    assert "test" in mix.locator(".ll-slot[data-key=input]").inner_text()
    assert mix.locator("#mix-scale-mode input:checked").count() == 1
    assert mix.locator("#mix-many .ll-panel").count() == 2


def test_the_seed_gives_other_random_pairs_and_the_same_plan(mix: Page) -> None:
    lines = "k => [...document.querySelectorAll('.ll-lines')[k].children].map(line => line.getAttribute('y2')).join()"
    plan, random = (mix.evaluate(lines, k) for k in (0, 1))
    mix.locator("#bench-seed input").fill("11")
    mix.locator("#bench-seed input").press("Tab")
    mix.wait_for_function(
        "before => [...document.querySelectorAll('.ll-lines')[1].children]"
        ".map(line => line.getAttribute('y2')).join() !== before",
        arg=random,
        timeout=SLOW,
    )
    assert mix.evaluate(lines, 0) == plan


def test_the_grid_crosses_contents_with_styles(mix: Page) -> None:
    mix.get_by_text("borrow parts").click()
    mix.wait_for_selector("#mix-many .ll-grid", timeout=SLOW)
    assert mix.locator(".ll-swapped").count() == 25
    assert mix.locator(".ll-swapped.ll-own").count() == 5
    mix.locator(".ll-swapped").nth(2).click()
    caption(mix, "fine swapped", SLOW)
    mix.wait_for_function(
        "document.querySelector('.ll-slot[data-key=partner]').innerText.includes('digits test 2')", timeout=SLOW
    )
    assert "digits test 0" in mix.locator(".ll-slot[data-key=input]").inner_text()


def test_a_space_of_one_part_says_so_and_the_last_grid_stays(mix: Page) -> None:
    choose(mix, "space", "Pixels")
    mix.get_by_text("borrow parts").click()
    mix.wait_for_selector("#mix-note .ll-note", timeout=SLOW)
    assert "single latent part" in mix.locator("#mix-note").inner_text()
    assert mix.locator("#mix-many .ll-panel").count() == 2


def test_parts_of_a_mix(view: Page) -> None:
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed, λ 0.50", SLOW)
    before = result(view)
    view.locator("#mix-parts").get_by_text("coarse").click()
    view.wait_for_function(
        "src => document.querySelector('.ll-card.ll-accent img').src !== src", arg=before, timeout=SLOW
    )
    assert "+" in view.locator(".ll-numbers").inner_text() or "soft label" in view.locator(".ll-numbers").inner_text()


@pytest.mark.parametrize("mode", ["part of the way", "borrow parts"])
def test_on_a_narrow_screen_nothing_sticks_out(mix: Page, mode: str) -> None:
    mix.get_by_text(mode).click()
    mix.wait_for_selector("#mix-many .ll-grid" if mode == "borrow parts" else "#mix-many .ll-panel", timeout=SLOW)
    mix.set_viewport_size({"width": 390, "height": 900})
    assert mix.evaluate(
        "[...document.querySelectorAll('#mix-many, .ll-panel, .ll-grid-box')]"
        ".every(part => part.getBoundingClientRect().right <= 390)"
    )


def test_a_flow_is_mixed_along_the_arc_and_says_why(view: Page) -> None:
    choose(view, "space", "Glow")
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed, λ 0.50", SLOW)
    assert view.locator("#mix-path input[value=spherical]").is_checked()
    assert "greys out" in view.locator("#mix-reason").inner_text()
    choose(view, "space", "Pixels")
    view.wait_for_function("() => !document.querySelector('#mix-reason')?.innerText")
    assert view.locator("#mix-path input[value=spherical]").is_checked()  # the mix in hand stays as it is
