"""A page in Chromium whose state the server has forgotten opens again, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest
from playwright.sync_api import sync_playwright
from ui.conftest import BROWSER

from latentlab.ui import load_page_style
from latentlab.ui.gradio_patches.forgotten_session import MAX_SETTLED_SESSIONS, SettledSessions
from latentlab.ui.server import launch


@pytest.fixture(scope="module")
def keeper() -> Iterator[tuple[gr.Blocks, str]]:
    """A page that keeps a word for each visitor from its load on, and its address."""
    launch.prepare_gradio()
    with gr.Blocks() as blocks:
        word, shown = gr.State(None), gr.Textbox(elem_id="shown")
        gr.Button("Show", elem_id="show").click(lambda kept: kept or "nothing is kept", word, shown)
        blocks.load(lambda: ("a word", "loaded"), None, [word, shown])
    yield blocks, launch.launch_page(blocks, prevent_thread_lock=True, quiet=True, **load_page_style())
    blocks.close()


@pytest.mark.browser
@pytest.mark.parametrize("falls_asleep", [True, False])
def test_a_page_whose_state_is_gone_opens_again_and_goes_on(
    keeper: tuple[gr.Blocks, str], falls_asleep: bool, chromium: str | None
) -> None:
    """Both ways to be forgotten: by rest (the state goes) and by others who came (the session goes)."""
    blocks, address = keeper
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        wait_for_word = "word => document.querySelector('#shown textarea')?.value === word"
        page.wait_for_function(wait_for_word, arg="loaded")
        page.locator("#show").click()
        page.wait_for_function(wait_for_word, arg="a word")
        for session in [*blocks.state_holder.session_data]:
            if falls_asleep:
                blocks.state_holder.delete_state(session)
            else:
                del blocks.state_holder.session_data[session]
        with page.expect_navigation():
            page.locator("#show").click()
        page.wait_for_function(wait_for_word, arg="loaded")
        page.locator("#show").click()
        page.wait_for_function(wait_for_word, arg="a word")
        browser.close()


def test_a_session_that_never_had_a_state_is_new_and_not_forgotten() -> None:
    states: dict[str, SimpleNamespace] = {"anna": SimpleNamespace(state_data={1: None})}
    blocks, sessions = SimpleNamespace(state_holder=SimpleNamespace(session_data=states)), SettledSessions()
    sessions.note_answer(blocks, "anna")
    assert not sessions.is_forgotten(blocks, "anna")
    states["anna"].state_data[1] = "a word"
    sessions.note_answer(blocks, "anna")
    assert not sessions.is_forgotten(blocks, "anna")
    states["anna"].state_data.clear()
    assert sessions.is_forgotten(blocks, "anna")
    assert not sessions.is_forgotten(blocks, "otto")


def test_the_oldest_of_too_many_is_taken_for_new() -> None:
    states: dict[str, SimpleNamespace] = {}
    blocks, sessions = SimpleNamespace(state_holder=SimpleNamespace(session_data=states)), SettledSessions()
    for number in range(MAX_SETTLED_SESSIONS + 1):
        states[f"{number}"] = SimpleNamespace(state_data={1: "a word"})
        sessions.note_answer(blocks, f"{number}")
    states.clear()
    assert [sessions.is_forgotten(blocks, name) for name in ("0", "1")] == [False, True]
