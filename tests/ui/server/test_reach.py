"""How far the page reaches: under further names, as a Space, framed by other sites; and what is refused at its door."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from repository import ROOT
from starlette.datastructures import Headers
from ui.server.small_page import LOGIN

from latentlab.cli import app, build_parser
from latentlab.errors import UserError
from latentlab.ui.server import launch, middleware

STOPPED = """
import os, sys, threading, time
import torch
from latentlab.ui.server import launch

def compute():
    while True:
        torch.ones(1000, 1000) @ torch.ones(1000, 1000)

launch.prepare_gradio()
for _ in range(4):
    threading.Thread(target=compute, daemon=True).start()
print(os.environ["GRADIO_TEMP_DIR"], flush=True)
time.sleep(60)
"""


def test_sigterm_ends_a_page_that_computes_as_an_exit_does_and_its_folder_goes(tmp_path: Path):
    clean = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    run = subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        env=clean | {"TMPDIR": str(tmp_path)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    (folder / "upload.png").write_bytes(b"x")
    run.terminate()
    assert (run.wait(60), run.communicate()[1]) == (143, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_name_wants_a_login_or_a_demo(host: str):
    with pytest.raises(UserError, match="login"):
        launch.build_launch_options(host, names=["lab.example.org"])
    assert launch.build_launch_options(host, names=["lab.example.org"], demo=True)["auth"] is None
    assert launch.build_launch_options(host, names=["lab.example.org"], login=LOGIN)["auth"]


def test_a_space_is_a_demo_under_its_own_name_framed_by_its_host_alone(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., str]
):
    monkeypatch.setenv("SPACE_ID", "anna/lab")
    monkeypatch.setenv("SPACE_HOST", "anna-lab.hf.space")
    args = build_parser(["app"]).parse_args(["app"])
    app.apply_spaces_flags(args)
    assert (args.spaces, args.host, args.port, args.demo) == (True, "0.0.0.0", 7860, True)
    url = serve(host=args.host, names=args.name, demo=args.demo, frames=args.frame).replace("0.0.0.0", "127.0.0.1")
    answer = httpx.get(url, headers={"Host": "anna-lab.hf.space"})
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "x-frame-options" not in answer.headers
    assert httpx.get(url, headers={"Host": "evil.hf.space"}).status_code == 400


@pytest.mark.parametrize(
    ("site", "origin", "allowed"),
    [
        ("same-origin", "http://lab.test:8080", True),
        (None, "http://lab.test:8080", False),
        (None, "http://other.test:81", True),
        (None, "http://lab.test", True),
        ("same-site", "http://lab.test:8080", False),
    ],
)
def test_an_origin_counts_where_the_browser_does_not_say_itself(site: str | None, origin: str, allowed: bool):
    headers = Headers({"host": "lab.test", "origin": origin} | ({"sec-fetch-site": site} if site else {}))
    assert middleware.is_same_origin("POST", headers, ["other.test:81"]) is allowed


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (rb'{"data": ["\ud800"]}', 400),
        (rb'{"data": ["a\uDFFFb"]}', 400),
        (rb'{"data": ["\ud83d\ude00 and \\ud800"]}', 200),
        (b'{"data": ["\xff"]}', 400),
        ('{"data": ["Kätzchen λ"]}'.encode(), 200),
    ],
)
def test_text_that_cannot_be_sent_back_is_refused_at_the_door(url: str, body: bytes, status: int):
    for kind in ("application/json", "application/json; charset=utf-8"):
        answer = httpx.post(f"{url}/gradio_api/call/greet", content=body, headers={"content-type": kind})
        assert answer.status_code == status
