"""A page in Chromium whose stream of answers breaks off, or which is nearly left: it says so and goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Page, Route, sync_playwright
from ui.conftest import BROWSER

from latentlab.ui import load_page_style
from latentlab.ui.gradio_patches import event_stream
from latentlab.ui.server import launch

pytestmark = pytest.mark.browser
LOST = "Connection to the server was lost"


@pytest.fixture(scope="module")
def greeter() -> Iterator[str]:
    """The address of a small page with all that mends Gradio."""
    launch.prepare_gradio()
    with gr.Blocks() as blocks:
        name, hello = gr.Textbox(elem_id="name"), gr.Textbox(elem_id="hello")
        gr.Button("Greet", elem_id="greet").click(lambda name: f"Hello {name}".replace("half", "\ud83d"), name, hello)
    yield launch.launch_page(blocks, prevent_thread_lock=True, quiet=True, **load_page_style())
    blocks.close()


@pytest.fixture
def tab(greeter: str, chromium: str | None) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(greeter)
        page.wait_for_selector("#greet")
        yield page
        browser.close()


def greet(tab: Page, name: str) -> None:
    tab.locator("#name textarea").fill(name)
    tab.wait_for_timeout(300)  # until Gradio has heard of it
    tab.locator("#greet").click()


def read_greeting(tab: Page, words: str) -> None:
    tab.wait_for_function("words => document.querySelector('#hello textarea')?.value === words", arg=words)


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the next stream breaks off: "before" or "after" its next answer."""
    cuts: list[str] = []
    read = event_stream.read_messages

    async def read_cut(queue: Any, session: str) -> AsyncIterator[dict[str, Any]]:
        async for message in read(queue, session):
            place = cuts.pop() if cuts and message["msg"] == "process_completed" else ""
            if place == "before":
                raise ConnectionResetError
            yield message
            if place == "after":
                await asyncio.sleep(3)  # what has not been read by then is lost
                raise ConnectionResetError

    monkeypatch.setattr(event_stream, "read_messages", read_cut)
    return cuts


def test_a_stream_that_breaks_off_at_rest_is_opened_again_by_the_next_event(tab: Page, cut: list[str]) -> None:
    greet(tab, "Anna")
    read_greeting(tab, "Hello Anna")
    cut.append("after")
    with tab.expect_event("requestfailed", lambda request: "/queue/data" in request.url):
        greet(tab, "Otto")
        read_greeting(tab, "Hello Otto")
    greet(tab, "Emma")
    read_greeting(tab, "Hello Emma")
    assert LOST not in tab.locator("body").inner_text()


def test_a_stream_that_breaks_off_before_an_answer_is_said_and_the_page_opens_again(tab: Page, cut: list[str]) -> None:
    cut.append("before")
    with tab.expect_navigation():
        greet(tab, "Anna")
        tab.get_by_text(LOST).wait_for()
    tab.wait_for_selector("#greet")
    greet(tab, "Otto")
    read_greeting(tab, "Hello Otto")


def test_a_page_that_is_nearly_left_keeps_its_stream(tab: Page) -> None:
    greet(tab, "Anna")
    read_greeting(tab, "Hello Anna")
    told: list[str] = []
    tab.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    tab.on("request", lambda request: told.append(request.url) if "/queue/data" in request.url else None)
    tab.evaluate("dispatchEvent(new Event('beforeunload'))")
    greet(tab, "Otto")
    read_greeting(tab, "Hello Otto")
    assert told == []


def test_text_that_cannot_be_encoded_ends_no_stream(tab: Page) -> None:
    greet(tab, "half!")
    read_greeting(tab, "Hello \ufffd!")
    greet(tab, "Otto")
    read_greeting(tab, "Hello Otto")


def test_a_cancel_before_its_event_has_a_number_waits_for_it(tab: Page) -> None:
    """The join is answered late; the script asks for the cancel meanwhile."""
    sent: list[str] = []

    def answer_late(route: Route) -> None:
        time.sleep(0.3)
        route.fulfill(json={"event_id": "number 7"})

    def note_cancel(route: Route) -> None:
        sent.append(route.request.post_data_json["event_id"])
        route.fulfill(json={"success": True})

    tab.route("**/queue/join", answer_late)
    tab.route("**/cancel", note_cancel)
    tab.evaluate(
        """async () => {
          const ask = (path, body) => fetch(`gradio_api/${path}`, { method: 'POST', body: JSON.stringify(body) });
          const joined = ask('queue/join', { fn_index: 3 });
          await ask('cancel', { fn_index: 3, session_hash: 'a' });
          await ask('reset', {});
          await joined;
        }"""
    )
    assert sent == ["number 7"]
