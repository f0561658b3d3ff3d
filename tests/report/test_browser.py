"""A page in a real browser: nothing is fetched, tables are sorted, it fits a phone, and is dark where wanted."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ibbench.commands.report import tell_study
from ibbench.compare.study import read_study
from ibbench.data.dataset import DataSet
from ibbench.report import html
from tests.report.chromium import running_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BEST_FIRST = "table:has(th:has-text('test MAE'))"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(qm9: DataSet, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: ARG001 (it names molecules)
    folder = ROOT / "results" / "learning_curve"
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.write(tell_study(read_study(folder), folder), "learning_curve"))
    return path.as_uri()


class Opened:
    """A page that is open, with what it has asked for and said.

    Attributes:
        page: of the browser.
        asked: addresses that it has requested, but for its own.
        said: lines of the console, and errors.
    """

    def __init__(self, browser: "Browser", address: str, **options: Any) -> None:
        context = browser.new_context(offline=True, **options)
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_load_state("load")
        self.asked = [url for url in self.asked if url != address and not url.startswith("data:")]


def _column(page: "Page", number: int) -> list[str]:
    return page.locator(BEST_FIRST).first.locator(f"tbody tr td:nth-child({number})").all_text_contents()


def test_nothing_is_fetched_and_the_console_is_silent(browser: "Browser", address: str) -> None:
    opened = Opened(browser, address)
    opened.page.mouse.wheel(0, 50_000)
    assert opened.asked == []
    assert opened.said == []


def test_tables_are_sorted_by_mouse_and_keyboard(browser: "Browser", address: str) -> None:
    page = Opened(browser, address).page
    table = page.locator(BEST_FIRST).first
    headers = table.locator("th").all_text_contents()
    place = headers.index("test MAE") + 1
    before = _column(page, place)
    figures = [float(re.match(r"[\d.]+", text)[0]) for text in before]  # type: ignore[index]
    assert figures != sorted(figures)
    header = table.locator("th").nth(place - 1)
    header.locator("button").click()
    assert [float(text.split()[0]) for text in _column(page, place)] == sorted(figures)
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").focus()
    page.keyboard.press("Enter")
    assert [float(text.split()[0]) for text in _column(page, place)] == sorted(figures, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    by_model = headers.index("model")
    table.locator("th").nth(by_model).locator("button").click()
    names = _column(page, by_model + 1)
    assert names == sorted(names)
    assert header.get_attribute("aria-sort") is None
    costs = headers.index("train s")  # which baselines have none of
    for _ in range(2):
        table.locator("th").nth(costs).locator("button").click()
        assert _column(page, costs + 1)[-1] == ""
        assert _column(page, costs + 1)[0] != ""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_its_window(browser: "Browser", address: str, width: int) -> None:
    page = Opened(browser, address, viewport={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    pictures = page.locator("svg").all()
    assert len(pictures) > 20
    assert all(box and box["width"] > 100 and box["height"] > 80 for box in (one.bounding_box() for one in pictures))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_told_from_its_background_in_either_scheme(browser: "Browser", address: str, scheme: str) -> None:
    page = Opened(browser, address, color_scheme=scheme).page

    def lightness(selector: str, what: str) -> float:
        colour = page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{what}")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765

    back, text = lightness("body", "backgroundColor"), lightness("p", "color")
    assert (back < 0.2, text > 0.7) == ((True, True) if scheme == "dark" else (False, False))
    assert lightness(".card", "backgroundColor") == 1  # pictures stay on white, which they were drawn for


def test_without_scripts_all_is_there_and_no_button_that_does_nothing(browser: "Browser", address: str) -> None:
    page = Opened(browser, address, java_script_enabled=False).page
    assert page.locator("button").count() == 0
    assert page.locator(BEST_FIRST).first.locator("tbody tr").count() > 40


def test_on_paper_all_is_unfolded_and_nothing_is_a_button(browser: "Browser", address: str, tmp_path: Path) -> None:
    page = Opened(browser, address).page
    folded = page.locator("details:not([open])").count()
    assert folded > 3
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == page.locator("th button").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded
    assert page.locator("th button").count() == page.locator("th").count()
    page.emulate_media(media="print")
    hidden = "one => getComputedStyle(one).overflowX"
    assert set(page.locator(".scroll").evaluate_all(f"all => all.map({hidden})")) == {"visible"}  # nothing is cut off
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
