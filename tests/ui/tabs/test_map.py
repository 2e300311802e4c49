"""The map and the toy room: figures as data, and a visitor's hand on them in Chromium."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from playwright.sync_api import Page, sync_playwright
from ui.conftest import BROWSER, own

from latentlab.errors import UserError
from latentlab.session.map.coloring import PointValues
from latentlab.ui import load_page_style
from latentlab.ui.plotly_view import PlotlyView, encode_array, find_plotly_script, read_event_points
from latentlab.ui.server import launch
from latentlab.ui.tabs.map.figure import draw_line_segments, find_point_rows, group_points
from latentlab.ui.tabs.toys.tab import draw_toy_panels

PLOT = "document.querySelector('#map-plot .ll-figure')"
INK = (
    f"(() => {{ const p = {PLOT}, t = p._fullData[0], l = p._fullLayout, g = devicePixelRatio;"
    " const x = l.xaxis._offset + l.xaxis.d2p(t.x[0]), y = l.yaxis._offset + l.yaxis.d2p(t.y[0]);"
    " return p.querySelector('.ll-sprites').getContext('2d').getImageData(x * g, y * g, 1, 1).data[3]; })()"
)  # how much lies on the sheet's canvas at the first point


def told(index: Any) -> Any:
    return gr.EventData(None, {"index": index, "value": "lasso"})


def test_points_of_a_visitor_are_whole_numbers_in_pairs() -> None:
    assert read_event_points(told([[0, 3], [1, 2]])) == [(0, 3), (1, 2)]
    assert read_event_points(told([])) == []


@pytest.mark.parametrize(
    "index", [None, "x", [[0]], [[0, -1]], [[0, 1.5]], [[True, 0]], [[0, 10**9]], [[0, 0]] * 100_001]
)
def test_anything_else_is_refused_in_one_line(index: Any) -> None:
    with pytest.raises(UserError, match=r"^[^\n]+$"):
        read_event_points(told(index))


def test_numbers_go_to_the_browser_as_they_are() -> None:
    packed = encode_array(torch.tensor([0.5, -2.0, float("nan")]))
    back = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    assert packed["dtype"] == "f4"
    assert back[:2].tolist() == [0.5, -2.0]
    assert np.isnan(back[2])
    assert encode_array(torch.tensor([1, 2]))["dtype"] == "i4"


def test_each_row_of_the_map_is_in_one_curve_and_is_found_again() -> None:
    labels = torch.tensor([2, 0, 2, 1, 0])
    curves = group_points(PointValues(labels, ("a", "b", "c", "never")), 5)
    assert [(curve.name, curve.rows.tolist()) for curve in curves] == [("a", [1, 4]), ("b", [3]), ("c", [0, 2])]
    shown = [curve.rows for curve in curves]
    assert find_point_rows(shown, [(0, 1), (2, 0), (3, 0), (0, 9)]) == [4, 0]


def test_an_arrow_goes_from_the_start_to_the_end_and_then_there_is_a_gap() -> None:
    trace = draw_line_segments("moved", torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 3.0]]), "var(--ll-ink)", 1)
    x, y = (np.frombuffer(base64.b64decode(trace[axis]["bdata"]), "f4") for axis in "xy")
    assert x[:2].tolist() == [0, 2]
    assert y[:2].tolist() == [1, 3]
    assert np.isnan([x[2], y[2]]).all()


def test_the_toy_room_counts_what_falls_off_and_k_mixup_loses_least() -> None:
    panels = draw_toy_panels("ring", "half", True, 60, 0)
    off = {rule: int(re.search(r"<b>(\d+) of 300", words)[1]) for rule, (_, words) in panels.items()}  # type: ignore[index]
    assert off["k-mixup"] < off["mixup"]
    assert off["k-mixup"] < off["random"]
    for rule, (figure, _) in panels.items():
        pairs, _, on, away = figure["data"]
        assert pairs["name"] == "pairs"
        assert [on["name"], away["name"]] == ["on it", "off it"]
        assert len(base64.b64decode(away["x"]["bdata"])) == 4 * off[rule]


def test_a_k_beyond_the_points_is_one_line() -> None:
    with pytest.raises(UserError, match="k is 301"):
        draw_toy_panels("moons", "beta", False, 301, 0)


def test_the_script_of_the_plots_is_served_after_the_login_and_not_before() -> None:
    launch.prepare_gradio()
    with gr.Blocks() as demo:
        PlotlyView()
    url = launch.launch_page(demo, login="ada:lovelace", prevent_thread_lock=True, quiet=True)
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.get(f"gradio_api/file={find_plotly_script()}").status_code == 401
        client.post("login", data={"username": "ada", "password": "lovelace"}).raise_for_status()
        found = client.get(f"gradio_api/file={find_plotly_script()}")
        beside = client.get(f"gradio_api/file={find_plotly_script().parent / 'datasets' / 'tips.csv.gz'}")
    demo.close()
    assert found.content == find_plotly_script().read_bytes()
    assert "javascript" in found.headers["content-type"]
    assert beside.status_code == 403


@pytest.fixture
def plots(chromium: str | None) -> Iterator[Any]:
    """A page of one plot with 50,000 points, and what its console says."""

    def figure(seed: int) -> dict[str, Any]:
        draw = np.random.default_rng(seed)
        x, y = draw.normal(size=(2, 50_000))
        marker = {"size": 3, "color": "var(--ll-accent)"}
        cloud = {"type": "scattergl", "mode": "markers", "x": encode_array(x), "y": encode_array(y), "marker": marker}
        return {"data": [cloud], "layout": {"dragmode": "lasso"}}

    def tell(event: gr.EventData) -> str:
        return f"lasso {len(read_event_points(event))}"

    tell.__annotations__["event"] = gr.EventData  # Gradio reads it to fill the argument
    launch.prepare_gradio()
    with gr.Blocks(fill_width=True) as demo:
        view, new = PlotlyView(value=figure(0), height=400, elem_id="map-plot"), gr.Button("new", elem_id="new")
        said = gr.Textbox(elem_id="said")
        new.click(lambda: figure(1), None, view)
        view.select(tell, None, said)
    url = launch.launch_page(demo, prevent_thread_lock=True, quiet=True, **load_page_style())
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        page = browser.new_page(viewport={"width": 900, "height": 700})
        page.set_default_timeout(120_000)
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.append(r.url) if not own(r.url, url) else None)
        page.goto(url)
        page.wait_for_selector("#map-plot .main-svg")
        yield page, complaints
        browser.close()
    demo.close()


@pytest.mark.slow
@pytest.mark.browser
def test_fifty_thousand_points_are_drawn_kept_in_zoom_and_restyled(plots: Any) -> None:
    page, complaints = plots
    assert page.evaluate(f"{PLOT}._fullData[0].x.length") == 50_000
    page.locator("#map-plot .ll-figure").focus()
    page.keyboard.press("+")
    page.wait_for_timeout(300)
    before = page.evaluate(f"{PLOT}._fullLayout.xaxis.range")
    first = page.evaluate(f"{PLOT}._fullData[0].x[0]")
    page.locator("#new").click()
    page.wait_for_function(f"{PLOT}._fullData[0].x[0] !== {first}")
    assert page.evaluate(f"{PLOT}._fullLayout.xaxis.range") == before
    light = page.evaluate(f"{PLOT}._fullData[0].marker.color")
    page.evaluate("document.body.classList.toggle('dark')")
    page.wait_for_function(f"{PLOT}._fullData[0].marker.color !== '{light}'")
    lasso(page, 0.3, 0.3, 0.7, 0.7)
    page.wait_for_function("document.querySelector('#said textarea').value.startsWith('lasso')")
    x, y = (torch.tensor(page.evaluate(f"Array.from({PLOT}._fullData[0].{axis})")) for axis in "xy")
    xs, ys = (page.evaluate(f"{PLOT}._fullLayout.{axis}axis.range") for axis in "xy")
    inside = ((x - xs[0]) / (xs[1] - xs[0]) - 0.5).abs().lt(0.2) & ((y - ys[0]) / (ys[1] - ys[0]) - 0.5).abs().lt(0.2)
    caught = int(page.locator("#said textarea").input_value().split()[1])
    assert caught == pytest.approx(int(inside.sum()), rel=0.02)
    assert complaints == []


def lasso(view: Page, left: float, top: float, right: float, bottom: float) -> None:
    """A frame drawn by hand, in shares of the plot."""
    box = view.locator("#map-plot .nsewdrag").first.bounding_box()

    def go(x: float, y: float) -> None:
        view.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=3)

    go(left, top)
    view.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        go(x, y)
    view.mouse.up()


@pytest.mark.slow
@pytest.mark.browser
def test_a_point_becomes_the_picture_and_a_lasso_the_selection(view: Page) -> None:
    view.set_default_timeout(120_000)
    view.get_by_role("tab", name="Map", exact=True).click()
    view.wait_for_selector("#map-plot .main-svg")
    view.wait_for_selector("#map-numbers dt:nth-of-type(3)")  # the workbench's picture is on the map
    view.locator("#map-plot").scroll_into_view_if_needed()
    place = view.evaluate(
        f"(() => {{ const p = {PLOT}, t = p._fullData[0], l = p._fullLayout, b = p.getBoundingClientRect();"
        " return [b.x + l.xaxis._offset + l.xaxis.d2p(t.x[0]), b.y + l.yaxis._offset + l.yaxis.d2p(t.y[0]),"
        " t.customdata[0]]; })()"
    )
    view.mouse.move(place[0] - 30, place[1])
    view.mouse.move(place[0], place[1], steps=4)
    view.wait_for_selector("#map-plot .ll-figure-tip.ll-seen img[src^='data:image/png']")
    view.wait_for_function("document.querySelector('#map-plot .ll-figure-tip').innerText.includes('digits test')")
    view.mouse.click(place[0], place[1])
    view.wait_for_function("document.querySelector('.ll-slot[data-key=input]').innerText.includes('digits test')")
    view.wait_for_selector("#map-plot canvas.ll-sprites", state="attached")
    assert view.evaluate(INK) > 0  # a thumbnail stands where the point is
    view.locator("#map-nearest .ll-jump").nth(1).click()
    nearest = view.locator("#map-nearest figcaption span").nth(1).inner_text()
    view.wait_for_function(
        "word => document.querySelector('.ll-slot[data-key=input]').innerText.includes(word)", arg=nearest
    )
    whole = view.evaluate(f"{PLOT}._fullLayout.xaxis.range")
    view.locator("#map-plot .ll-figure").focus()
    view.keyboard.press("+")
    view.wait_for_function(f"whole => {PLOT}._fullLayout.xaxis.range[0] !== whole[0]", arg=whole)
    view.locator("#map-all").click()
    view.wait_for_function(f"whole => Math.abs({PLOT}._fullLayout.xaxis.range[0] - whole[0]) < 1e-6", arg=whole)
    lasso(view, 0.05, 0.05, 0.95, 0.95)
    view.wait_for_function(f"{PLOT}._fullData.some(t => t.name.startsWith('selection'))")
    view.locator("#map-overlay-mode").get_by_text("move on many").click()
    view.wait_for_function(f"{PLOT}._fullData.some(t => t.name === 'moved')")
    assert "moved" in view.locator("#map-numbers").inner_text()
    view.locator("#map-clear").click()
    view.wait_for_function(f"!{PLOT}._fullData.some(t => t.name.startsWith('selection'))")
    view.locator("#map-pictures").get_by_text("pictures").click()
    view.wait_for_selector("#map-plot canvas.ll-sprites", state="detached")
