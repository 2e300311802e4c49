"""The guard in front of a real gradio server: who may ask, from where, and with which password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright
from ui.server.small_page import LOGIN, upload_file

from latentlab.ui.server import middleware

EVIL = "http://evil.example"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "localhost.evil.example"])
def test_a_foreign_host_name_is_refused(url: str, host: str):
    assert httpx.get(url, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "lab.test"])
def test_a_foreign_origin_is_never_allowed(named: str, method: str, host: str):
    headers = {"Host": host, "Origin": EVIL, "Access-Control-Request-Method": "POST"}
    answer = httpx.request(method, f"{named}/gradio_api/call/greet", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code >= 400


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": EVIL}, {"Origin": "null"}],
)
def test_a_foreign_page_cannot_post(url: str, headers: dict[str, str]):
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        upload_file(url, b"x", **headers)
    assert httpx.post(f"{url}/gradio_api/call/greet", json={"data": ["x"]}, headers=headers).status_code == 403


def test_the_page_itself_can_post(url: str):
    assert upload_file(url, b"x", **{"Sec-Fetch-Site": "same-origin", "Origin": url})


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


def test_without_the_cookie_every_route_but_a_few_is_closed(locked: str, locked_page: gr.Blocks):
    routes = [(method, route.path) for route in iterate_routes(locked_page.app) for method in route.methods]
    assert len(routes) > 70
    for method, path in routes:
        filled = re.sub(r"{[^}]*}", "x", path)
        if not middleware.is_open_path(filled):
            answer = httpx.request(method, locked + filled, cookies={"access-token-x": "guess"})
            assert answer.status_code == 401, (method, path)


def iterate_routes(router: Any) -> Iterator[Any]:
    for route in router.routes:
        yield from iterate_routes(route.original_router) if hasattr(route, "original_router") else [route]


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
    tab.on("request", lambda request: troubles.append(request.url) if is_foreign(request.url) else None)
    yield tab
    tab.close()
    assert not troubles


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:"))


@pytest.mark.browser
def test_the_page_works_behind_the_guard(tab: Page, url: str):
    tab.goto(url)
    greet_visitor(tab)


@pytest.mark.browser
def test_a_visitor_logs_in(tab: Page, locked: str):
    tab.goto(locked)
    name, password = LOGIN.split(":")
    tab.get_by_label("username").fill(name)
    tab.get_by_label("password").fill(password)
    tab.get_by_role("button", name="Login").click()
    greet_visitor(tab)


def greet_visitor(tab: Page) -> None:
    tab.locator("#name textarea, #name input").fill("Anna")
    tab.locator("#greet").click()
    expect(tab.locator("#hello textarea, #hello input")).to_have_value("Hello Anna")
