"""A short run from the page: started, watched, left, found again, stopped, gone on with, compared; in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from ui.conftest import watched
from ui.hand import caption

from latentlab.runs import Runs
from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that may train, on a runs folder of its own."""
    folder = tmp_path_factory.mktemp("runs")
    runs = Runs(folder, flags=("--checkpoints", str(small_world)))
    launch.prepare_gradio()
    page = build_page(Store(small_world, "cpu", runs=folder), runs=runs)
    yield launch.launch_page(page, prevent_thread_lock=True, quiet=True, **load_page_style())
    page.close()


@pytest.fixture
def view(trained: str, chromium: str | None) -> Iterator[Page]:
    with watched(trained, chromium) as page:
        yield page


def open_tab(view: Page, name: str) -> None:
    view.get_by_role("tab", name=name).click()


def begin_run(view: Page, seconds: float, name: str, **more: bool) -> None:
    open_tab(view, "Train")
    view.locator("#train-budget input").fill(str(seconds))
    view.locator("#train-name input, #train-name textarea").fill(name)
    if more.get("twin"):
        view.get_by_label("start a baseline beside it").check()
    view.locator("#train-go").click()
    view.locator(f".ll-run-name b:text-is('{name}')").first.wait_for()


def state(view: Page, words: str) -> None:
    view.wait_for_function(
        "words => document.querySelector('#train-told .ll-state')?.innerText.includes(words)",
        arg=words,
    )


def losses(view: Page) -> list[float]:
    """The curve as it is drawn: the steps of the smoothed trace."""
    return view.evaluate(
        "() => [...(document.querySelector('#train-loss .js-plotly-plot')?.data?.at(-1)?.x ?? [])].map(Number)"
    )


def longer(view: Page, than: int) -> None:
    view.wait_for_function(
        "than => (document.querySelector('#train-loss .js-plotly-plot')?.data?.at(-1)?.x?.length ?? 0) > than",
        arg=than,
    )


def test_a_run_outlives_its_page_stops_and_goes_on(view: Page) -> None:
    begin_run(view, 600, "one")
    longer(view, 2)
    before = losses(view)
    address, other = view.url, view.context.new_page()
    view.close()
    other.goto(address)
    other.wait_for_selector(".ll-tile img")
    open_tab(other, "Train")
    longer(other, len(before))
    assert losses(other)[: len(before)] == before
    assert other.locator(".ll-run-name[aria-pressed=true] b").inner_text() == "one"
    other.locator("#train-acts [data-key=stop]").click()
    state(other, "stopped")
    count = len(losses(other))
    assert other.locator("#train-acts [data-key=stop]").is_disabled()
    other.locator("#train-acts [data-key=resume]").click()
    longer(other, count + 1)
    other.locator("#train-acts [data-key=save]").click()
    state(other, "stopped")
    name = other.evaluate("document.querySelector('.ll-run-name[aria-pressed=true]').dataset.key").replace(":", "-")
    other.locator("#classifier input").first.click()
    other.get_by_role("option", name=name, exact=True).wait_for()


def test_the_batch_is_seen_before_the_run(view: Page) -> None:
    open_tab(view, "Train")
    view.locator("#train-show").click()
    view.locator("#train-batch .ll-sample").first.wait_for()
    assert view.locator("#train-batch .ll-sample").count() == 16
    first = view.locator("#train-batch img").first.get_attribute("src")
    view.locator("#train-step input").fill("2")
    view.locator("#train-show").click()
    view.get_by_text("What update 2 trains on").wait_for()
    assert view.locator("#train-batch img").first.get_attribute("src") != first


def test_a_baseline_runs_beside_and_a_stranger_sees_neither(view: Page, trained: str) -> None:
    begin_run(view, 2, "pair", twin=True)
    view.locator(".ll-run-name b:text-is('baseline of pair')").wait_for()
    assert view.locator(".ll-beside[aria-pressed=true]").count() == 2
    stranger = view.context.browser.new_context().new_page()
    stranger.goto(trained)
    stranger.wait_for_selector(".ll-tile img")
    open_tab(stranger, "Train")
    stranger.get_by_text("No run yet.").wait_for()
    state(view, "finished")
    view.locator("#train-acts summary").click()
    view.locator("#train-acts [data-key=delete]").click()
    view.locator(".ll-run-name b:text-is('pair')").wait_for(state="detached")


def test_what_cannot_be_is_one_line(view: Page) -> None:
    open_tab(view, "Train")
    view.locator("#train-seeds input, #train-seeds textarea").fill("one; two")
    view.locator("#train-go").click()
    view.get_by_text("The seeds are 'one; two'").wait_for()


def test_names_are_text(view: Page) -> None:
    begin_run(view, 1, "<img src=x onerror=alert(1)> ${1+1}")


def test_two_classifiers_are_compared_and_a_changed_image_goes_to_the_workbench(view: Page) -> None:
    begin_run(view, 2, "compared")
    state(view, "finished")
    open_tab(view, "Compare")
    view.locator("#compare-images input[type=number]").fill("60")
    view.locator("#compare-images input[type=number]").press("Tab")
    view.locator("#compare-go").click()
    view.wait_for_selector("#compare-table .ll-range")
    view.wait_for_function("() => document.querySelector('#compare-told .ll-state')?.innerText.includes('finished')")
    assert view.locator("#compare-table tbody tr").count() == 9
    view.locator("#compare-sure .js-plotly-plot").wait_for()
    thumb = view.locator("#compare-flips .ll-thumb").first
    row = thumb.get_attribute("data-key")
    thumb.click()
    view.get_by_text(f"digits test {row}").first.wait_for()
    caption(view, "σ")


def test_a_page_without_runs_says_that_training_is_off(served: str, chromium: str | None) -> None:
    with watched(served, chromium) as page:
        open_tab(page, "Train")
        page.get_by_text("Training is switched off on this page.").first.wait_for()
        assert page.locator("#train-go").count() == 0


def test_a_design_starts_with_its_baseline(view: Page) -> None:
    open_tab(view, "Train")
    view.locator("#train-design-go").click()
    view.locator(".ll-run-name b:text-is('the biased digits, in one minute: randmix')").first.wait_for()
    assert view.locator(".ll-run-name b", has_text="baseline of the biased digits").count() == 1
    view.locator("#train-acts [data-key=stop]").click()
