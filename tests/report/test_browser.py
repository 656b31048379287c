"""The page in a real browser, at the widths of a desk, a tablet and a phone, light and dark."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.report_builders import mixed_runs, settings
from tsslbp.report.gallery import comparison
from tsslbp.report.page import results_page
from tsslbp.report.rows import make_rows

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver"),
]

VISIBLE = """
const box = document.querySelector("table.results").parentElement.getBoundingClientRect();
const edge = Math.min(box.right, window.innerWidth);
return [...document.querySelectorAll("table.results tr > *")]
    .filter(cell => cell.colSpan === 1 && cell.getBoundingClientRect().right <= edge + 1).map(cell => cell.className);
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = make_rows(settings(), mixed_runs(settings()))
    path = tmp_path_factory.mktemp("page") / "results.html"
    path.write_text(results_page("tsslbp", rows, {"comparison": [comparison(rows)]}), encoding="utf-8")
    return path


def show(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.get(page.as_uri())


@pytest.mark.parametrize(("width", "columns"), [(1400, 9), (800, 4), (390, 4)])
def test_what_matters_is_seen_without_scrolling(browser: Any, page: Path, width: int, columns: int) -> None:
    """Network, reproduced, difference and verdict are the first four columns of the table."""
    show(browser, page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    seen = browser.execute_script(VISIBLE)
    needed = ["first", "reproduced", "estimate", "judgement"]
    rows = len(settings().models)
    assert all(sum(name in classes.split() for classes in seen) >= rows for name in needed)
    assert len(seen) >= (rows + 1) * columns


def test_the_first_screen_has_the_verdicts(browser: Any, page: Path) -> None:
    show(browser, page, 1400)
    bottom = browser.execute_script("return document.querySelector('.verdicts').getBoundingClientRect().bottom")
    assert bottom < 900
    assert browser.execute_script("return document.querySelector('nav').getBoundingClientRect().bottom") < 900


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_colors_follow_the_readers_choice(browser: Any, page: Path, scheme: str, is_dark: bool) -> None:
    show(browser, page, 800, scheme)
    style = "return getComputedStyle(document.querySelector('{}')).{}"
    shade = browser.execute_script(style.format("body", "backgroundColor"))
    assert (sum(int(part) for part in shade.strip("rgb()").split(",")) < 200) == is_dark
    assert (browser.execute_script(style.format("img", "filter")) != "none") == is_dark
