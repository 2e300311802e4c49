"""Each fault of Gradio that `latentlab/ui/gradio_patches` mends, shown on Gradio as it is installed.

A test that fails here says that its patch can go: see docs/gradio.md.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import orjson
import pytest
from gradio import routes
from gradio.data_classes import FileData, ImageData
from PIL import UnidentifiedImageError
from playwright.sync_api import Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from ui.conftest import BROWSER

from latentlab.ui.gradio_patches import encodable_answers, plain_values, progress_marks, unread_inputs
from latentlab.ui.gradio_patches.wrapped_generators import unwrap_generator

HALF = "\ud83d"  # half of a letter outside the first plane
QUEUE = "gradio_api/queue"
WIDE_SHEET = "@media (min-width: 1px) { i { top: 0 } }"


def lay_out_stock_page() -> gr.Blocks:
    with gr.Blocks() as blocks:
        name, hello = gr.Textbox(elem_id="name"), gr.Textbox(elem_id="hello")
        greet = gr.Button("Greet", elem_id="greet")
        greet.click(lambda name: f"Hello {name}", name, hello, show_progress="hidden")
        gr.Button("Break").click(lambda: HALF, None, hello)
        kept = gr.State(None)
        gr.Button("Keep").click(lambda: "a word", None, kept)
        gr.Button("Show").click(lambda word: word or "nothing is kept", kept, hello)
        gr.HTML("${40 + 2}", html_template="<b>{{value}}</b>", elem_id="template")
    return blocks


@pytest.fixture(scope="module")
def stock_page() -> gr.Blocks:
    return lay_out_stock_page()


@pytest.fixture(scope="module")
def stock(stock_page: gr.Blocks) -> Iterator[str]:
    """The address of a page that Gradio serves without any of our patches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "orjson", orjson)  # another test may have mended it
        _, address, _ = stock_page.launch(
            prevent_thread_lock=True, quiet=True, css="@media (min-width: 1px) { i { top: 0 } }"
        )
        yield address
    stock_page.close()


def ask(stock: str, session: str, event: int) -> str:
    """Ask for an event, and return what the stream tells to its end."""
    asked = {"data": [["Anna"], [], [], [None]][event], "fn_index": event, "session_hash": session}
    httpx.post(f"{stock}{QUEUE}/join", json=asked).raise_for_status()
    return read_stream(stock, session)


def read_stream(stock: str, session: str) -> str:
    told = ""
    with httpx.stream("GET", f"{stock}{QUEUE}/data?session_hash={session}", timeout=9) as answer:
        try:
            for text in answer.iter_text():
                told += text
        except httpx.RemoteProtocolError:
            told += "broken off"
    return told


def test_event_stream_ends_with_the_last_answer_and_talks_of_the_queue(stock: str) -> None:
    told = re.findall(r'data: \{"msg":"(\w+)"', ask(stock, "early", 0))
    assert told == ["estimation", "process_starts", "process_completed", "close_stream"]


def test_event_stream_of_a_forgotten_session_breaks_off(stock: str) -> None:
    told = read_stream(stock, "nobody")
    assert "404: Not Found" in told
    assert told.endswith("broken off")


def test_forgotten_session_is_answered_as_if_it_were_new(stock_page: gr.Blocks, stock: str) -> None:
    ask(stock, "sleeper", 2)
    assert "a word" in ask(stock, "sleeper", 3)
    stock_page.state_holder.delete_state("sleeper")
    assert "nothing is kept" in ask(stock, "sleeper", 3)


def test_compressed_page_is_sent_as_it_is(stock: str) -> None:
    assert "content-encoding" not in httpx.get(stock, headers={"accept-encoding": "gzip, br"}).headers


def test_early_cancel_without_a_number_is_refused(stock: str) -> None:
    asked = {"session_hash": "early", "fn_index": 0}  # JSON has no `undefined`
    assert httpx.post(f"{stock}gradio_api/cancel", json=asked).status_code == 422


def test_encodable_answers_half_a_letter_breaks_the_stream(stock: str) -> None:
    told = ask(stock, "half", 1)
    assert "surrogates not allowed" in told
    assert "process_completed" not in told


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": [HALF + "b", 1]}, '{"a":["\ufffdb",1]}'),
        ("\ud83d\ude00", '"😀"'),
        ({HALF: ("é", None, 0.5)}, '{"\ufffd":["é",null,0.5]}'),
    ],
)
def test_encodable_answers_write_whatever_leaves(value: Any, written: str) -> None:
    with pytest.raises(TypeError):
        orjson.dumps(value)
    assert encodable_answers.dump_encodable(value).decode() == written


def test_progress_marks_stand_at_what_a_hidden_event_writes() -> None:
    blocks = lay_out_stock_page()
    assert blocks.fns[0].get_config()["show_progress_on"] is None  # all outputs, says Gradio's script
    progress_marks.clear_progress_marks(blocks)
    assert blocks.fns[0].get_config()["show_progress_on"] == []
    assert blocks.fns[1].get_config()["show_progress_on"] is None


def test_unread_inputs_gradio_reads_them_itself(tmp_path: Any) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    brought = str(tmp_path / "recipe.json")
    with pytest.raises(UnidentifiedImageError):
        gr.Image(type="filepath").preprocess(ImageData(path=brought, orig_name="recipe.json"))
    with pytest.raises(gr.Error):
        gr.Slider(0, 1).preprocess(2)
    assert unread_inputs.FileDrop().preprocess(FileData(path=brought)) == brought
    assert unread_inputs.UncheckedSlider(0, 1).preprocess(2) == 2


def test_plain_values_are_looked_at_in_a_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(gr.Number, "preprocess", lambda number, payload: threads.append(threading.get_ident()))
    with gr.Blocks() as blocks:
        number = gr.Number()
        number.change(lambda value: None, number, None)
    asyncio.run(blocks.preprocess_data(blocks.fns[0], [1], None))
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize(
    ("widget", "value"), [(gr.Slider(0, 9, step=1), 4.0), (gr.Number(precision=0), 4.0), (gr.Number(), 0.25)]
)
def test_plain_values_are_rounded_as_gradio_does(widget: Any, value: float) -> None:
    assert plain_values.round_value(widget, value) == widget.preprocess(value)


def test_wrapped_generators_look_like_functions_to_gradio() -> None:
    def count() -> Iterator[int]:
        yield 1

    @functools.wraps(count)
    def wrapper() -> Iterator[int]:
        return count()

    with gr.Blocks() as blocks:
        for function in (wrapper, unwrap_generator(wrapper)):
            gr.Button().click(function, None, gr.Number())
    assert [event.types_generator for event in blocks.fns.values()] == [False, True]
    assert inspect.isgeneratorfunction(unwrap_generator(wrapper))


def test_temporary_folder_is_chosen_at_import_and_shared() -> None:
    lines = (
        "import os, tempfile; os.environ.pop('GRADIO_TEMP_DIR', None); import gradio.routes as routes",
        "os.environ['GRADIO_TEMP_DIR'] = 'late'",
        "print(routes.DEFAULT_TEMP_DIR == os.path.join(tempfile.gettempdir(), 'gradio'))",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize("mended", [False, True])
def test_stub_files_are_written_at_import(mended: bool, tmp_path: Path) -> None:
    lamp = "import gradio as gr\n\nclass Lamp(gr.HTML):\n    EVENTS = []\n"
    (tmp_path / "own_component.py").write_text(lamp, "utf-8")
    lines = f"import sys; sys.path.append({str(tmp_path)!r}); import own_component"
    subprocess.run([sys.executable, "-c", "import latentlab.ui; " * mended + lines], check=True)
    assert (tmp_path / "own_component.pyi").exists() != mended


def test_analytics_summary_is_made_at_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", raising=False)
    assert lay_out_stock_page().queue()._queue.ANAYLTICS_CACHE_FREQUENCY == 1


def test_open_cors_lets_any_site_read_a_named_page(stock: str) -> None:
    answer = httpx.get(stock, headers={"host": "lab.example", "origin": "http://evil.example"})
    assert answer.headers["access-control-allow-origin"] == "http://evil.example"
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_login_page_lists_the_endpoints() -> None:
    blocks = lay_out_stock_page()
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, auth=("anna", "a long password"))
    page = httpx.get(address).text
    blocks.close()
    (info,) = re.findall(r"window\.gradio_api_info = (.*?);</script>", page, re.DOTALL)
    assert orjson.loads(info)["named_endpoints"]


@pytest.fixture
def stock_view(stock: str, chromium: str | None) -> Iterator[Page]:
    """The stock page in Chromium, once its script has counted the functions that it tries to clone."""
    counting = """const clone = structuredClone; window.failedClones = 0; window.structuredClone = (value, options) => {
      try { return clone(value, options); } catch (error) { window.failedClones += 1; throw error; } };"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        page = browser.new_page()
        page.add_init_script(counting)
        page.goto(stock)
        page.wait_for_selector("#greet")
        yield page
        browser.close()


def greet(view: Page, name: str) -> None:
    view.locator("#name textarea").fill(name)
    view.wait_for_timeout(300)  # until Gradio has heard of it
    view.locator("#greet").click()


def read_greeting(view: Page, words: str, timeout: float = 60_000) -> None:
    view.wait_for_function(
        "words => document.querySelector('#hello textarea').value === words", arg=words, timeout=timeout
    )


@pytest.mark.browser
def test_structured_clone_is_tried_on_functions(stock_view: Page) -> None:
    greet(stock_view, "Anna")
    read_greeting(stock_view, "Hello Anna")
    assert stock_view.evaluate("failedClones") > 0


@pytest.mark.browser
def test_stream_loss_at_beforeunload_of_a_page_that_stays(stock_view: Page) -> None:
    greet(stock_view, "Anna")
    read_greeting(stock_view, "Hello Anna")
    counted = """() => { let count = 0; AbortController.prototype.abort = () => { count += 1; };
      dispatchEvent(new Event('beforeunload')); return count; }"""
    assert stock_view.evaluate(counted) > 0


@pytest.mark.browser
def test_stream_loss_leaves_a_page_that_never_asks_again(stock_view: Page) -> None:
    def cut_end(route: Route) -> None:
        body = route.fetch().text()
        route.fulfill(body=body[: body.index('data: {"msg":"close_stream"')], content_type="text/event-stream")

    stock_view.route("**/queue/data?*", cut_end)
    greet(stock_view, "Anna")
    read_greeting(stock_view, "Hello Anna")
    greet(stock_view, "Otto")
    with pytest.raises(PlaywrightTimeout):
        read_greeting(stock_view, "Hello Otto", timeout=4000)


@pytest.mark.browser
def test_html_is_run_as_a_template(stock_view: Page) -> None:
    """So `html.escape_text` writes the letters of a template as numbers."""
    assert stock_view.locator("#template b").inner_text() == "42"


@pytest.mark.browser
def test_style_sheets_given_as_css_are_rewritten(stock_view: Page) -> None:
    """So `theme` writes its sheets into the page's head."""
    sheets = stock_view.evaluate("[...document.querySelectorAll('style')].map(sheet => sheet.textContent).join()")
    assert "min-width: 1px) {" in sheets or "min-width:1px" in sheets
    assert WIDE_SHEET not in sheets
