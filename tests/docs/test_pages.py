"""The documentation as built: no warning, nothing missing, no dead link, nothing from outside, usable in a browser."""

import fcntl
import html.parser
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import click
import pytest

import recordkit
from docs import browser
from recordkit.cli.im2rec import native, script
from recordkit.cli.main import COMMANDS
from recordkit.cli.main import recordkit as commands

ROOT = Path(__file__).parents[2]
HTML = browser.HTML
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class Page(html.parser.HTMLParser):
    """The links, ids, and loaded files of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.ids = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADED and values.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loads.append(values.get(LOADED[tag]) or "")


@pytest.fixture(scope="module")
def built(testrun_uid):
    """Build the documentation with bin/docs, once for all processes of pytest-xdist, and return its pages."""
    pytest.importorskip("sphinx", reason="the extra [docs] is not installed")
    pytest.importorskip("furo", reason="the extra [docs] is not installed")
    with open(ROOT / "docs/_build.lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read() != testrun_uid:
            environment = {**os.environ, "PYTHON": sys.executable}
            result = subprocess.run([ROOT / "bin/docs"], env=environment, capture_output=True, text=True)
            assert result.returncode == 0, result.stdout + result.stderr
            assert not result.stderr, result.stderr
            lock.truncate(0)
            lock.write(testrun_uid)
    return {str(path.relative_to(HTML)): Page(path) for path in HTML.rglob("*.html")}


def public_names():
    """Yield the full name of everything public, from the rules that CONTRIBUTING states."""
    for info in pkgutil.walk_packages(recordkit.__path__, "recordkit."):
        if info.name.startswith(("recordkit.cli", "recordkit.__main__")) or "._" in info.name:
            continue
        if info.name.startswith("recordkit.interop.torch"):
            continue  # torch may be missing; its names are in a test of their own
        parents = [info.name.rsplit(".", n)[0] for n in range(1, info.name.count("."))]
        if any(hasattr(importlib.import_module(parent), "__all__") for parent in parents):
            continue  # the package's __all__ says what is public there
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", vars(module)):
            value = getattr(module, name)
            is_own = getattr(value, "__module__", None) == info.name and (
                inspect.isclass(value) or inspect.isroutine(value)
            )
            if not name.startswith("_") and (is_own or hasattr(module, "__all__")):
                yield f"{info.name}.{name}"
    yield from (f"recordkit.{name}" for name in recordkit.__all__ if name != "__version__")
    tree = (ROOT / "recordkit/interop/torch/__init__.py").read_text()
    yield from (f"recordkit.interop.torch.{name}" for name in re.findall(r'"(\w+)"', tree.split("__all__ = ")[1]))


def test_every_public_name_is_in_the_inventory(built):
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((HTML / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    wanted = set(public_names())
    assert len(wanted) > 200
    assert sorted(wanted - documented) == []


def test_every_command_and_every_option_is_described(built):
    text = re.sub(r"<[^>]+>", "", (HTML / "reference/commands.html").read_text())
    parent = click.Context(commands)
    programs = {f"recordkit {name}": commands.get_command(parent, name) for name in COMMANDS}
    groups = {program: command for program, command in programs.items() if isinstance(command, click.Group)}
    programs |= {
        f"{program} {name}": command for program in groups for name, command in groups[program].commands.items()
    }
    programs |= {"recordkit": commands, "im2rec": script.command}
    ids = built["reference/commands.html"].ids
    for program, command in programs.items():
        prefix = "cmdoption-" + program.replace(" ", "-")
        assert program in text
        for parameter in command.params:
            for option in parameter.opts + parameter.secondary_opts:
                if option.startswith("-"):
                    assert f"{prefix}-{option.lstrip('-')}" in ids, (program, option)
                    assert option in text
    for setting in native._SETTINGS:
        assert f">{setting}<" in (HTML / "reference/commands.html").read_text(), setting


def test_every_page_of_the_folder_is_built_and_reachable(built):
    sources = {str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in (ROOT / "docs").rglob("*.md")}
    reached, waiting = set(), ["index.html"]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in built:
            continue
        reached.add(page)
        waiting += [urldefrag(urljoin(page, link))[0] for link in built[page].links if not urlsplit(link).scheme]
    assert sorted(source for source in sources - reached if not source.startswith("_build")) == []


def test_every_internal_link_and_anchor_leads_somewhere(built):
    dead = []
    for name, page in built.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            path, anchor = urldefrag(urljoin(name, link) if link.split("#")[0] else name + link)
            if path.endswith(".html"):
                ok = path in built and (not anchor or unquote(anchor) in built[path].ids)
            else:
                ok = (HTML / unquote(path)).is_file()
            if not ok:
                dead.append((name, link))
    assert dead == []


def test_external_links_are_well_formed(built):
    for name, page in built.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in ("https", "mailto"), (name, link)
                assert parts.scheme == "mailto" or "." in parts.netloc, (name, link)
                assert " " not in link, (name, link)


def test_no_page_loads_anything_from_outside(built):
    for name, page in built.items():
        outside = [load for load in page.loads if urlsplit(load).scheme not in ("", "data") or load.startswith("//")]
        assert outside == [], name
    for path in HTML.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", path.read_text()), path


def test_the_picture_of_the_rooms_has_every_room_and_arrows_only_between_rooms_that_import(built):
    from grimp import build_graph

    page = (HTML / "architecture.html").read_text()
    rooms = re.findall(r'data-room="(\w+)"', page)
    packages = {path.stem for path in Path(recordkit.__file__).parent.iterdir() if path.suffix in ("", ".py")}
    assert set(rooms) == {name for name in packages if not name.startswith("__")} - {"version"}
    graph = build_graph("recordkit", cache_dir=None)
    arrows = re.findall(r'data-from="(\w+)" data-to="(\w+)"', page)
    assert arrows
    for a, b in arrows:
        importers = {f"recordkit.{a}", *graph.find_descendants(f"recordkit.{a}")}
        targets = {f"recordkit.{b}", *graph.find_descendants(f"recordkit.{b}")}
        assert any(graph.find_modules_directly_imported_by(importer) & targets for importer in importers), (a, b)


@pytest.fixture(scope="module")
def site(built):
    """The address of the pages."""
    with browser.serve() as address:
        yield address


@pytest.fixture(scope="module")
def chromium(built):
    """A headless Chromium. Without it the tests are skipped, or fail if CI requires it."""
    if not os.environ.get("RECORDKIT_REQUIRE_BROWSER"):
        pytest.importorskip("selenium", reason="selenium is not installed")
        if not all(browser.find_programs()):
            pytest.skip("no Chromium with its driver; Debian has them as chromium and chromium-driver")
    with browser.open_browser() as chromium:
        yield chromium


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("ImageRecordIter", "recordkit.record_iter"),
        ("disp-batches", "reference/commands"),
        ("staging", "recordkit.storage"),
    ],
)
def test_the_search_finds_the_page_of_a_word(chromium, site, word, page):
    browser.set_size(chromium, "wide")
    chromium.get(f"{site}/index.html")
    field = chromium.find_element("css selector", "input.sidebar-search")
    field.send_keys(word)
    field.submit()
    from selenium.webdriver.support.wait import WebDriverWait

    # The results appear one after the other; the last step is the summary.
    WebDriverWait(chromium, 20).until(
        lambda window: "found" in window.find_element("css selector", "#search-results .search-summary").text
    )
    results = [link.get_attribute("href") for link in chromium.find_elements("css selector", "ul.search li a")]
    assert any(page in href for href in results[:3]), results


def test_every_page_fits_a_desk_and_a_phone_and_reports_no_error(chromium, site, built):
    too_wide, loaded = [], set()
    chromium.get_log("browser")
    for size, (width, _) in browser.SIZES.items():
        browser.set_size(chromium, size)
        for name in built:
            chromium.get(f"{site}/{name}")
            actual, requests = chromium.execute_script(
                "return [Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),"
                " performance.getEntriesByType('resource').map(entry => entry.name)]"
            )
            if actual > width:
                too_wide.append((name, size, actual))
            loaded.update(requests)
    assert too_wide == []
    assert [request for request in loaded if not request.startswith((site, "data:"))] == []
    assert [entry["message"] for entry in chromium.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def test_the_page_follows_the_system_in_light_and_dark_and_a_button_changes_it(chromium, site):
    browser.set_size(chromium, "wide")
    colours = {}
    for theme in ("light", "dark"):
        browser.set_colours(chromium, theme)
        colours[theme] = []
        for page, part in (("index", "body"), ("index", ".highlight"), ("architecture", ".architecture rect")):
            chromium.get(f"{site}/{page}.html")
            colours[theme] += chromium.execute_script(
                "const style = getComputedStyle(document.querySelector(arguments[0]));"
                "return [style.fill + style.backgroundColor]",
                part,
            )
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True)), colours
    browser.set_colours(chromium, "light")
    before = chromium.find_element("tag name", "body").get_attribute("data-theme")
    chromium.find_element("css selector", ".content-icon-container .theme-toggle").click()
    assert chromium.find_element("tag name", "body").get_attribute("data-theme") != before


def test_a_word_of_code_breaks_only_if_it_may_be_longer_than_a_line(chromium, site):
    browser.set_size(chromium, "phone")
    broken, long = [], []
    for page in ("changelog", "packing", "reference/commands"):
        chromium.get(f"{site}/{page}.html")
        broken += chromium.execute_script(
            "return [...document.querySelectorAll('article p code .pre')].filter((word) =>"
            " word.getClientRects().length > 1).map((word) => word.textContent)"
        )
        long += [word.text for word in chromium.find_elements("css selector", "code .pre.long")]
        assert chromium.execute_script("return document.querySelectorAll('article p code .pre').length") > 9
    assert [word for word in broken if len(word) <= 30] == [] and min(map(len, long)) > 30


def test_error_texts_are_shown_whole_and_other_code_shows_that_it_goes_on(chromium, site):
    browser.set_size(chromium, "phone")
    chromium.get(f"{site}/troubleshooting.html")
    cut = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.scrollWidth > e.clientWidth).length"
    assert chromium.execute_script(cut, "#troubleshooting .highlight-text pre") == 0
    for page, selector in (("packing", ".highlight pre"), ("layouts", ".table-wrapper")):
        chromium.get(f"{site}/{page}.html")
        assert chromium.execute_script(cut, selector) > 0
        layers = "return getComputedStyle(document.querySelector(arguments[0])).backgroundAttachment"
        assert chromium.execute_script(layers, selector).startswith("local, local, scroll, scroll")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_contrast_with_its_background(chromium, site, theme):
    browser.set_size(chromium, "wide")
    browser.set_colours(chromium, theme)
    for page in ("index", "cluster", "pack_and_train"):
        chromium.get(f"{site}/{'guides/' if page == 'cluster' else ''}{page}.html")
        texts = browser.contrasts(chromium, "article")
        assert len(texts) > 50
        assert [(text, ratio) for text, ratio in texts if ratio < 4.5] == []
    browser.set_colours(chromium, "light")
