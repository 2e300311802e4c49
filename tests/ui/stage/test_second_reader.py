"""A second classifier on the stage, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page
from torch import nn
from ui.conftest import watched
from ui.hand import choose, slide

from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch

pytestmark = pytest.mark.browser
SLOW = 60_000


class Stubborn(nn.Module):
    """Sees a 3 in every picture."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 5 * nn.functional.one_hot(torch.full((len(images),), 3), 10).float()


@pytest.fixture
def view(small_world: Path, chromium: str | None) -> Iterator[Page]:
    launch.prepare_gradio()
    store = Store(small_world, "cpu")
    store.add("stubborn", Stubborn(), tuple("0123456789"), image_shape=(3, 32, 32))
    page = build_page(store)
    address = launch.launch_page(page, prevent_thread_lock=True, quiet=True, **load_page_style())
    with watched(address, chromium) as seen:
        yield seen
    page.close()


def test_two_readers_and_where_they_disagree(view: Page) -> None:
    assert view.locator(".ll-second").count() == 0
    choose(view, "second", "stubborn")
    view.wait_for_selector(".ll-second", timeout=SLOW)
    said = view.locator(".ll-second").inner_text()
    assert "stubborn" in said
    assert "3 94 % → 94 %" in said  # e⁵ / (e⁵ + 9)
    assert "disagree" in said or "Both read the same" in said
    slide(view, "bank-0", -1)
    view.wait_for_function("location.search.includes('second=stubborn')", timeout=SLOW)
    view.wait_for_function("document.querySelector('.ll-tile figcaption').innerText.includes('94 % 3')", timeout=SLOW)
    view.wait_for_function(
        "document.querySelector('#course-note').innerText.includes('stubborn, dotted, reads')", timeout=SLOW
    )
    choose(view, "second", "none")
    view.wait_for_function("!document.querySelector('.ll-second')", timeout=SLOW)
