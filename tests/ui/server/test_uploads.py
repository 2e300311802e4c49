"""Bodies and files: how large, under which names, and that none outside is served."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from ui.server.small_page import upload_file

from latentlab.ui.server import launch
from latentlab.ui.server.upload_budget import trim_folder

MB = 1_000_000


def test_a_declared_body_over_the_limit_is_refused(locked: str):
    assert httpx.post(f"{locked}/login", content=b"x" * (launch.MAX_DEMO_BODY_BYTES + 1)).status_code == 413


@pytest.fixture(scope="module")
def narrow(serve: Callable[..., str]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "MAX_BODY_BYTES", MB)
        yield serve()


def send_in_pieces(data: bytes) -> Iterator[bytes]:
    """Sent chunked, without a Content-Length."""
    yield from (data[start : start + 65536] for start in range(0, len(data), 65536))


@pytest.mark.parametrize("key", ["url", "path"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_data_url_counts_like_any_other_body(narrow: str, key: str, chunked: bool):
    body = b'{"data": [{"%s": "data:image/png;base64,%s"}]}' % (key.encode(), b"A" * 3 * MB)
    content = send_in_pieces(body) if chunked else body
    answer = httpx.post(f"{narrow}/gradio_api/call/size", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_chunked_upload_over_the_limit_is_refused(narrow: str):
    form = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 3 * MB + b"\r\n--b--\r\n"
    )
    answer = httpx.post(
        f"{narrow}/gradio_api/upload",
        content=send_in_pieces(form),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413


def test_within_the_limit_all_is_well(narrow: str):
    assert upload_file(narrow, b"x" * (MB // 2))


NAMES = [
    "x" * 10_000,
    "../../../etc/passwd",
    "a\0b",
    "<img src=x onerror=alert(1)>.png",
    "${alert(1)}",
    "{{7*7}}",
    "",
    ".",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_odd_file_names_stay_in_the_private_folder(url: str, name: str):
    answer = httpx.post(f"{url}/gradio_api/upload", files={"files": (name, b"x")})
    assert "Traceback" not in answer.text
    if answer.status_code == 200:
        assert Path(answer.json()[0]).resolve().is_relative_to(os.environ["GRADIO_TEMP_DIR"])


def test_a_thousand_files_do_not_hurt(url: str):
    answer = httpx.post(f"{url}/gradio_api/upload", files=[("files", (f"{i}", b"x")) for i in range(1000)], timeout=60)
    assert answer.status_code < 500
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "http://127.0.0.1:22/", "requirements.txt"])
def test_no_file_outside_is_served(url: str, path: str):
    assert httpx.get(f"{url}/gradio_api/file={path}").status_code in (403, 404)


def test_an_address_that_uploads_without_end_has_to_wait(narrow: str):
    codes = [
        httpx.post(f"{narrow}/gradio_api/upload", files={"files": ("a.png", b"x" * (MB * 9 // 10))}).status_code
        for _ in range(25)
    ]
    assert codes[0] == 200
    assert codes[-1] == 429


def test_old_uploads_are_let_go_first_and_young_ones_stay(tmp_path: Path):
    for number, age in enumerate((300, 200, 100, 10)):
        file = tmp_path / str(number) / "a.png"
        file.parent.mkdir()
        file.write_bytes(b"x" * 100)
        os.utime(file, (1000 - age, 1000 - age))
    assert trim_folder(tmp_path, most=250, now=1000) == 200
    assert sorted(path.parent.name for path in tmp_path.rglob("a.png")) == ["2", "3"]
    assert trim_folder(tmp_path, most=50, now=1000) == 100
    assert [path.parent.name for path in tmp_path.rglob("a.png")] == ["3"]
