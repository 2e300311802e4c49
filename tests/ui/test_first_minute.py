"""What a newcomer reads, and how it goes away; and what the last line of the page opens."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from ui.hand import caption, slide

pytestmark = pytest.mark.browser
FIRST = ".ll-tile img"


def test_three_sentences_one_move_and_never_again(view: Page) -> None:
    view.wait_for_selector("#welcome section:visible")
    assert view.locator("#welcome p").inner_text().count(". ") == 2
    view.locator("#welcome").get_by_text("Show me a move").click()
    caption(view, "pc1 -2.0 σ")
    assert not view.locator("#welcome").is_visible()
    view.reload()
    view.wait_for_selector(FIRST)
    assert not view.locator("#welcome").is_visible()


def test_who_has_moved_something_is_not_welcomed_a_second_time(view: Page) -> None:
    slide(view, "bank-0", 1)
    caption(view, "pc1 +1.0 σ")
    assert view.locator("#welcome").is_visible()  # nothing jumps under a hand
    view.reload()
    view.wait_for_selector(FIRST)
    assert not view.locator("#welcome").is_visible()


def test_a_tab_says_what_it_is_for_until_it_has_been_used(view: Page) -> None:
    line = view.locator("#tabs .ll-purpose:visible")
    assert "latent space" in line.inner_text()
    slide(view, "bank-0", 1)
    view.get_by_role("tab", name="Mix", exact=True).click()
    caption(view, "mixed")
    assert "with another" in line.inner_text()
    view.get_by_role("tab", name="Explore", exact=True).click()
    view.wait_for_selector("#bank-0:visible")
    assert line.count() == 0
    view.reload()
    view.wait_for_selector("#bank-0:visible")
    assert line.count() == 0


def test_the_last_line_opens_what_gradio_has_in_its_footer(view: Page) -> None:
    assert not view.locator("footer").is_visible()
    view.evaluate(
        "for (const name of ['show-api', 'settings']) document.querySelector(`footer .${name}`)"
        ".addEventListener('click', (event) => { event.stopImmediatePropagation(); window.opened = name; }, true)"
    )
    for words, name in (("Use it from a program", "show-api"), ("Language and theme", "settings")):
        view.get_by_role("button", name=words).click()
        assert view.evaluate("window.opened") == name
