"""What a browser sees of MLflow's pages, for the tests of `make ui`: each function waits until it is there, or fails."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.servers import wait_until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A headless Chromium with a folder of its own."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-quic", "disable-gpu")
    for flag in ("headless", "no-sandbox", *quiet, f"user-data-dir={profile}", "window-size=1500,1200"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def see_models(page: Any, runs: str) -> None:
    """The list of models, with their accuracies beside the published ones."""
    _open(page, runs)
    wait_until(lambda: "digits-cnn" in _text_of(page) and "digits-mlp" in _text_of(page), "both models are listed")
    for column in ("best_mean", "published_mean", "98.5"):
        wait_until(lambda shown=column: shown in _text_of(page), f"the list shows {column}")


def see_filters(page: Any, runs: str) -> None:
    """Each filter of docs/reproduce.md's kind leaves the runs that match."""
    for query, matching in {"params.model = 'digits-cnn'": 3, "params.seed = '1'": 2, "params.dataset = 'digits'": 6}.items():
        _open(page, _filtered(runs, query))
        wait_until(lambda n=matching: f"{n} matching runs" in _text_of(page), f"{query}: {matching} runs")


def see_curves(page: Any, curves: str) -> None:
    """The charts of all seeds."""
    _open(page, curves)
    wait_until(lambda: "digits-mlp seed 1" in _text_of(page), "seeds stand one by one")
    for section in ("accuracy\n(2)", "firing_rate\n(2)", "loss\n(1)", "accuracy/train"):
        wait_until(lambda shown=section: shown in _text_of(page), f"the charts have a section {section}")
    wait_until(lambda: _type(page, "input[placeholder='Search metric charts']", "accuracy/test"), "charts can be chosen")
    wait_until(
        lambda: len(page.find_elements("css selector", ".js-plotly-plot .scatterlayer .trace")) >= 4, "one chart shows all four seeds"
    )


def see_a_run(page: Any, runs: str) -> None:
    """One seed's page: parameters, parent, curves and files."""
    _open(page, _filtered(runs, "params.model = 'digits-mlp' and params.seed = '0'"))
    wait_until(lambda: _click(page, "digits-mlp seed 0"), "the run can be opened")
    wait_until(lambda: "Parent run" in _text_of(page) and "2021-03" in page.page_source, "its parameters and parent are shown")
    wait_until(lambda: _click(page, "Model metrics"), "its charts can be opened")
    wait_until(lambda: len(page.find_elements("css selector", ".js-plotly-plot .point")) >= 8, "its curves are drawn")
    wait_until(lambda: _click(page, "Artifacts"), "its files can be opened")
    wait_until(lambda: _click(page, "confusion.png"), "the confusion matrix is listed")
    wait_until(
        lambda: any(image.size["width"] > 300 for image in page.find_elements("css selector", "img")), "the confusion matrix is shown"
    )
    wait_until(lambda: _click(page, "weights"), "the weights are listed")
    wait_until(lambda: "best.safetensors" in _text_of(page), "the weights are there")


def _text_of(page: Any) -> str:
    return str(page.find_element("tag name", "body").text)


def _filtered(runs: str, query: str) -> str:
    return runs + "&" + urlencode({"searchFilter": query, "orderByKey": "params.`model`"})


def _open(page: Any, address: str) -> None:
    # Addresses that differ behind the # alone would not be loaded anew.
    page.get("about:blank")
    page.get(address)


def _type(page: Any, selector: str, text: str) -> bool:
    page.find_element("css selector", selector).send_keys(text)
    return True


def _click(page: Any, label: str) -> bool:
    for element in page.find_elements("xpath", f"//*[normalize-space(text())='{label}']"):
        if element.is_displayed():
            element.click()
            return True
    return False
