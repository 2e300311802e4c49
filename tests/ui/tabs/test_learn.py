"""A visitor's way through a lesson, in Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page
from ui.hand import caption

from latentlab.session.lessons import biased_race

pytestmark = pytest.mark.browser
SLOW = 60_000


@pytest.fixture
def learn(view: Page) -> Any:
    view.get_by_role("tab", name="Learn").click()
    view.wait_for_selector(".ll-learn")
    return view


def predict(view: Page, option: int) -> None:
    """Choose an option of the open question, and wait for what the networks say."""
    before = view.locator(".ll-told").count()
    view.locator("button.ll-option").nth(option).click()
    view.wait_for_function("count => document.querySelectorAll('.ll-told').length > count", arg=before, timeout=SLOW)


def test_the_answer_is_not_on_the_page_before_the_prediction(learn: Page) -> None:
    assert learn.locator(".ll-lesson-card").count() == 6
    assert learn.locator("button.ll-option").count() == 3
    assert learn.locator(".ll-told, .ll-seen, .ll-samples").count() == 0
    assert learn.locator(".ll-step").count() == 1


def test_a_lesson_to_its_end_and_into_the_tab_it_is_about(learn: Page) -> None:
    predict(learn, 1)
    assert learn.locator(".ll-seen").count() == 1
    assert learn.locator(".ll-said").count() == 1
    assert learn.locator(".ll-samples img").count() == 24
    assert "bits/dim" in learn.locator(".ll-told").inner_text()
    predict(learn, 0)
    assert learn.locator(".ll-end h3").inner_text().split(" ")[1:3] == ["of", "2"]
    right = learn.locator(".ll-seen.ll-said").count()
    assert learn.locator(".ll-end h3").inner_text().startswith(f"{right} of")
    learn.locator(".ll-go").click()
    learn.wait_for_selector("button[role=tab][aria-selected=true]:has-text('Explore')", timeout=SLOW)
    caption(learn, "noise ε 2.8 σ", SLOW)  # 0.7 √16
    assert learn.locator("#space input").first.input_value() == "MMD-VAE"


def test_what_was_predicted_survives_a_reload(learn: Page) -> None:
    learn.locator(".ll-lesson-card").nth(2).click()
    learn.wait_for_selector("h2:text-is('Halfway between two pictures')")
    predict(learn, 2)
    said, told = learn.locator(".ll-said").inner_text(), learn.locator(".ll-told").inner_text()
    learn.reload()
    learn.wait_for_selector(".ll-tile img", timeout=SLOW)
    learn.get_by_role("tab", name="Learn").click()
    learn.wait_for_selector(".ll-told", timeout=SLOW)
    assert learn.locator("h2:text-is('Halfway between two pictures')").count() == 1
    assert learn.locator(".ll-said").inner_text() == said
    assert learn.locator(".ll-told").inner_text() == told
    assert learn.locator(".ll-lesson-card").nth(2).locator(".ll-done").count() == 1


def test_the_plan_of_the_lesson_is_drawn(learn: Page) -> None:
    learn.locator(".ll-lesson-card").nth(2).click()
    learn.wait_for_selector("h2:text-is('Halfway between two pictures')")
    predict(learn, 0)
    predict(learn, 1)
    assert learn.locator(".ll-lesson-plan .ll-lines line").count() == 32
    predict(learn, 2)
    assert learn.locator(".ll-lesson-plan .ll-mixed").count() == 32
    learn.get_by_text("Start again").click()
    learn.wait_for_function("document.querySelectorAll('.ll-told').length === 0", timeout=SLOW)


@pytest.mark.parametrize(("place", "title"), [(3, "A borrowed style, a biased classifier"), (5, "How far may I go?")])
def test_an_answer_that_cannot_be_computed_says_why_and_the_question_stays(learn: Page, place: int, title: str) -> None:
    """Both an answer at once and one that takes a trial need a classifier that is not there."""
    learn.locator(".ll-lesson-card").nth(place).click()
    learn.wait_for_selector(f"h2:text-is('{title}')")
    learn.locator("button.ll-option").first.click()
    learn.wait_for_selector(".ll-lesson .ll-note", timeout=SLOW)
    assert "latentlab fit resnet --data digits-biased" in learn.locator(".ll-lesson .ll-note").inner_text()
    assert learn.locator("button.ll-option").count() == 3
    assert learn.locator(".ll-busy").count() == 0


def test_two_classifiers_learn_while_one_waits(learn: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two updates each: who reads more is not the matter here."""
    monkeypatch.setattr(biased_race, "BIASED", replace(biased_race.BIASED, steps=2))
    learn.locator(".ll-lesson-card").nth(4).click()
    learn.wait_for_selector("h2:text-is('Biased digits in one minute')")
    assert learn.locator(".ll-told").count() == 0
    predict(learn, 1)
    assert re.search(r"points \([+−]\d+ to [+−]\d+\)", learn.locator(".ll-told").inner_text())
    predict(learn, 0)
    assert "docs/findings.md" in learn.locator(".ll-end").inner_text()


def test_the_keyboard_is_enough(learn: Page) -> None:
    learn.locator("button.ll-option").first.focus()
    learn.keyboard.press("Enter")
    learn.wait_for_selector(".ll-told", timeout=SLOW)
    learn.wait_for_function("document.activeElement.closest('.ll-open') !== null")


def test_on_a_narrow_screen_nothing_sticks_out(learn: Page) -> None:
    predict(learn, 0)
    learn.set_viewport_size({"width": 390, "height": 900})
    assert learn.evaluate(
        "[...document.querySelectorAll('.ll-learn, .ll-step, .ll-lesson-card, .ll-option')]"
        ".every(part => part.getBoundingClientRect().right <= 390)"
    )
