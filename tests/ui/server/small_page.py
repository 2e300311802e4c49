"""A page of two endpoints behind the real server, and a file sent to it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import httpx

from latentlab.ui.server import launch

LOGIN = "anna:a long password"


def make_small_page() -> gr.Blocks:
    launch.prepare_gradio()
    with gr.Blocks() as page:
        name, hello = gr.Textbox(elem_id="name"), gr.Textbox(elem_id="hello")
        gr.Button("Greet", elem_id="greet").click(lambda n: f"Hello {n}", name, hello, api_name="greet")
        file, size = gr.File(), gr.Number()
        file.upload(lambda path: Path(path).stat().st_size, file, size, api_name="size")
    return page


def upload_file(url: str, data: bytes, name: str = "a.png", **headers: str) -> list[str]:
    """Upload a file and return where the server says that it lies."""
    answer = httpx.post(f"{url}/gradio_api/upload", files={"files": (name, data)}, headers=headers)
    answer.raise_for_status()
    return answer.json()
