"""The view in the address, taken away as lines of Python, and the way back to earlier ones, in Chromium."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from ui.hand import caption, choose, drop, result, slide

pytestmark = pytest.mark.browser
FIRST = ".ll-tile img"
SHOWN = "src => document.querySelector('.ll-card.ll-accent img').src === src"


def values(view: Page) -> dict[str, str]:
    return {name: found[0] for name, found in parse_qs(urlsplit(view.url).query).items()}


FOLLOWED = """() => {
  const shown = new URLSearchParams(document.querySelector('#stage [data-view]').dataset.view);
  const address = new URL(location.href).searchParams;
  const lines = document.querySelector('#away dialog pre')?.textContent ?? '';
  const named = Object.values(JSON.parse(shown.get('settings') || '{}')).filter(value => typeof value === 'string');
  return [...shown].every(([name, value]) => address.get(name) === value) && named.every(word => lines.includes(word));
}"""


def at_rest(view: Page) -> None:
    """Until the address and what hangs on it have followed."""
    view.wait_for_function(FOLLOWED)
    view.wait_for_timeout(900)


def test_the_address_holds_the_view_and_a_reload_brings_it_back(view: Page) -> None:
    view.wait_for_url(re.compile("operator=shift"))
    choose(view, "space", "Glow")
    view.locator(".ll-thumb[data-key='3']").first.click()
    view.get_by_text("random noise").click()
    caption(view, "noise ε")
    slide(view, "noise-epsilon", 2.5)
    caption(view, "noise ε 2.5 σ")
    at_rest(view)
    assert values(view) == values(view) | {"world": "digits", "model": "digits-glow", "input": "example 4"}
    before = result(view)
    view.reload()
    view.wait_for_selector(FIRST)
    caption(view, "noise ε 2.5 σ")
    assert result(view) == before
    assert view.locator("#space input").first.input_value() == "Glow"
    assert view.locator("#noise-epsilon input[type=number]").input_value() == "2.5"
    assert view.locator("#examples .ll-thumb[aria-pressed=true]").get_attribute("data-key") == "3"
    assert view.locator("#header-note .ll-note").count() == 0


def test_a_link_opens_its_tab_for_another_visitor(view: Page, served: str) -> None:
    view.get_by_role("tab", name="Mix").click()
    caption(view, "mixed, λ 0.50")
    slide(view, "mix-lam", 0.25)
    caption(view, "mixed, λ 0.25")
    at_rest(view)
    view.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.locator("#take-link").click()
    view.get_by_text("Copied").wait_for()
    address = view.evaluate("navigator.clipboard.readText()")
    other = view.context.browser.new_page()
    other.goto(address)
    other.wait_for_selector(FIRST)
    assert result(other) == result(view)
    assert other.get_by_role("tab", name="Mix").get_attribute("aria-selected") == "true"


def test_a_reload_opens_the_tab_that_one_was_on(view: Page, served: str) -> None:
    for name, key in (("Train", "train"), ("Map", "map"), ("Compare", "compare"), ("Toy room", "toys")):
        view.get_by_role("tab", name=name, exact=True).click()
        view.wait_for_url(re.compile(f"tab={key}"))
        view.reload()
        view.wait_for_selector(FIRST)
        view.wait_for_selector(f"#tabs [role=tab][aria-selected=true]:has-text('{name}')")
    view.locator(".ll-model").nth(1).click()  # another space with the same move leaves the tab open
    view.wait_for_selector(".ll-model:nth-child(2)[aria-pressed=true]")
    at_rest(view)
    assert view.get_by_role("tab", name="Toy room").get_attribute("aria-selected") == "true"
    view.goto(served + "?world=digits&tab=nowhere")
    view.wait_for_selector(FIRST)
    view.wait_for_selector("#tabs [role=tab][aria-selected=true]:has-text('Explore')")


def test_an_upload_survives_a_reload_and_one_that_is_damaged_is_said(view: Page, tmp_path: Path) -> None:
    Image.linear_gradient("L").save(tmp_path / "grey.png")
    drop(view, tmp_path / "grey.png")
    view.get_by_text("upload 256 × 256").first.wait_for()
    at_rest(view)
    before = result(view)
    view.reload()
    view.wait_for_selector(FIRST)
    at_rest(view)
    assert result(view) == before
    assert view.locator("#header-note .ll-note").count() == 0
    view.goto(view.url.replace("input-picture=", "input-picture=AAAA"))
    view.wait_for_selector("#header-note .ll-note")
    assert "damaged; an example stands in" in view.locator("#header-note").inner_text()
    at_rest(view)
    assert "input-picture" not in view.url
    slide(view, "bank-0", 1)
    caption(view, "pc1 +1.0 σ")
    view.wait_for_function("!document.querySelector('#header-note .ll-note')")
    assert view.locator(".ll-note").count() == 0


@pytest.mark.parametrize("query", ["?world=atlantis", "?world=digits&operator=shift&model=/etc/passwd", "?view=api"])
def test_a_strange_address_shows_the_first_view(view: Page, served: str, query: str) -> None:
    view.goto(served + query)
    view.wait_for_selector(FIRST)
    caption(view, "+2.0 σ")
    lines = view.locator("#header-note .ll-note").all_inner_texts()
    assert len(lines) == (0 if "view" in query else 1)
    assert all("does not open" in line for line in lines)


def test_the_world_last_used_is_opened(view: Page, served: str) -> None:
    at_rest(view)
    assert view.evaluate("localStorage.getItem('latentlab-world')") == "digits"
    view.evaluate("localStorage.setItem('latentlab-world', 'atlantis')")
    view.goto(served)
    view.wait_for_selector("#header-note .ll-note")
    assert "atlantis" in view.locator("#header-note").inner_text()
    at_rest(view)
    assert view.evaluate("localStorage.getItem('latentlab-world')") == "digits"


def test_the_lines_of_python_are_shown_and_make_the_picture(
    view: Page, small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide(view, "bank-1", -1.25)
    caption(view, "pc2 -1.2 σ")
    at_rest(view)
    with view.expect_download() as download:
        view.locator("#take-png").click()
    file = download.value.suggested_filename
    download.value.save_as(tmp_path / file)
    view.locator("#take-python").click()
    lines = view.locator("dialog pre").inner_text()
    view.keyboard.press("Escape")
    assert not view.locator("dialog").is_visible()
    (tmp_path / "checkpoints").symlink_to(small_world)
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    with Image.open(file) as a, Image.open("again.png") as b:
        assert np.array_equal(np.array(a), np.array(b))
    assert file in lines


def test_a_recipe_alone_is_opened_by_its_button_and_by_a_drop(view: Page, tmp_path: Path) -> None:
    slide(view, "bank-1", -1.25)
    caption(view, "pc2 -1.2 σ")
    at_rest(view)
    before = result(view)
    with view.expect_download() as download:
        view.locator("#pack [data-key=zip]").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extract("recipe.json", tmp_path)
    recipe = (tmp_path / "recipe.json").read_text()
    choose(view, "space", "Glow")
    view.wait_for_selector(".ll-model[aria-pressed=true] b:text-is('Glow')")
    view.set_input_files("#recipe input[type=file]", str(tmp_path / "recipe.json"))
    view.wait_for_function(SHOWN, arg=before)
    assert view.locator("#space input").first.input_value() == "StyleGAN2"
    assert view.locator("#bank-1 input[type=number]").input_value() == "-1.25"
    fall(view, recipe.replace('"model_digest": "', '"model_digest": "00'))
    view.wait_for_selector("#bench-note .ll-note:has-text('expected hash 00')")
    fall(view, recipe.replace('"model_digest": "', '"model_digest": "00').replace("example-1", "cat"))
    view.wait_for_selector("#bench-note .ll-note li:has-text('not inside it')")  # several lines are seen, too
    fall(view, "no recipe")
    view.wait_for_selector("#bench-note .ll-note:has-text('This is no recipe')")
    assert result(view) == before


def fall(view: Page, text: str) -> None:
    """A file recipe.json let fall on the place for pictures."""
    view.evaluate(
        "text => { const held = new DataTransfer(); held.items.add(new File([text], 'recipe.json'));"
        "document.querySelector('#drop button').dispatchEvent("
        "new DragEvent('drop', { dataTransfer: held, bubbles: true, cancelable: true })); }",
        text,
    )


def test_the_last_views_are_kept_and_come_back_by_click_and_by_keyboard(view: Page) -> None:
    view.wait_for_selector("#past .ll-thumb")
    first = result(view)
    slide(view, "bank-0", -3)
    caption(view, "pc1 -3.0 σ")
    view.wait_for_function("document.querySelectorAll('#past .ll-thumb').length === 2")
    second = result(view)
    view.locator("#past .ll-thumb").nth(1).click()
    caption(view, "+2.0 σ")
    assert result(view) == first
    view.wait_for_selector("#past .ll-thumb:nth-child(2)[aria-pressed=true]")
    assert view.locator("#bank-0 input[type=number]").input_value() == "2"
    view.locator("#past .ll-thumb").nth(0).focus()
    view.keyboard.press("Enter")
    caption(view, "pc1 -3.0 σ")
    assert result(view) == second
    at_rest(view)
    assert view.locator("#past .ll-thumb").count() == 2
    assert view.evaluate("document.activeElement.dataset.key") == "1"


def test_the_keyboard_passes_through_every_control_and_changes_nothing(view: Page) -> None:
    slide(view, "bank-1", -1.25)
    caption(view, "pc2 -1.2 σ")
    at_rest(view)
    before = result(view)
    view.reload()
    view.wait_for_selector(FIRST)
    for _ in range(60):
        view.keyboard.press("Tab")
    at_rest(view)
    assert result(view) == before
    assert view.locator("#past .ll-thumb").count() == 1
    assert view.locator("[role=option]:visible").count() == 0
