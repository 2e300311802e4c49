"""Two pages behind the proxy of docs/scale.md: each visitor stays with one of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from repository import ROOT
from ui.server.small_page import make_small_page
from ui.server.test_proxies import LAB, MAIN, find_free_port, wait_for_port

from latentlab.ui.server import launch

(BLOCK,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not here; apt-get install nginx-light"),
]


def test_each_visitor_stays_with_one_page_and_all_are_served(tmp_path: Path) -> None:
    """Visitors come from addresses of their own on the loopback; an event that reached the other page would be lost."""
    pages, port = [make_small_page(), make_small_page()], find_free_port()
    links = [launch.launch_page(page, prevent_thread_lock=True, quiet=True, names=[LAB], demo=True) for page in pages]
    backs = [link.removeprefix("http://").rstrip("/") for link in links]
    shown = dict(zip(("127.0.0.1:7860", "127.0.0.1:7861"), backs, strict=True))
    block = re.sub(r"listen \d+", f"listen 127.0.0.1:{port}", BLOCK)
    # All at once: the port that one page got may be the one that the document shows for the other.
    block = re.sub("|".join(shown), lambda found: shown[found[0]], block)
    (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path, server=block), "utf-8")
    proxy = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        wait_for_port(port)
        served = [greet_often(port, f"127.0.0.{number}") for number in range(2, 12)]
    finally:
        proxy.terminate()
        proxy.wait()
        for page in pages:
            page.close(verbose=False)
    assert served == [5] * 10
    assert all(page._queue.events_recorded > 0 for page in pages)  # both had visitors


def greet_often(port: int, address: str) -> int:
    """Ask five times from this address; count the answers."""
    transport = httpx.HTTPTransport(local_address=address)
    headers = {"Host": LAB, "Origin": f"http://{LAB}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, headers=headers, timeout=30) as client:
        count = 0
        for _ in range(5):
            asked = client.post("/gradio_api/call/greet", json={"data": [address]}).raise_for_status().json()
            count += f"Hello {address}" in client.get(f"/gradio_api/call/greet/{asked['event_id']}").text
    return count
