"""The workbench and the panel under the stage, in Chromium."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page
from ui.hand import caption, choose, drop, result, slide

pytestmark = pytest.mark.browser
CURVE = "#course .ll-figure .main-svg"


def read_marked_label(view: Page) -> str:
    """The label of the strip's picture that is shown."""
    return view.locator(".ll-tile.ll-here figcaption b").inner_text()


def test_a_click_on_the_strip_goes_there_and_the_slider_follows(view: Page) -> None:
    view.locator(".ll-jump").nth(1).click()
    caption(view, "pc1 -2.0 σ")
    view.wait_for_function("document.querySelector('#bank-0 input[type=number]').value === '-2'")
    view.wait_for_function("document.querySelector('.ll-tile.ll-here figcaption b')?.innerText === '-2 σ'")


def test_a_click_on_the_curve_goes_there_and_the_slider_follows(view: Page) -> None:
    view.wait_for_selector(CURVE)
    view.wait_for_selector("#course .scatterlayer .trace")
    box = view.locator("#course .nsewdrag").first.bounding_box()
    view.mouse.click(box["x"] + box["width"] * 0.26, box["y"] + box["height"] * 0.5)  # near −1.5 σ
    caption(view, "pc1 -1.5 σ")
    view.wait_for_function("document.querySelector('#bank-0 input[type=number]').value === '-1.5'")


def test_the_curve_says_where_the_path_leaves_what_is_usual(view: Page) -> None:
    view.wait_for_selector("#course-note .ll-quiet")
    words = view.locator("#course-note").inner_text()
    assert "usual" in words
    assert "64 test images" in (view.locator("#course-note .ll-term").get_attribute("data-help") or "")


def test_side_by_side_a_click_goes_to_that_space(view: Page) -> None:
    view.get_by_text("side by side").click()
    view.wait_for_selector(".ll-there[data-key=digits-glow] img", timeout=20_000)
    assert view.locator(".ll-there").count() == 4
    assert "moved l2" in view.locator(".ll-there[data-key=digits-glow]").inner_text()
    view.locator(".ll-there[data-key=digits-glow]").click()
    view.wait_for_selector(".ll-model[aria-pressed=true] b:text-is('Glow')")
    assert view.locator("#space input").first.input_value() == "Glow"


def test_what_moved_is_shown_part_by_part(view: Page) -> None:
    choose(view, "space", "Glow")
    view.wait_for_selector(".ll-model[aria-pressed=true] b:text-is('Glow')")
    view.get_by_text("what moved").click()
    view.wait_for_selector(".ll-map img")
    shares = [float(words.split("·")[1].rstrip(" %")) for words in view.locator(".ll-map span").all_inner_texts()]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(100, abs=2)


def test_pinned_pictures_are_compared_and_taken_up_again(view: Page) -> None:
    view.wait_for_timeout(600)
    first = result(view)
    view.locator("[data-key=pin-result]").click()
    view.wait_for_selector(".ll-slot[data-key=pinned]")
    slide(view, "bank-1", 2)
    caption(view, "pc2 +2.0 σ")
    assert float(view.locator(".ll-numbers dt:has-text('pinned') + dd b").inner_text()) > 0
    view.locator(".ll-slot[data-key=pinned]").click()
    view.wait_for_function("src => document.querySelector('.ll-card img').src === src", arg=first)
    view.locator("[data-key=unpin]").click()
    view.wait_for_selector(".ll-slot.ll-none")


def test_a_selection_is_taken_clicked_zipped_and_cleared(view: Page, tmp_path: Path) -> None:
    view.get_by_text("Select many").click()
    view.locator("#many-rows textarea, #many-rows input").fill("2-4, 9")
    view.locator("#many").click()
    view.wait_for_selector("#chosen .ll-thumb")
    assert "4 test images" in view.locator("#chosen").inner_text()
    view.locator("#chosen .ll-thumb[data-key='9']").click()
    view.get_by_text("digits test 9").first.wait_for()
    view.wait_for_selector("#chosen .ll-thumb[data-key='9'][aria-pressed=true]")
    with view.expect_download() as download:
        view.locator("#pack [data-key=zip]").click()
    download.value.save_as(tmp_path / "taken.zip")
    with zipfile.ZipFile(tmp_path / "taken.zip") as archive:
        assert len([name for name in archive.namelist() if name.startswith("moved/")]) == 4
        (tmp_path / "moved.png").write_bytes(archive.read("moved/003-test-9.png"))
    before = result(view)
    slide(view, "bank-0", -3)
    caption(view, "pc1 -3.0 σ")
    drop(view, tmp_path / "moved.png")
    view.wait_for_function("src => document.querySelector('.ll-card.ll-accent img').src === src", arg=before)
    view.locator("#chosen [data-key=clear]").click()
    view.wait_for_selector("#chosen .ll-thumb", state="detached")
    view.locator("#many-rows textarea, #many-rows input").fill("nonsense")
    view.locator("#many").click()
    view.wait_for_selector("#bench-note .ll-note")
    assert "no row" in view.locator("#bench-note").inner_text()


@pytest.mark.parametrize("kind", ["webp", "png", "gif"])
def test_the_path_is_saved_as_an_animation(view: Page, tmp_path: Path, kind: str) -> None:
    view.wait_for_timeout(600)
    with view.expect_download() as download:
        view.locator(f"#films [data-key={kind}]").click()
    assert download.value.suggested_filename == f"latentlab-digits-stylegan2-shift.{kind}"
    download.value.save_as(tmp_path / "film")
    with Image.open(io.BytesIO((tmp_path / "film").read_bytes())) as film:
        assert getattr(film, "n_frames", 1) > 20
    view.wait_for_function("kind => !document.querySelector(`#films [data-key=${kind}]`).disabled", arg=kind)


# In the page, for a small network is done before another process has looked: what stood there when it was stopped.
REFINED_AND_STOPPED = """() => new Promise(done => {
  const watch = new MutationObserver(() => {
    const halt = document.querySelector('[data-act=halt]'), words = halt?.closest('.ll-card').innerText;
    if (!halt) return;
    watch.disconnect();
    halt.click();
    done(words);
  });
  watch.observe(document.querySelector('#stage'), { subtree: true, childList: true });
  document.querySelector('[data-act=refine]').click();
})"""


def test_refining_shows_progress_can_be_given_up_and_undone(view: Page) -> None:
    before = result(view)
    assert "of 100" in view.evaluate(REFINED_AND_STOPPED)
    view.wait_for_selector("[data-act=refine]", timeout=20_000)
    assert result(view) == before
    view.locator("[data-act=refine]").click()
    view.wait_for_selector("[data-act=undo]", timeout=90_000)
    words = view.locator(".ll-card").nth(1).inner_text()
    start, end = (float(word) for word in words.partition("\n")[2].split(" dB")[0].split(" → "))
    assert end > start
    assert result(view) != before
    view.locator("[data-act=undo]").click()
    view.wait_for_selector("[data-act=refine]")
    assert result(view) == before


def test_nothing_shifts_when_results_arrive(view: Page) -> None:
    """Cumulative layout shift as browsers measure it; within half a second of a key or click it does not count."""
    view.wait_for_timeout(1500)
    view.evaluate(
        "() => { window.shifts = []; new PerformanceObserver(list => list.getEntries().forEach("
        "e => window.shifts.push([e.value, ...e.sources.map(s => s.node?.id || s.node?.className)])"
        ")).observe({ type: 'layout-shift', buffered: false }); }"
    )
    for value in (1, -2):
        slide(view, "bank-0", value)
        caption(view, f"pc1 {value:+.1f} σ")
        view.wait_for_timeout(1800)
    shifts = view.evaluate("window.shifts")
    assert sum(shift[0] for shift in shifts) < 0.01, shifts


def test_two_visitors_pins_selections_and_refinements_are_their_own(view: Page, served: str) -> None:
    other = view.context.browser.new_page()
    other.goto(served)
    other.wait_for_selector(".ll-tile img")
    view.locator("[data-key=pin-result]").click()
    view.wait_for_selector(".ll-slot[data-key=pinned]")
    view.get_by_text("Select many").click()
    view.locator("#many").click()
    view.wait_for_selector("#chosen .ll-thumb")
    slide(other, "bank-1", 1)
    caption(other, "pc2 +1.0 σ")
    assert other.locator(".ll-slot[data-key=pinned]").count() == 0
    assert other.locator("#chosen .ll-thumb").count() == 0


def test_controls_say_what_they_are_for(view: Page) -> None:
    """Every button has a name, every slider a unit or is a bare number, every form control a label."""
    nameless = view.evaluate(
        "() => [...document.querySelectorAll('button, input, select, textarea, [role=slider]')]"
        ".filter(e => e.offsetParent && e.type !== 'file' && e.tabIndex >= 0)"
        ".filter(e => !(e.innerText || e.title || e.ariaLabel || e.placeholder || e.closest('label')))"
        ".map(e => e.outerHTML.slice(0, 160))"
    )
    assert nameless == []
    sliders = view.locator("#explore-shift .ll-centred:visible span[data-testid=block-info]").all_inner_texts()
    assert len(sliders) >= 8
    assert all("[σ]" in words for words in sliders)
