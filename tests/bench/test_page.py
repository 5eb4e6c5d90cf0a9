"""The page, in a browser: what is shown, sorted by a click, on a phone and in the dark."""

import json
import os
import shutil

import pytest
from bench.reports import report

from recordkit.bench.page import page


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The page of a report in a headless Chromium."""
    required = bool(os.environ.get("RECORDKIT_REQUIRE_BROWSER"))
    browser, driver = (next(filter(None, map(shutil.which, names)), None) for names in (
        ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
    ))  # fmt: skip
    if not required and not (browser and driver):
        pytest.skip("no Chromium with its driver; Debian has them as chromium and chromium-driver")
    if not required:
        pytest.importorskip("selenium", reason="selenium is not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(option)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(report(threads=(1, 2))), encoding="utf-8")
    window = webdriver.Chrome(options, webdriver.ChromeService(driver))
    window.get(path.as_uri())
    yield window
    window.quit()


def cells(window, column):
    return [row.text for row in window.find_elements("css selector", f"tbody td:nth-child({column})")]


def test_it_shows_every_case(shown):
    assert shown.title == "Loading photos.rec"
    assert cells(shown, 1) == [
        "recordkit native", "recordkit native", "MXNet ImageRecordIter", "MXNet ImageIter, .rec", "DALI, CPU",
        "torch DataLoader, Pillow",
    ]  # fmt: skip
    assert cells(shown, 3)[:2] == ["6,000", "3,000"]
    assert "failed: MemoryError: <b>no</b>" in cells(shown, 3)
    widths = [bar.size["width"] for bar in shown.find_elements("class name", "bar")]
    assert widths == sorted(widths, reverse=True) and widths[0] == pytest.approx(2 * widths[1], rel=0.05)


def test_a_click_sorts_and_another_turns_it_round(shown):
    head = shown.find_elements("css selector", "th button")[2]
    for _ in range(2):
        head.click()
    assert cells(shown, 3)[:4] == ["600", "1,700", "3,000", "6,000"]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    head.click()
    assert cells(shown, 3)[:4] == ["6,000", "3,000", "1,700", "600"]
    shown.find_elements("css selector", "th button")[0].click()
    assert cells(shown, 1)[0] == "torch DataLoader, Pillow"


def test_it_holds_its_json_and_asks_for_nothing(shown):
    held = shown.execute_script("return document.getElementById('report').textContent")
    assert json.loads(held) == report(threads=(1, 2)).as_json()
    assert shown.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert not [entry for entry in shown.get_log("browser") if entry["level"] == "SEVERE"]


def test_it_fits_a_phone_and_the_dark(shown):
    colours = {}
    for theme in ("light", "dark"):
        shown.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        colours[theme] = shown.execute_script(
            "return getComputedStyle(document.querySelector('.own .bar')).backgroundColor"
        )
    assert colours["light"] != colours["dark"]
    shown.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    assert shown.execute_script("return document.documentElement.scrollWidth") <= 390
