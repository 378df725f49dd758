"""The page in headless Chromium: quiet, self-contained, and usable by pointer, finger, keyboard and screen reader."""

import os
import threading
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from tests.page.chromium import CHROMIUM, IN_CHROMIUM
from tests.page.test_page import PICTURES
from tests.support.runs import GAN_CONFIG, classifier_rows, estimator_rows, gan_rows, write_run
from wgan_lip.page import write_page
from wgan_lip.page.server import PageServer
from wgan_lip.report import read_run

pytestmark = IN_CHROMIUM
WIDTHS = {"desk": 1280, "telephone": 390}


@pytest.fixture(scope="module")
def browser():
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield (browser := playwright.chromium.launch(executable_path=CHROMIUM, args=[*quiet, *sandbox]))
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A page of each kind, and one of two runs."""
    folder = tmp_path_factory.mktemp("pages")
    runs = {
        "gan": [write_run(folder / "digits" / "a", gan_rows(), GAN_CONFIG, PICTURES, finished=20)],
        "estimator": [write_run(folder / "cones" / "a", estimator_rows(), {"heldout_w1": {"exact_n": 64}})],
        "classifier": [write_run(folder / "robust" / "a", classifier_rows())],
    }
    runs["together"] = [*runs["gan"], write_run(folder / "digits" / "b", gan_rows(), {**GAN_CONFIG, "seed": 1})]
    for name, of in runs.items():
        write_page(folder / f"{name}.html", [read_run(run) for run in of])
    return {name: folder / f"{name}.html" for name in runs}


@pytest.fixture
def opened(browser):
    """Opens an address in a window, and has what it complained of and asked for."""
    contexts = []

    def open_(address: str, width: int = 1280, **settings):
        contexts.append(context := browser.new_context(viewport={"width": width, "height": 900}, **settings))
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda asked: page.asked.append(asked.url))
        page.goto(address)
        until(page, "[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))")
        return page

    yield open_
    for context in contexts:
        context.close()


def until(page, condition: str) -> None:
    """Wait for a condition; Playwright's own waiting needs the eval that the page's policy forbids."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("kind", ["gan", "estimator", "classifier", "together"])
def test_a_page_opens_without_a_complaint_or_a_request(opened, pages, kind, width):
    page = opened(pages[kind].as_uri(), width)
    assert page.complaints == []
    assert [url.split(":")[0] for url in page.asked if not url.startswith("data:")] == ["file"]
    # Nothing sticks out at the side.
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if folder := os.environ.get("WGAN_LIP_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{kind}-{width}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["gan", "estimator", "classifier", "together"])
def test_axe_finds_no_serious_violation(opened, pages, kind, scheme):
    page = opened(pages[kind].as_uri(), color_scheme=scheme)
    for details in page.locator("summary").all():
        details.click()
    found = Axe().run(page).response
    assert len(found["passes"]) > 20
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []


def test_values_are_shown_where_the_pointer_is(opened, pages):
    page = opened(pages["gan"].as_uri())
    plot = page.locator("#run0-w1")
    box = plot.locator(".nsewdrag").bounding_box()
    # The last evaluation is near the right end.
    page.mouse.move(box["x"] + 0.93 * box["width"], box["y"] + box["height"] / 2)
    shown = plot.locator(".hoverlayer .legend")
    shown.wait_for()
    text = shown.text_content()
    assert "exact W1 : 3" in text
    assert "critic's proven bound : 0.8" in text
    assert "90% bracket of the distributions' W1 : 0.6004 to 4" in text


def test_a_figure_is_zoomed_by_dragging_and_released_by_a_double_click(opened, pages):
    page = opened(pages["gan"].as_uri())
    reach = "document.getElementById('run0-w1')._fullLayout.xaxis.range"
    low, high = page.evaluate(reach)
    box = page.locator("#run0-w1 .nsewdrag").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=5)
    page.mouse.up()
    until(page, f"{reach}[0] > 5 && {reach}[1] < 15")
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], middle)
    until(page, f"Math.abs({reach}[0] - {low}) < 1e-9 && Math.abs({reach}[1] - {high}) < 1e-9")


def test_the_slider_shows_the_pictures_of_its_step(opened, pages):
    page = opened(pages["gan"].as_uri())
    seen = "[...document.querySelectorAll('.strip img')].filter((image) => !image.hidden).map((image) => image.alt)"
    slider = page.get_by_role("slider", name="generator step")
    assert page.evaluate(seen) == ["generated, generator step 20"]
    slider.press("ArrowLeft")
    assert page.evaluate(seen) == ["generated, generator step 10"]
    slider.press("Home")
    assert page.evaluate(seen) == ["generated, generator step 0"]
    assert page.locator("output").text_content() == "0"
    assert slider.get_attribute("aria-valuetext") == "0"


def test_a_figure_is_read_by_keyboard(opened, pages):
    page = opened(pages["gan"].as_uri())
    plot, told = page.locator("#run0-w1"), page.locator("#run0-w1 + .reader")
    plot.focus()
    page.keyboard.press("End")
    assert "generator step 20; 90% bracket of the distributions' W1 0.6004 to 4.001;" in told.text_content()
    page.keyboard.press("ArrowLeft")
    assert told.text_content() == (
        "generator step 10; exact W1, proven to lie between (time budget spent) 2.5 to 3.5; "
        "noise floor: real against real [± 2 standard errors] 2 [1.75, 2.25]"
    )
    page.keyboard.press("+")
    assert page.evaluate("document.getElementById('run0-w1')._fullLayout.xaxis.range[0]") > 0
    page.keyboard.press("0")
    until(page, "document.getElementById('run0-w1')._fullLayout.xaxis.range[0] < 0")


@pytest.mark.parametrize(("format_", "beginning"), [("png", b"\x89PNG"), ("svg", b"<svg")])
def test_figures_are_saved(opened, pages, tmp_path, format_, beginning):
    page = opened(pages["gan"].as_uri(), color_scheme="dark")
    with page.expect_download() as download:
        page.locator(f"[data-plot=run0-w1][data-save={format_}]").click()
    assert download.value.suggested_filename == f"Estimated against exact Wasserstein-1 distance.{format_}"
    download.value.save_as(tmp_path / "figure")
    assert (tmp_path / "figure").read_bytes().startswith(beginning)


def test_colours_follow_the_reader(opened, pages):
    page = opened(pages["gan"].as_uri(), color_scheme="dark")
    ink = "document.getElementById('run0-w1')._fullLayout.font.color"
    background = "getComputedStyle(document.body).backgroundColor"
    assert (page.evaluate(ink), page.evaluate(background)) == ("#e6e9ed", "rgb(20, 23, 28)")
    page.emulate_media(color_scheme="light")
    until(page, f"{ink} === '#1b1f24'")
    page.get_by_role("button", name="Light or dark").click()
    until(page, f"{ink} === '#e6e9ed'")
    assert page.evaluate(background) == "rgb(20, 23, 28)"
    # Paper is white.
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    until(page, f"{ink} === '#000000'")


def test_a_served_page_follows_its_run(opened, tmp_path):
    folder = write_run(tmp_path / "digits" / "a", gan_rows(), GAN_CONFIG, PICTURES)
    with PageServer([folder]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            page = opened(server.url)
            until(page, "document.getElementById('news').textContent.startsWith('updated')")
            page.locator("#run0-w1-numbers summary").click()
            text = (folder / "metrics.csv").read_text()
            last = next(line for line in text.splitlines() if line.startswith("20,60,3.0"))
            (folder / "metrics.csv").write_text(text + last.replace("20,60,3.0", "40,120,2.5") + "\n")
            until(page, "document.querySelector('.value').textContent === '2.50 ± 0.25'")
            assert page.evaluate("document.getElementById('run0-w1').data.at(-1).x") == [0, 10, 20, 40]
            # What was open stays open.
            assert page.locator("#run0-w1-numbers").get_attribute("open") is not None
            assert page.complaints == []
            assert {url.split("?")[0] for url in page.asked if url.startswith("http")} == {
                server.url,
                f"{server.url}main",
            }
        finally:
            server.shutdown()
            thread.join()
