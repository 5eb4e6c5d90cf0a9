"""The built pages in a headless Chromium, served on loopback; and pictures of them: python browser.py FOLDER."""

import base64
import contextlib
import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

HTML = Path(__file__).parents[2] / "docs" / "_build" / "html"
CONTRASTS = r"""
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const levels = (colour, below) => {  // of a colour that may let another one through
  canvas.fillStyle = `rgb(${below})`;
  canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const background = (element) => levels(
  getComputedStyle(element).backgroundColor,
  element.parentElement ? background(element.parentElement) : [255, 255, 255],
);
const luminance = (colour) => {
  const linear = colour.map((each) => each / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const walker = document.createTreeWalker(document.querySelector(arguments[0]), NodeFilter.SHOW_TEXT), texts = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
  if (!text || !element.checkVisibility({visibilityProperty: true}) || element.closest("svg, script")) continue;
  const below = background(element);
  const [a, b] = [luminance(below), luminance(levels(getComputedStyle(element).color, below))];
  texts.push([text, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return texts;
"""
SIZES = {"wide": (1400, 900), "phone": (390, 844)}


def find_programs():
    """Return the paths of Chromium and its driver; None for one that is missing."""
    names = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
    return [next(filter(None, map(shutil.which, candidates)), None) for candidates in names]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print nothing."""


@contextlib.contextmanager
def serve(folder=HTML):
    """Serve a folder on loopback, and yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def open_browser():
    """Start Chromium, which keeps the log of its console."""
    from selenium import webdriver

    browser, driver = find_programs()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield chromium
    finally:
        chromium.quit()


def set_size(chromium, size):
    """Give the window a size, as a phone or a desk has it."""
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_colours(chromium, theme):
    """Choose light or dark colours, as the system would."""
    chromium.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )


def contrasts(chromium, selector):
    """Return the texts in an element, each with the contrast of WCAG 2 between its colour and its background."""
    return chromium.execute_script(CONTRASTS, selector)


def take_pictures(folder):
    """Write a picture of each page in each size, and of the first page in dark colours."""
    os.makedirs(folder, exist_ok=True)
    with serve() as address, open_browser() as chromium:
        for page in sorted(HTML.rglob("*.html")):
            name = str(page.relative_to(HTML))
            for size in SIZES:
                set_size(chromium, size)
                for theme in ("light", "dark") if name in ("index.html", "architecture.html") else ("light",):
                    set_colours(chromium, theme)
                    chromium.get(f"{address}/{name}")
                    path = Path(folder) / f"{name.removesuffix('.html').replace('/', '-')}-{size}-{theme}.png"
                    save_picture(chromium, path)


def save_picture(chromium, path):
    """Write a picture of the first 6,000 pixels of a page."""
    size = chromium.execute_script("return [innerWidth, Math.min(document.documentElement.scrollHeight, 6000)]")
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    picture = chromium.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    path.write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    take_pictures(sys.argv[1])
