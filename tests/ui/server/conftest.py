"""The small page, served: for this machine, under one more name, behind a login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest
from ui.server.small_page import LOGIN, make_small_page

from latentlab.ui.server import launch


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    pages: list[gr.Blocks] = []

    def start(page: gr.Blocks | None = None, **options: Any) -> str:
        pages.append(page or make_small_page())
        return launch.launch_page(pages[-1], prevent_thread_lock=True, quiet=True, **options).rstrip("/")

    yield start
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    return serve()


@pytest.fixture(scope="module")
def named(serve: Callable[..., str]) -> str:
    return serve(names=["lab.test"], demo=True)


@pytest.fixture(scope="module")
def locked_page() -> gr.Blocks:
    return make_small_page()


@pytest.fixture(scope="module")
def locked(serve: Callable[..., str], locked_page: gr.Blocks) -> str:
    return serve(locked_page, host="0.0.0.0", login=LOGIN, demo=True)
