"""The guard in front of a real gradio server."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect, sync_playwright
from repository import ROOT

from latentlab.errors import UserError
from latentlab.ui.server import launch, middleware

MB = 1_000_000
LOGIN = "anna:a long password"
EVIL = "http://evil.example"


def small_page() -> gr.Blocks:
    launch.prepare_gradio()
    with gr.Blocks() as page:
        name, hello = gr.Textbox(elem_id="name"), gr.Textbox(elem_id="hello")
        gr.Button("Greet", elem_id="greet").click(lambda n: f"Hello {n}", name, hello, api_name="greet")
        file, size = gr.File(), gr.Number()
        file.upload(lambda path: Path(path).stat().st_size, file, size, api_name="size")
    return page


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    pages: list[gr.Blocks] = []

    def start(page: gr.Blocks | None = None, **options: Any) -> str:
        pages.append(page or small_page())
        return launch.launch_page(pages[-1], prevent_thread_lock=True, quiet=True, **options).rstrip("/")

    yield start
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def url(serve: Callable[..., str]) -> str:
    return serve()


@pytest.fixture(scope="module")
def named(serve: Callable[..., str]) -> str:
    return serve(names=["lab.test"])


@pytest.fixture(scope="module")
def locked_page() -> gr.Blocks:
    return small_page()


@pytest.fixture(scope="module")
def locked(serve: Callable[..., str], locked_page: gr.Blocks) -> str:
    return serve(locked_page, host="0.0.0.0", login=LOGIN, demo=True)


# Exposure


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


PRIVATE = """
import os, stat
import gradio as gr
from latentlab.ui import guard
guard.prepare()
with gr.Blocks() as page:
    gr.Image()
guard.serve(page, prevent_thread_lock=True, quiet=True)
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


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "localhost.evil.example"])
def test_a_foreign_host_name_is_refused(url: str, host: str):
    assert httpx.get(url, headers={"Host": host}).status_code == 400


def test_names_may_be_added():
    assert "lab.example.org" in launch.list_host_names("127.0.0.1", ["lab.example.org"])


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "lab.test"])
def test_a_foreign_origin_is_never_allowed(named: str, method: str, host: str):
    headers = {"Host": host, "Origin": EVIL, "Access-Control-Request-Method": "POST"}
    answer = httpx.request(method, f"{named}/gradio_api/call/greet", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code >= 400


def upload(url: str, data: bytes, name: str = "a.png", **headers: str) -> list[str]:
    answer = httpx.post(f"{url}/gradio_api/upload", files={"files": (name, data)}, headers=headers)
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}, {"Origin": "null"}],
)
def test_a_foreign_page_cannot_post(url: str, headers: dict[str, str]):
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        upload(url, b"x", **headers)
    assert httpx.post(f"{url}/gradio_api/call/greet", json={"data": ["x"]}, headers=headers).status_code == 403


def test_the_page_itself_can_post(url: str):
    assert upload(url, b"x", **{"Sec-Fetch-Site": "same-origin", "Origin": url})


def test_a_link_from_elsewhere_opens_the_page_but_embeds_nothing(url: str):
    navigate = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(url, headers=navigate).status_code == 200
    assert httpx.get(url, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert httpx.post(f"{url}/gradio_api/upload", headers=navigate).status_code == 403


@pytest.mark.parametrize("path", ["/", "/config", "/nowhere", "/gradio_api/upload", "/login"])
@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}])
def test_every_answer_carries_the_headers(url: str, path: str, headers: dict[str, str]):
    answer = httpx.get(url + path, headers=headers)
    assert {name: answer.headers[name] for name in middleware.SECURITY_HEADERS} == middleware.SECURITY_HEADERS


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/monitoring/summary"])
def test_what_nobody_needs_is_off(url: str, path: str):
    assert httpx.get(url + path).status_code in (403, 404)


# Login


def test_without_the_cookie_every_route_but_a_few_is_closed(locked: str, locked_page: gr.Blocks):
    routes = [(method, route.path) for route in every_route(locked_page.app) for method in route.methods]
    assert len(routes) > 70
    for method, path in routes:
        filled = re.sub(r"{[^}]*}", "x", path)
        if not middleware.is_open_path(filled):
            answer = httpx.request(method, locked + filled, cookies={"access-token-x": "guess"})
            assert answer.status_code == 401, (method, path)


def every_route(router: Any) -> Iterator[Any]:
    for route in router.routes:
        yield from every_route(route.original_router) if hasattr(route, "original_router") else [route]


def test_the_open_paths_tell_nothing(locked: str):
    page = httpx.get(locked).text
    assert '"auth_required":true' in page.replace(" ", "")
    assert "greet" not in page
    assert httpx.get(f"{locked}/gradio_api/user").json() is None
    assert httpx.get(f"{locked}/gradio_api/token").json() == {"token": None, "user": None}


def test_the_right_password_opens(locked: str):
    name, password = LOGIN.split(":")
    client = Client(locked, auth=(name, password), verbose=False)
    assert client.predict("Anna", api_name="/greet") == "Hello Anna"


def test_guessing_is_throttled_even_from_many_addresses(serve: Callable[..., str]):
    with httpx.Client(base_url=serve(login=LOGIN)) as client:

        def attempt(password: object, address: str = "") -> int:
            headers = {"X-Forwarded-For": address} if address else {}
            return client.post(
                "/login", data={"username": "anna", "password": str(password)}, headers=headers
            ).status_code

        assert attempt("a long password") == 200
        assert [attempt(guess) for guess in range(middleware.WRONG_LOGINS)] == [400] * middleware.WRONG_LOGINS
        assert attempt("wrong") == 429
        assert attempt("a long password") == 429
        forged = [attempt(guess, f"10.0.0.{guess}") for guess in range(250)]
        assert forged.count(429) >= 50


def test_a_throttle_forgets_after_a_minute():
    throttle = middleware.LoginThrottle(2)
    throttle.add_mark("a", 0.0)
    throttle.add_mark("a", 30.0)
    assert throttle.is_full("a", 59.0)
    assert not throttle.is_full("b", 59.0)
    assert not throttle.is_full("a", 61.0)
    assert not throttle.is_full("a", 200.0)
    assert not throttle.times


# Bodies


def test_a_declared_body_over_the_limit_is_refused(locked: str):
    assert httpx.post(f"{locked}/login", content=b"x" * (launch.MAX_DEMO_BODY_BYTES + 1)).status_code == 413


@pytest.fixture(scope="module")
def narrow(serve: Callable[..., str]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "BODY_BYTES", MB)
        yield serve()


def in_pieces(data: bytes) -> Iterator[bytes]:
    """Sent chunked, without a Content-Length."""
    yield from (data[start : start + 65536] for start in range(0, len(data), 65536))


@pytest.mark.parametrize("key", ["url", "path"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_data_url_counts_like_any_other_body(narrow: str, key: str, chunked: bool):
    body = b'{"data": [{"%s": "data:image/png;base64,%s"}]}' % (key.encode(), b"A" * 3 * MB)
    content = in_pieces(body) if chunked else body
    answer = httpx.post(f"{narrow}/gradio_api/call/size", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_chunked_upload_over_the_limit_is_refused(narrow: str):
    form = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 3 * MB + b"\r\n--b--\r\n"
    )
    answer = httpx.post(
        f"{narrow}/gradio_api/upload",
        content=in_pieces(form),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413


def test_within_the_limit_all_is_well(narrow: str):
    assert upload(narrow, b"x" * (MB // 2))


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


# In a browser


@pytest.fixture(scope="module")
def browser(chromium: str | None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab that must stay without console errors, and whose requests must not leave this machine."""
    tab, troubles = browser.new_page(), []
    tab.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("request", lambda request: troubles.append(request.url) if foreign(request.url) else None)
    yield tab
    tab.close()
    assert not troubles


def foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:"))


@pytest.mark.browser
def test_the_page_works_behind_the_guard(tab: Page, url: str):
    tab.goto(url)
    greet(tab)


@pytest.mark.browser
def test_a_visitor_logs_in(tab: Page, locked: str):
    tab.goto(locked)
    name, password = LOGIN.split(":")
    tab.get_by_label("username").fill(name)
    tab.get_by_label("password").fill(password)
    tab.get_by_role("button", name="Login").click()
    greet(tab)


def greet(tab: Page) -> None:
    tab.locator("#name textarea, #name input").fill("Anna")
    tab.locator("#greet").click()
    expect(tab.locator("#hello textarea, #hello input")).to_have_value("Hello Anna")
