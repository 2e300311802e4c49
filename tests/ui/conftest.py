"""The page of the small world, served on this machine, and a browser to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch

BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 180_000  # ms: a busy machine is no error of the page
CUT_OFF = (
    "AbortError",
    "Connection errored out",
    "The connection was lost",
)  # what Gradio says of a request that a reload cut off


@pytest.fixture(scope="session")
def served(small_world: Path) -> Iterator[str]:
    """The address of a page behind the guard."""
    launch.prepare_gradio()
    page = build_page(Store(small_world, "cpu"))
    yield launch.launch_page(page, prevent_thread_lock=True, quiet=True, **load_page_style())
    page.close()


@pytest.fixture
def view(served: str, chromium: str | None) -> Iterator[Page]:
    """A page of a fresh visitor in Chromium."""
    with watched(served, chromium) as page:
        yield page


@contextmanager
def watched(address: str, chromium: str | None) -> Iterator[Page]:
    """A page in a browser of its own. At the end: no error in its console, no request to another host.

    An aborted request is no error: Gradio's stream of results is cut off by a reload.
    """
    complaints: list[str] = []

    def complain(text: str) -> None:
        if not any(words in text for words in CUT_OFF):
            complaints.append(text)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
        context.on("console", lambda line: complain(f"{line.text} {line.location}") if line.type == "error" else None)
        context.on("weberror", lambda told: complain(str(told.error)))
        context.on("request", lambda request: complaints.append(request.url) if not own(request.url, address) else None)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(".ll-tile img")
        yield page
        browser.close()
    assert complaints == []


def own(url: str, served: str) -> bool:
    return url.startswith((served.rstrip("/"), "data:", "blob:"))
