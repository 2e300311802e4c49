"""The page is for this machine alone, unless there is a login."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from repository import ROOT
from ui.server.small_page import LOGIN

from latentlab.errors import UserError
from latentlab.ui.server import launch


def test_by_default_only_this_machine_is_served_and_nothing_is_shared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_SHARE", "true")
    options = launch.build_launch_options()
    assert options["server_name"] == "127.0.0.1"
    assert options["share"] is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lab.example.org", ""])
def test_any_other_host_needs_a_login(host: str):
    with pytest.raises(UserError, match="needs a login"):
        launch.build_launch_options(host)
    assert launch.build_launch_options(host, login=LOGIN)["auth"] == [("anna", "a long password")]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_loopback_needs_none(host: str):
    assert launch.build_launch_options(host)["auth"] is None


@pytest.mark.parametrize("login", ["", "anna", "anna:", ":secret"])
def test_a_login_has_a_name_and_a_password(login: str):
    with pytest.raises(UserError, match="name:password"):
        launch.build_launch_options(login=login)


def test_a_taken_port_is_one_clear_line(serve: Callable[..., str], url: str):
    with pytest.raises(UserError, match="Choose another --port"):
        serve(port=httpx.URL(url).port)


def test_the_page_and_its_endpoints_work(url: str, tmp_path: Path):
    client = Client(url, verbose=False)
    assert client.predict("Anna", api_name="/greet") == "Hello Anna"
    (tmp_path / "a.bin").write_bytes(b"x" * 1000)
    assert client.predict(handle_file(str(tmp_path / "a.bin")), api_name="/size") == 1000


def test_the_page_is_compressed_also_behind_a_path_and_at_its_login(serve: Callable[..., str], url: str, locked: str):
    below = serve(root_path="/lab", names=["lab.test"], demo=True)
    for address, word in ((url, "Greet"), (below, "Greet"), (locked.replace("0.0.0.0", "127.0.0.1"), "auth_required")):
        answer = httpx.get(f"{address}/", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert word in answer.text


PRIVATE = """
import os, stat
import gradio as gr
from latentlab.ui.server import launch
launch.prepare_gradio()
with gr.Blocks() as page:
    gr.Image()
launch.launch_page(page, prevent_thread_lock=True, quiet=True)
folder = os.environ["GRADIO_TEMP_DIR"]
print(oct(stat.S_IMODE(os.stat(folder).st_mode)), page.app.uploaded_file_dir == folder)
page.close()
"""


def test_files_lie_in_a_private_folder_that_goes_at_exit(tmp_path: Path):
    clean = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
    run = subprocess.run(
        [sys.executable, "-c", PRIVATE], env=clean | {"TMPDIR": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True
    )
    assert "0o700 True" in run.stdout, run.stderr
    assert [path.name for path in tmp_path.iterdir()] == []


def test_names_may_be_added():
    assert "lab.example.org" in launch.list_host_names("127.0.0.1", ["lab.example.org"])
