"""The picture that a notebook shows of a dataset: its first samples, small and with their labels.

A notebook asks for it whenever a dataset is the last value of a cell. So it is quick, reads those few records alone,
and never fails: a sample that cannot be read is shown as such.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from recordkit import codec
from recordkit.dataset.thumbnail import make_thumbnail
from recordkit.errors import FormatError, printable

if TYPE_CHECKING:
    from recordkit.sample import Sample

N_SHOWN = 10
"""Samples that are shown."""

_SIDE = 96
# An image that takes more memory is not decoded for a picture of this size.
_MAX_DECODE_BYTES = 1 << 28
_N_LABELS = 3
_FRAME = f"width:{_SIDE}px;height:{_SIDE}px;box-sizing:border-box"
_ERRORS = (FormatError, OSError, ValueError, IndexError)  # the file is damaged, gone or closed


def show_samples(description: str, n: int, read: Callable[[int], Sample], names: dict[float, str]) -> str:
    """Return HTML with the first samples.

    Parameters
    ----------
    description : str
        The line above them.
    n : int
        Number of samples of the dataset.
    read : callable
        Returns the sample at an index.
    names : dict of float to str
        Class names by label.
    """
    cells = [_cell(index, read, names) for index in range(min(n, N_SHOWN))]
    more = f"<div>and {n - N_SHOWN} more</div>" if n > N_SHOWN else ""
    grid = f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin-top:6px">{"".join(cells)}</div>'
    return f"<div><div>{_text(description)}</div>{grid}{more}</div>"


def _cell(index: int, read: Callable[[int], Sample], names: dict[float, str]) -> str:
    try:
        sample = read(index)
    except _ERRORS as error:
        return _figure(_broken(str(error)), f"sample {index}")
    if codec.decode_bytes(sample.payload) > _MAX_DECODE_BYTES:
        return _figure(_broken("too large to show here"), _caption(sample, names))
    thumbnail = make_thumbnail(sample.payload, _SIDE)
    if thumbnail.problem:
        return _figure(_broken(thumbnail.problem), _caption(sample, names))
    title = f"{thumbnail.width} \u00d7 {thumbnail.height}, {thumbnail.encoding}, {thumbnail.n_bytes} bytes"
    image = (
        f'<img alt="{_text(_caption(sample, names))}" title="{title}" src="{thumbnail.data_uri()}" '
        f'style="{_FRAME};object-fit:contain;image-rendering:auto">'
    )
    return _figure(image, _caption(sample, names))


def _caption(sample: Sample, names: dict[float, str]) -> str:
    labels: list[Any] = np.ravel(sample.label).tolist()
    texts = [f"{label:g}" if isinstance(label, float) else str(label) for label in labels[:_N_LABELS]]
    label = names.get(labels[0]) or ", ".join(texts) + (", ..." if len(labels) > _N_LABELS else "")
    return f"{sample.key}: {label}"


def _figure(content: str, caption: str) -> str:
    style = f"width:{_SIDE}px;font-size:12px;line-height:1.3;overflow-wrap:anywhere"
    return f'<div style="{style}">{content}<div>{_text(caption)}</div></div>'


def _broken(reason: str) -> str:
    return f'<div style="{_FRAME};border:1px dashed;padding:4px;overflow:hidden">{_text(reason)}</div>'


def _text(text: str) -> str:
    return escape(printable(text))
