"""The proxies of docs/deploy.md, each run in front of a page: what is written there works."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from repository import ROOT
from ui.server.small_page import make_small_page

from latentlab.ui.server import launch

DEPLOY = ROOT / "docs" / "deploy.md"
BLOCKS = re.findall(r"```nginx\n(.*?)```", DEPLOY.read_text("utf-8"), re.DOTALL)
LAB = "lab.example.org"
MAIN = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fast;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not here; apt-get install nginx-light"),
]


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={LAB}"]
    subprocess.run(
        [*command, "-keyout", "lab.key", "-out", "lab.pem"], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL
    )
    return tmp_path


@pytest.fixture
def stand_before(certificate: Path) -> Iterator[Callable[..., tuple[int, httpx.Client]]]:
    """Start a page with these options and one of the blocks before it; give its port and a browser's connection."""
    pages: list[gr.Blocks] = []
    proxies: list[subprocess.Popen[bytes]] = []

    def start(block: str, port: int, **options: Any) -> tuple[int, httpx.Client]:
        pages.append(make_small_page())
        back = launch.launch_page(pages[-1], prevent_thread_lock=True, quiet=True, **options).rstrip("/")
        block = re.sub(r"listen \d+", f"listen 127.0.0.1:{port}", block)
        block = block.replace("http://127.0.0.1:7860", back).replace("/etc/ssl", str(certificate))
        (certificate / "nginx.conf").write_text(MAIN.format(folder=certificate, server=block), "utf-8")
        proxies.append(subprocess.Popen(["nginx", "-p", str(certificate), "-c", str(certificate / "nginx.conf")]))
        scheme = "https" if "ssl" in block else "http"
        wait_for_port(port)
        return port, httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", verify=False, timeout=30)

    yield start
    for proxy in proxies:
        proxy.terminate()
        proxy.wait()
    for page in pages:
        page.close(verbose=False)


def wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not start")


def greet(client: httpx.Client, path: str, origin: str, **headers: str) -> tuple[int, str]:
    """Ask as a browser does whose page came from this origin: the status and the answer."""
    sent = {"Host": origin.partition("://")[2], "Origin": origin, **headers}
    asked = client.post(f"{path}/gradio_api/call/greet", json={"data": ["Kätzchen"]}, headers=sent)
    if asked.status_code != 200:
        return asked.status_code, ""
    stream = client.get(f"{path}/gradio_api/call/greet/{asked.json()['event_id']}", headers=sent)
    return 200, stream.text


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "root": ("", {"names": [LAB], "demo": True}),
    "port dropped": ("", {"names": [f"{LAB}:PORT"], "demo": True}),
    "path": ("/lab", {"names": [LAB], "demo": True, "root_path": "/lab"}),
    "TLS": ("", {"names": [LAB], "demo": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_works_behind_it(case: str, stand_before: Callable[..., tuple[int, httpx.Client]]) -> None:
    block, port = BLOCKS[list(CASES).index(case)], find_free_port()
    path, options = CASES[case]
    names = [name.replace("PORT", str(port)) for name in options["names"]]
    _, client = stand_before(block, port, **{**options, "names": names})
    origin = f"{'https' if case == 'TLS' else 'http'}://{LAB}:{port}"
    page = client.get(f"{path}/", headers={"Host": f"{LAB}:{port}"})
    assert page.status_code == 200
    status, answer = greet(client, path, origin)
    assert (status, "Hello K" in answer) == (200, True)
    assert greet(client, path, "http://evil.example")[0] in (400, 403, 404)
    evil = client.post(
        f"{path}/gradio_api/call/greet",
        json={"data": ["x"]},
        headers={"Host": f"{LAB}:{port}", "Origin": "http://evil.example"},
    )
    assert evil.status_code == 403


def test_a_dropped_port_is_no_hole(stand_before: Callable[..., tuple[int, httpx.Client]]) -> None:
    """Another page of the same host, at another port, is another site."""
    port = find_free_port()
    _, client = stand_before(BLOCKS[1], port, names=[f"{LAB}:{port}"], demo=True)
    other = {"Host": f"{LAB}:{port}", "Origin": f"http://{LAB}:{port + 1}"}
    answer = client.post("/gradio_api/call/greet", json={"data": ["x"]}, headers=other)
    assert answer.status_code == 403
