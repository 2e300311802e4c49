"""The whole way in Chromium: audit the move, set the limit, open a broken picture, leave them out, start a training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page
from repository import CHECKPOINTS
from ui.conftest import PATIENCE, watched
from ui.hand import slide

from latentlab.runs import Runs
from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch

pytestmark = [pytest.mark.browser, pytest.mark.slow]
VIEW = {
    "world": "digits",
    "model": "digits-pixels",
    "classifier": "digits-resnet-biased",
    "operator": "noise",
    "settings": '{"epsilon": 24}',
}


@pytest.fixture
def view(tmp_path, chromium: str | None) -> Iterator[Page]:
    runs = Runs(tmp_path, flags=("--checkpoints", str(CHECKPOINTS)))
    launch.prepare_gradio()
    page = build_page(Store(CHECKPOINTS, "cpu", runs=tmp_path), runs=runs)
    address = launch.launch_page(page, prevent_thread_lock=True, quiet=True, **load_page_style())
    with watched(address, chromium) as found:
        found.goto(f"{address}?{urlencode(VIEW)}")
        found.wait_for_selector(".ll-tile img")
        yield found
    page.close()


def test_from_a_verdict_to_a_training_without_the_broken(view: Page) -> None:
    view.get_by_role("tab", name="Audit").click()
    slide(view, "audit-images", 60)
    view.locator("#audit-half").get_by_label("train").check()
    view.locator("#audit-more").get_by_text("How it is measured").click()
    slide(view, "audit-reach", 60)
    view.locator("#audit-go").click()
    view.locator("#audit-told .ll-state.ll-finished").wait_for(timeout=3 * PATIENCE)
    verdict = view.locator("#audit-moves .ll-verdict li")
    told = verdict.first.inner_text()
    assert re.match(r"Keeps the label of \d+\.\d % \(.*\) of the \d+ images that the judge knew\.", told)

    button = view.locator("#audit-moves [data-key='limit:0']")
    limit = float(button.inner_text().split()[-1])
    button.click()
    view.wait_for_function(
        "words => document.querySelector('.ll-card.ll-accent figcaption').innerText.includes(words)",
        arg=f"ε {limit:g}",
    )
    assert 0 < limit < 24

    broken = view.locator("#audit-moves [data-key^='open:0:']").first
    row = broken.get_attribute("data-key").split(":")[-1]
    broken.click()
    view.locator("#slots").get_by_text(f"digits train {row}").wait_for()

    leave = view.locator("#audit-moves [data-key='leave:0']")
    count = int(re.search(r"\d+", leave.inner_text())[0])
    leave.click()
    view.locator("#chosen").get_by_text(f"{5768 - count} train images").wait_for()
    view.get_by_role("tab", name="Train").click()
    view.get_by_label(f"only the selection, {5768 - count} images").check()
    view.locator("#train-budget input").fill("2")
    view.locator("#train-go").click()
    view.locator("#train-list .ll-run").first.wait_for()

    view.get_by_role("tab", name="Audit").click()
    with view.expect_download() as download:
        view.locator("#audit-file [data-key=report]").click()
    assert download.value.suggested_filename == "report.html"
    with view.expect_download() as download:
        view.locator("#audit-file [data-key=zip]").click()
    assert download.value.suggested_filename == "broken.zip"
