"""What a visitor's hands and eyes do on the page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def drop(view: Page, path: Path) -> None:
    view.set_input_files("#drop input[type=file]", str(path))


def result(view: Page) -> str:
    """The result's picture, as it stands in the page."""
    return view.locator(".ll-card.ll-accent img").get_attribute("src")


def caption(view: Page, words: str, timeout: int = 10_000) -> None:
    view.wait_for_function(
        "words => document.querySelector('.ll-card.ll-accent figcaption').innerText.includes(words)",
        arg=words,
        timeout=timeout,
    )


def slide(view: Page, elem_id: str, value: float) -> None:
    view.locator(f"#{elem_id} input[type=number]").fill(str(value))
    view.locator(f"#{elem_id} input[type=number]").press("Tab")


def choose(view: Page, elem_id: str, option: str) -> None:
    view.locator(f"#{elem_id} input").first.click()
    view.get_by_role("option", name=option, exact=True).click()
    view.wait_for_timeout(500)  # Gradio shows the parts of one answer one after another
