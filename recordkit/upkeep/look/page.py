"""One self-contained HTML page of a dataset: thumbnails to filter, search and enlarge, and histograms.

The page loads nothing: pictures are ``data:`` addresses, and a content security policy allows no other script or style
than those in the page. Class names and paths are anybody's text, so every text is escaped.

The template ``page.html``, ``page.css`` and ``page.js`` are beside this module.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from recordkit.errors import plural, printable
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.look.distribution import Distribution, distribute
from recordkit.upkeep.look.labels import LabelCount, LabelSummary
from recordkit.upkeep.look.picture import Picture
from recordkit.version import __version__

# Bars of a histogram of labels; with more labels, each bar is the mean of as many of the sorted labels.
_MAX_BARS = 120
_CHART_WIDTH, _CHART_HEIGHT = 240, 60
_BYTES = "Bytes per image"  # a quantity whose values are shown in kB and MB
# Longest side of an image that is enlarged with sharp pixels.
_SMALL_SIDE = 64
_N_PROBLEMS_SHOWN = 20
# Characters of a text that are shown; a class name of megabytes would be in the page many times for each image.
_MAX_TEXT = 300


def render_page(pictures: Iterable[Picture], labels: LabelSummary, title: str, summary: str) -> str:
    """Return the HTML.

    Parameters
    ----------
    pictures : iterable of Picture
        The samples to show. Each is written before the next one is taken.
    labels : LabelSummary
        The labels of the whole dataset.
    title : str
        Heading, such as the name of the file.
    summary : str
        The line below it.

    Returns
    -------
    html : str
    """
    cards, shown = [], []
    for picture in pictures:
        cards.append(_card(picture))
        shown.append(picture.without_pixels())
    template, style, script = (_read(name) for name in ("page.html", "page.css", "page.js"))
    return Template(template).substitute(
        title=_text(title),
        summary=_text(summary),
        n_shown=len(shown),
        problems=_problems(shown),
        charts="".join((_label_chart(labels), *_size_charts(shown))),
        options=_options(shown),
        cards="\n".join(cards),
        footer=_text(
            f"Made by recordkit {__version__}. Sizes are those of the images shown, label counts those of all."
        ),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _read(name: str) -> str:
    return files("recordkit.upkeep.look").joinpath(name).read_text("utf-8")


def _hash(content: str) -> str:
    """Return the name of a script or style in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _text(text: str) -> str:
    """Escape a text for HTML, also inside quotes. Characters that control or reorder text are shown as escapes.

    The end of a long text becomes dots.
    """
    shown = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
    return escape(printable(shown))


def _card(picture: Picture) -> str:
    thumbnail = picture.thumbnail
    attributes = f'data-key="{picture.key}" data-label="{_text(picture.category)}"'
    title = _text(picture.title or "no label")
    if thumbnail.pixels is None:
        problem = _text(f"does not decode: {thumbnail.problem}")
        shown = f'<div class="broken" title="{problem}"><span>{problem}</span></div>'
        facts = [f"key {picture.key}"]
    else:
        size = f"{thumbnail.width} \u00d7 {thumbnail.height}"
        height, width = thumbnail.pixels.shape[:2]
        small = ' class="small"' if max(width, height) <= _SMALL_SIDE else ""
        shown = (
            f'<button type="button" aria-label="enlarge {title}, key {picture.key}"><img{small} width="{width}" '
            f'height="{height}" alt="{title}, key {picture.key}" src="{thumbnail.data_uri()}"></button>'
        )
        facts = [f"key {picture.key}", size, thumbnail.encoding, _bytes_text(thumbnail.n_bytes)]
    # A name in which words are joined by underscores breaks after them.
    name = _text(picture.name).replace("_", "_<wbr>")
    caption = f"<bdi>{name}</bdi> ({picture.label})" if picture.name else title
    line = "\u00a0\u00b7 ".join(fact.replace(" ", "\u00a0") for fact in facts)
    return f'<li {attributes}>{shown}<p>{caption}</p><p class="facts">{line}</p></li>'


def _options(pictures: Sequence[Picture]) -> str:
    counts = Counter(picture.category for picture in pictures if picture.category)
    return "".join(f'<option value="{_text(name)}">{_text(name)}: {n}</option>' for name, n in counts.items())


def _problems(pictures: Sequence[Picture]) -> str:
    broken = [picture for picture in pictures if picture.thumbnail.problem]
    if not broken:
        return ""
    items = [
        f"<li>{_text(picture.path)}: key {picture.key}: {_text(picture.thumbnail.problem)}</li>"
        for picture in broken[:_N_PROBLEMS_SHOWN]
    ]
    if len(broken) > _N_PROBLEMS_SHOWN:
        items.append(f"<li>and {len(broken) - _N_PROBLEMS_SHOWN} more</li>")
    heading = f"{plural(len(broken), 'image')} of those shown cannot be decoded"
    return f'<section class="problems"><h2>{heading}</h2><ul>{"".join(items)}</ul></section>'


def _bytes_text(n_bytes: int) -> str:
    return (
        f"{n_bytes} B"
        if n_bytes < 1000
        else f"{n_bytes / 1000:.1f} kB"
        if n_bytes < 10**6
        else f"{n_bytes / 1e6:.1f} MB"
    )


def _label_chart(labels: LabelSummary) -> str:
    """Draw how many samples each label has; if there are too many labels to count, there is no chart."""
    if not labels.counts or len(labels.counts) < 2:
        return ""
    n = len(labels.counts)
    size = -(-n // _MAX_BARS)  # labels of a bar; the last bar may have fewer, so bars show means
    groups = [labels.counts[begin : begin + size] for begin in range(0, n, size)]
    bars = [(_group_text(group), sum(count.n for count in group) / len(group)) for group in groups]
    low, high = (_name(labels.counts[number]) for number in (0, -1))
    least, most = min(count.n for count in labels.counts), max(count.n for count in labels.counts)
    each = f"{least:,} each" if least == most else f"{least:,} to {most:,}"
    means = f", means of {size} labels" if size > 1 and least != most else ""
    return _chart(f"Samples per label, {plural(n, 'label')}, {each}{means}", bars, low, high)


def _name(count: LabelCount) -> str:
    return count.name or label_text(count.label)


def _group_text(group: Sequence[LabelCount]) -> str:
    return _name(group[0]) if len(group) == 1 else f"mean of {_name(group[0])} to {_name(group[-1])}"


def _size_charts(pictures: Sequence[Picture]) -> list[str]:
    thumbnails = [picture.thumbnail for picture in pictures if not picture.thumbnail.problem]
    quantities = {
        "Width in pixels": [thumbnail.width for thumbnail in thumbnails],
        "Height in pixels": [thumbnail.height for thumbnail in thumbnails],
        _BYTES: [thumbnail.n_bytes for thumbnail in thumbnails],
    }
    distributions = {name: distribute(np.array(values)) for name, values in quantities.items()}
    return [_distribution_chart(name, values) for name, values in distributions.items() if values is not None]


def _distribution_chart(name: str, values: Distribution) -> str:
    def text(value: float) -> str:
        return _bytes_text(round(value)) if name == _BYTES else f"{value:.0f}"

    if len(values.counts) == 1:
        return f"<figure><h2>{_text(name)}</h2><p>{text(values.min)} each</p></figure>"
    bars = [
        (f"{text(values.edges[number])} to {text(values.edges[number + 1])}", n)
        for number, n in enumerate(values.counts)
    ]
    return _chart(f"{name}, median {text(values.median)}", bars, text(values.min), text(values.max))


def _chart(title: str, bars: Sequence[tuple[str, float]], low: str, high: str) -> str:
    """Draw bars; `low` and `high` stand below the first and the last one."""
    most = max(n for _, n in bars)
    step = _CHART_WIDTH / len(bars)
    gap = min(2.0, step / 5)
    shapes = []
    for number, (name, n) in enumerate(bars):
        height = n / most * (_CHART_HEIGHT - 4) if most else 0.0
        shapes.append(
            f'<rect x="{number * step + gap / 2:.2f}" y="{_CHART_HEIGHT - height:.2f}" width="{step - gap:.2f}" '
            f'height="{height:.2f}"><title>{_text(name)}: {_number(n)}</title></rect>'
        )
    label = f"{title}, from {low} to {high}, at most {_number(most)}"
    return (
        f'<figure><h2>{_text(title)}</h2><svg viewBox="0 0 {_CHART_WIDTH} {_CHART_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{_text(label)}">{"".join(shapes)}'
        f"</svg><figcaption><span>{_text(low)}</span><span>{_text(high)}</span></figcaption></figure>"
    )


def _number(value: float) -> str:
    """Return a number with one decimal, or none if it is whole."""
    return f"{value:.1f}".removesuffix(".0")
