"""The page in a real browser: filter, search, enlarge, keyboard, a phone's width, dark colours, and hostile text."""

import json
import os
import re

import images
import numpy as np
import pytest
from docs.browser import find_programs, open_browser, set_colours, set_size

from recordkit import codec
from recordkit.upkeep import Choice, write_page

HOSTILE = "</script><script>window.hit = 1</script>\"'><img src=x onerror='window.hit=1'>\u202e"
SHAPES = [(28, 28), (3, 900), (300, 20), (1, 1), (200, 100)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of 24 samples of 4 classes, one of them hostile, and one sample broken."""
    folder = tmp_path_factory.mktemp("page")
    payloads = [codec.encode(images.noise(*SHAPES[n % 5], seed=n), "png") for n in range(23)] + [b"broken"]
    path = images.write(folder / "pets.rec", payloads, labels=[float(n % 4) for n in range(24)])
    classes = {"cat": 0, "dog": 1, HOSTILE: 2, "\u732b": 3}
    path.with_suffix(".json").write_text(json.dumps({"classes": classes}))
    write_page(path, folder / "page.html", Choice(n=50))
    return folder / "page.html"


@pytest.fixture(scope="module")
def window(page):
    """A headless Chromium that shows the page."""
    if not os.environ.get("RECORDKIT_REQUIRE_BROWSER"):
        if not all(find_programs()):
            pytest.skip("no Chromium with its driver; Debian has them as chromium and chromium-driver")
        pytest.importorskip("selenium", reason="selenium is not installed")
    with open_browser() as chromium:
        chromium.get(page.as_uri())
        yield chromium


def visible_keys(window):
    return window.execute_script(
        "return [...document.querySelectorAll('#grid > li')].filter((c) => c.offsetParent).map((c) => +c.dataset.key)"
    )


def choose(window, label="", key=""):
    window.execute_script(
        "const [c, k] = [document.getElementById('class'), document.getElementById('key')];"
        "c.value = arguments[0]; k.value = arguments[1];"
        "c.dispatchEvent(new Event('change')); k.dispatchEvent(new Event('input'));",
        label, key,
    )  # fmt: skip


def test_the_page_filters_by_class_and_searches_by_key(window):
    choose(window)
    assert len(visible_keys(window)) == 24
    choose(window, "dog (1)")
    assert visible_keys(window) == [1, 5, 9, 13, 17, 21]
    choose(window, "dog (1)", "1")
    assert visible_keys(window) == [1, 13, 17]
    assert window.find_element("id", "count").text == "3 shown"
    choose(window, "dog (1)", "99")
    assert visible_keys(window) == [] and window.find_element("id", "nothing").is_displayed()
    window.find_element("id", "reset").click()
    assert len(visible_keys(window)) == 24


def test_a_click_enlarges_and_keys_go_on(window):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    choose(window, "cat (0)")
    button = window.find_element("css selector", "#grid li:not([hidden]) button")
    button.send_keys(Keys.ENTER)
    large = window.find_element("id", "large")
    assert large.is_displayed() and "key 0" in window.find_element("id", "caption").text
    large.send_keys(Keys.ARROW_RIGHT)
    assert "key 4" in window.find_element("id", "caption").text
    large.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert "key 20" in window.find_element("id", "caption").text, "the last one comes before the first"
    large.send_keys(Keys.ESCAPE)
    assert not large.is_displayed()
    # The browser fires the dialog's close event, which moves the focus, some time after it hides the dialog.
    focused = "return document.activeElement.closest('li').dataset.key === '20'"
    WebDriverWait(window, 10).until(lambda chromium: chromium.execute_script(focused), "focus on the image last shown")


def test_text_of_others_is_shown_and_does_nothing(window, page):
    assert window.execute_script("return window.hit") is None
    choose(window, window.execute_script("return document.getElementById('class').options[3].value"))
    text = window.find_element("css selector", "#grid li:not([hidden]) p").text
    assert text == HOSTILE.replace("\u202e", "\\u202e") + " (2)"
    assert page.read_text("utf-8").count("<script") == 1 and "\u202e" not in page.read_text("utf-8")


def test_every_picture_has_a_text_and_fits_its_cell(window):
    choose(window)
    facts = window.execute_script(
        "return [...document.querySelectorAll('#grid img')].map((i) => [i.alt, i.naturalWidth > 0,"
        "i.getBoundingClientRect().height <= i.parentElement.getBoundingClientRect().height + 1])"
    )
    assert len(facts) == 23 and all(alt and loaded and fits for alt, loaded, fits in facts)
    assert len(window.find_elements("class name", "broken")) == 1
    for name in ("class", "key"):
        assert window.execute_script("return document.getElementById(arguments[0]).labels.length", name) == 1


def test_the_page_loads_nothing_and_logs_no_error(window):
    resources = window.execute_script("return performance.getEntriesByType('resource').map((r) => r.name.slice(0, 5))")
    assert set(resources) <= {"data:"}
    assert [entry for entry in window.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_the_page_fits_the_window(window, size):
    set_size(window, size)
    assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_dark_colours_are_readable(window):
    contrast = {}
    for theme in ("light", "dark"):
        set_colours(window, theme)
        for selector in ("body", ".facts", ".broken", "select"):
            text, paper = (
                window.execute_script(
                    "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name
                )
                for name in ("color", "backgroundColor")
            )
            if paper == "rgba(0, 0, 0, 0)":
                paper = window.execute_script("return getComputedStyle(document.body).backgroundColor")
            contrast[theme, selector] = (luminance(text) + 0.05) / (luminance(paper) + 0.05)
    assert all(ratio >= 4.5 or ratio <= 1 / 4.5 for ratio in contrast.values()), contrast
    assert contrast["dark", "body"] > 1 > contrast["light", "body"]


def luminance(color):
    """Return the relative luminance of WCAG 2 for a colour of CSS."""
    levels = np.array([float(part) for part in color.split("(")[1].rstrip(")").split(",")[:3]]) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_dataset_of_one_label_and_one_size_has_no_charts(tmp_path):
    path = images.write(tmp_path / "a.rec", [images.every_format()["jpg"]] * 3, labels=[1.0] * 3)
    write_page(path, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "<svg" not in page and "Width in pixels</h2><p>11 each" in page


def bars_of(tmp_path, labels):
    """Return the page of samples with these labels, and the heights of the bars of its histogram of labels."""
    path = images.write(tmp_path / "a.rec", [b"P5\n1 1\n255\nx"] * len(labels), labels=list(map(float, labels)))
    write_page(path, tmp_path / "p.html", Choice(n=5))
    page = (tmp_path / "p.html").read_text()
    chart = page[page.index("Samples per label") :].split("</figure>")[0]
    return chart, [float(height) for height in re.findall(r'<rect [^>]*height="([^"]+)"', chart)]


@pytest.mark.parametrize(("n", "n_bars"), [(120, 120), (129, 65), (200, 100), (900, 113)])
def test_labels_with_equal_numbers_of_samples_have_equal_bars(tmp_path, n, n_bars):
    chart, heights = bars_of(tmp_path, range(n))
    assert f"Samples per label, {n} labels" in chart
    assert len(heights) == n_bars and len(set(heights)) == 1


def test_a_bar_of_several_labels_is_their_mean(tmp_path):
    chart, heights = bars_of(tmp_path, [*range(200), 0, 0, 0])
    assert "<title>mean of 0 to 1: 2.5</title>" in chart and "<title>mean of 2 to 3: 1</title>" in chart
    assert heights[0] == pytest.approx(2.5 * heights[1], rel=0.01) and "at most 2.5" in chart


def test_a_class_name_of_megabytes_is_in_the_page_in_short(tmp_path):
    path = images.write(tmp_path / "a.rec", [b"P5\n1 1\n255\nx"] * 3, labels=[0.0] * 3)
    (tmp_path / "a.json").write_text(json.dumps({"classes": {"x" * (1 << 22): 0}}))
    assert write_page(path, tmp_path / "a.html").n_bytes < 100_000


def page_of(tmp_path, payloads, labels, classes=None):
    """Return the page of a dataset, as text."""
    path = images.write(tmp_path / "a.rec", payloads, labels=labels)
    path.with_suffix(".json").write_text(json.dumps({"classes": classes or {}}))
    write_page(path, tmp_path / "p.html")
    return (tmp_path / "p.html").read_text()


def test_samples_of_several_labels_are_filtered_by_the_first(tmp_path):
    payload = b"P5\n1 1\n255\nx"
    page = page_of(tmp_path, [payload] * 3, [(0.0, 0.5), (0.0, 0.25), (1.0, 0.75)], {"cat": 0})
    assert re.findall(r"<option[^>]*>([^<]*)", page) == ["all (3)", "cat (0): 2", "1: 1"]
    assert re.findall('data-label="([^"]*)"', page) == ["cat (0)", "cat (0)", "1"]
    assert "<bdi>cat</bdi> (0, 0.25)" in page


def test_the_heads_of_the_charts_say_how_high_the_bars_are_and_in_what_unit(tmp_path):
    sizes = [codec.encode(images.noise(n, n), "png") for n in (8, 40, 80)]
    page = page_of(tmp_path, sizes, [0.0, 0.0, 1.0])
    assert "Samples per label, 2 labels, 1 to 2</h2>" in page
    assert re.search(r"Bytes per image, median [\d.]+ kB</h2>.*<span>\d+ B</span><span>[\d.]+ kB</span>", page)


def test_a_class_name_breaks_after_its_underscores(tmp_path):
    page = page_of(tmp_path, [b"P5\n1 1\n255\nx"], [0.0], {"great_grey_owl": 0})
    assert "<bdi>great_<wbr>grey_<wbr>owl</bdi> (0)" in page


def test_the_reason_for_a_broken_image_is_inside_its_tile_on_a_phone(window):
    set_size(window, "phone")
    bottoms = window.execute_script(
        "return ['.broken', '.broken span'].map((s) => document.querySelector(s).getBoundingClientRect().bottom)"
    )
    assert bottoms[1] <= bottoms[0]
    assert window.find_element("class name", "broken").get_attribute("title").startswith("does not decode: expected")
    set_size(window, "wide")
