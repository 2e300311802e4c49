"""An assistant, here the `mcp` package's own client, moves a picture through the page's server."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from latentlab.errors import UserError
from latentlab.operators import OPERATORS
from latentlab.recipe import parse_recipe
from latentlab.store import Store
from latentlab.ui import build_page, load_page_style
from latentlab.ui.server import launch


def make_data_url() -> str:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 30)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


PICTURE = make_data_url()


@pytest.fixture(scope="module")
def address(small_world: Path) -> Iterator[str]:
    launch.prepare_gradio()
    page = build_page(Store(small_world, "cpu"))
    yield launch.launch_page(page, mcp=True, prevent_thread_lock=True, quiet=True, **load_page_style())
    page.close()


def ask_assistant(address: str, tool: str, **arguments: Any) -> tuple[list[str], Any]:
    """List the tools by name, and call one of them."""

    async def ask() -> tuple[list[str], Any]:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            names = [found.name for found in (await session.list_tools()).tools]
            return names, await session.call_tool(tool, arguments)

    return asyncio.run(ask())


def test_an_assistant_moves_a_picture_and_reads_what_happened(address: str) -> None:
    names, answer = ask_assistant(address, "shift", image=PICTURE, model="digits-glow", direction="pc1", amount=2.0)
    assert set(OPERATORS) <= set(names)
    assert not answer.isError, answer
    told = "\n".join(part.text for part in answer.content if part.type == "text")
    (place,) = re.findall(r"https?://\S+\.png", told)
    moved = Image.open(io.BytesIO(httpx.get(place).raise_for_status().content))
    assert moved.size == (32, 32)
    assert parse_recipe(moved.info["latentlab"]).settings["amount"] == 2.0
    assert "'distance': " in told


def test_what_is_wrong_is_said_to_the_assistant(address: str) -> None:
    _, answer = ask_assistant(address, "shift", image=PICTURE, model="digits-flow")
    assert answer.isError
    assert "digits-flow" in str(answer.content)


def test_assistants_and_a_login_are_refused_together() -> None:
    with pytest.raises(UserError, match="does not go with --auth"):
        launch.build_launch_options(login="anna:long enough", mcp=True)
