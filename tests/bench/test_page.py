"""The page in a real browser: its content, sorting by a click, a phone's width and dark colours."""

import json
import os
import shutil

import pytest
from bench.reports import report

from recordkit.bench.page import check_page, render_page
from recordkit.errors import MissingError


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """A headless Chromium that shows the page of a report."""
    pytest.importorskip("jinja2", reason="jinja2 is not installed: nothing to render with")
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
    path.write_text(render_page(shown()), encoding="utf-8")
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chromium.get(path.as_uri())
    yield chromium
    chromium.quit()


def shown():
    """A noisy report, in which the ratios of recordkit are certain and that of the iterator is not."""
    noisy = report(threads=(1, 2), noise=0.2)
    noisy.cases[2].img_s = [1500.0, 1900.0, 1700.0, 1400.0, 2000.0]
    return noisy


def cells(window, column):
    return [row.text for row in window.find_elements("css selector", f"tbody td:nth-child({column})")]


def test_the_page_shows_every_case(window):
    assert window.title == "Loading photos.rec"
    assert cells(window, 1) == [
        "recordkit native", "recordkit native", "MXNet ImageRecordIter", "MXNet ImageIter, .rec", "DALI, CPU",
        "torch DataLoader, Pillow",
    ]  # fmt: skip
    assert cells(window, 3)[:2] == ["6,000", "3,000"]
    assert "failed: MemoryError: <b>no</b>" in cells(window, 3)
    assert cells(window, 4)[:3] == ["5,940", "2,970", "1,400"] and cells(window, 5)[:3] == ["6,060", "3,030", "2,000"]
    widths = [bar.size["width"] for bar in window.find_elements("css selector", ".bar .rate")]
    assert widths == sorted(widths, reverse=True) and widths[0] == pytest.approx(2 * widths[1], rel=0.05)


def test_warnings_and_the_key_of_the_colours_are_above_the_table(window):
    top = window.find_element("css selector", "table").location["y"]
    for selector, text in ((".warning", "NOISY: other processes had 20%"), (".key", "recordkit reference others")):
        element = window.find_element("css selector", selector)
        assert text in " ".join(element.text.split()) and element.location["y"] < top
    colour_of = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    colours = [
        [window.execute_script(colour_of, selector) for selector in (f".key .{kind}", f"tr.{kind} .rate")]
        for kind in ("recordkit", "reference", "others")
    ]
    assert all(key == bar for key, bar in colours) and len({key for key, _ in colours}) == 3


def test_an_uncertain_ratio_is_gray(window):
    rows = dict(zip(cells(window, 1), window.find_elements("css selector", "tbody tr"), strict=True))
    gray = [element.text for element in rows["MXNet ImageRecordIter"].find_elements("class name", "wide")]
    assert len(gray) == 2 and gray[0].startswith("x2.8")
    assert not rows["recordkit native"].find_elements("class name", "wide")
    assert "gray: ratio not known to within 5%" in window.find_element("class name", "key").text


def test_a_click_sorts_and_a_second_click_reverses(window):
    head = window.find_elements("css selector", "th button")[2]
    for _ in range(2):
        head.click()
    assert cells(window, 3)[:4] == ["600", "1,700", "3,000", "6,000"]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    head.click()
    assert cells(window, 3)[:4] == ["6,000", "3,000", "1,700", "600"]
    window.find_elements("css selector", "th button")[0].click()
    assert cells(window, 1)[0] == "torch DataLoader, Pillow"


def test_the_page_holds_its_json_and_loads_nothing_else(window):
    text = window.execute_script("return document.getElementById('report').textContent")
    assert json.loads(text) == shown().as_json()
    assert window.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert not [entry for entry in window.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_page_fits_a_phone_and_has_dark_colours(window):
    colours = {}
    for theme in ("light", "dark"):
        window.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        colours[theme] = window.execute_script(
            "return [getComputedStyle(document.querySelector('.recordkit .rate')).backgroundColor,"
            " getComputedStyle(document.body).backgroundColor]"
        )
    assert all(light != dark for light, dark in zip(*colours.values(), strict=True))
    window.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    assert window.execute_script("return document.documentElement.scrollWidth") <= 390
    window.find_element("css selector", "summary").click()
    beyond = """return [...document.querySelectorAll("body *")].filter((element) =>
        element.getBoundingClientRect().right > 390 || element.scrollWidth > element.clientWidth + 1
        && getComputedStyle(element).overflowX !== "visible").map((element) => element.outerHTML)"""
    assert window.execute_script(beyond) == []
    labels = window.execute_script(
        "return [...document.querySelector('tbody .recordkit').cells].map((cell) =>"
        " getComputedStyle(cell, '::before').content)"
    )
    assert labels[3] == '"lowest"' and labels[6] == '"95% interval"'


def test_text_of_others_is_escaped():
    pytest.importorskip("jinja2", reason="jinja2 is not installed: nothing to render with")
    hostile = report()
    hostile.file["name"] = hostile.command = hostile.cases[0].title = "</script><script>alert(1)</script>"
    hostile.versions = {"<b>": "1"}
    page = render_page(hostile)
    assert page.count("<script") == 2 and "<b>" not in page


def test_a_missing_jinja2_is_an_error_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingError, match=r"jinja2 is not installed; pip install 'recordkit\[plot\]'"):
        check_page()
