"""Every tab by the rules of axe-core, light and dark; and a whole session by the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page
from repository import ROOT
from ui.hand import caption

pytestmark = pytest.mark.browser
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
TABS = ("Explore", "Mix", "Attack", "Explain", "Map", "Audit", "Train", "Compare", "Toy room", "New world", "Learn")
WHOLE = {
    "Attack": "#attack-verdict dl",
    "Explain": "#explain-view img",
    "Map": "#map-numbers dt",
    "Toy room": "#toys-mixup .main-svg",
    "Learn": "#learn-board button",
}  # what is there when a tab is whole
MOST_TABS = 250  # presses of Tab: more than there are controls


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_tab_breaks_a_rule_of_axe(view: Page, theme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"AXE-CORE MISSING: {AXE}; npm ci brings it")
    view.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    view.reload()
    view.wait_for_selector(".ll-tile img")
    view.evaluate(AXE.read_text())
    for name in TABS:
        view.get_by_role("tab", name=name, exact=True).click()
        view.wait_for_selector(WHOLE.get(name, "#tabs"))
        broken = [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in view.evaluate(RULES)]
        assert broken == [], name


def reach(view: Page, place: str, back: bool = False) -> None:
    """Press Tab until the keyboard is at the place."""
    for _ in range(MOST_TABS):
        if view.evaluate("place => document.activeElement.matches(place)", place):
            return
        view.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"the keyboard does not reach {place}")


def press(view: Page, place: str, key: str = "Enter", back: bool = False) -> None:
    reach(view, place, back)
    view.keyboard.press(key)


@pytest.mark.slow
def test_a_whole_session_is_walked_by_the_keyboard_alone(view: Page) -> None:
    press(view, ".ll-skip")
    for _ in range(4):
        press(view, "#bank-0 input[type=range]", "ArrowRight")
    caption(view, "pc1 +2.2 σ")
    press(view, "#examples [data-key='2']", back=True)
    view.wait_for_selector("#examples [data-key='2'][aria-pressed=true]")
    press(view, "[role=tab][data-tab-id=mix]")
    caption(view, "mixed, λ 0.50")
    press(view, "#mix-lam input[type=range]", "Home")
    caption(view, "mixed, λ 0.00")
    press(view, "[role=tab][data-tab-id=attack]", back=True)
    view.wait_for_selector("#attack-verdict dl")
    press(view, "#attack-step input[type=range]", "Home")
    caption(view, "attacked, ε 0, 0 steps")
    press(view, "[role=tab][data-tab-id=map]", back=True)
    view.wait_for_selector("#map-plot .main-svg")
    press(view, "#map-plot .ll-figure", "+")
    press(view, "#take-python", back=True)
    view.wait_for_selector("dialog[open]")
    view.keyboard.press("Escape")
    assert not view.locator("dialog").is_visible()
    press(view, "#dark", back=True)
    assert re.search(r"\bdark\b", view.locator("body").get_attribute("class") or "")
