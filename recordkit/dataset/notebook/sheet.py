"""The pictures that a notebook shows of a dataset, a sample or a batch: the first images with their labels.

A notebook asks for them whenever the object is the last value of a cell. So they are quick, read those few records
alone, and never fail: a sample that cannot be read is shown as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.notebook.table import html_text
from recordkit.dataset.sample import label_text
from recordkit.dataset.thumbnail import Thumbnail, make_thumbnail, thumbnail_of_pixels
from recordkit.errors import FormatError

if TYPE_CHECKING:
    from recordkit.dataset.sample import Sample

N_SHOWN = 10
"""Samples that are shown."""

_SIDE = 96
_LARGE_SIDE = 320  # of one sample alone
# An image that takes more memory is not decoded for a picture of this size.
_MAX_DECODE_BYTES = 1 << 28
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
    return f"<div><div>{html_text(description)}</div>{_grid(cells)}{more}</div>"


def show_sample(sample: Sample) -> str:
    """Return HTML with the image of a sample."""
    return f"<div><div>{html_text(repr(sample))}</div>{_sample_image(sample, _caption(sample, {}), _LARGE_SIDE)}</div>"


def show_batch(description: str, data: NDArray[Any], captions: Sequence[str], n: int) -> str:
    """Return HTML with the first images of a batch; the description alone if its items are no images.

    Parameters
    ----------
    description : str
        The line above them.
    data : ndarray, shape (m, H, W, C) or (m, C, H, W)
        The first images, at most `N_SHOWN`. Numbers that are not uint8 are stretched, so that the smallest one is black
        and the largest one white.
    captions : sequence of str
        Texts below them.
    n : int
        Number of images of the batch.
    """
    values = _as_images(data)
    low, high = _finite_range(values)
    shown = values if values.dtype == np.uint8 else _stretch(values, low, high)
    cells = []
    for image, caption in zip(shown, captions, strict=False):
        cells.append(_figure(_image(thumbnail_of_pixels(image, _SIDE), caption, _SIDE), caption, _SIDE))
    more = f"<div>and {n - len(data)} more</div>" if cells and n > len(data) else ""
    if cells and shown is not values:
        more = f"<div>black is {low:.3g}, and white is {high:.3g}</div>{more}"
    return f"<div><div>{html_text(description)}</div>{_grid(cells)}{more}</div>"


def _as_images(data: NDArray[Any]) -> NDArray[Any]:
    """Return items as images, of shape (m, H, W, C); without any if they are none."""
    if data.ndim == 4 and data.shape[3] not in (1, 3, 4):
        data = data.transpose(0, 2, 3, 1)
    is_image = data.ndim == 4 and data.shape[3] in (1, 3, 4) and data.dtype.kind in "biuf" and data.size
    return data if is_image else np.empty((0, 1, 1, 3), np.uint8)


def _finite_range(values: NDArray[Any]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _stretch(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    finite = np.where(np.isfinite(values), values, low).astype(np.float64)
    stretched: NDArray[np.uint8] = ((finite - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return stretched


def _grid(cells: Sequence[str]) -> str:
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin-top:6px">{"".join(cells)}</div>' if cells else ""


def _cell(index: int, read: Callable[[int], Sample], names: dict[float, str]) -> str:
    try:
        sample = read(index)
    except _ERRORS as error:
        return _figure(_broken(str(error), _SIDE), f"sample {index}", _SIDE)
    caption = _caption(sample, names)
    return _figure(_sample_image(sample, caption, _SIDE), caption, _SIDE)


def _sample_image(sample: Sample, caption: str, side: int) -> str:
    if codec.decode_bytes(sample.payload) > _MAX_DECODE_BYTES:
        return _broken("too large to show here", side)
    thumbnail = make_thumbnail(sample.payload, side)
    return _broken(thumbnail.problem, side) if thumbnail.problem else _image(thumbnail, caption, side)


def _caption(sample: Sample, names: dict[float, str]) -> str:
    labels: list[Any] = np.ravel(sample.label).tolist()
    return f"{sample.key}: {(labels and names.get(labels[0])) or label_text(sample.label)}"


def _image(thumbnail: Thumbnail, caption: str, side: int) -> str:
    title = f"{thumbnail.width} \u00d7 {thumbnail.height}, {thumbnail.encoding}, {thumbnail.n_bytes} bytes"
    # Pixels of small images stay visible, as in digits, instead of being blurred.
    rendering = "pixelated" if max(thumbnail.width, thumbnail.height) < side else "auto"
    # The frame aligns the captions of several images; one image alone has none.
    width = round(side * min(1, thumbnail.width / thumbnail.height))
    frame = _frame(side) if side == _SIDE else f"max-width:100%;width:{width}px;margin-top:6px"
    return (
        f'<img alt="{html_text(caption)}" title="{title}" src="{thumbnail.data_uri()}" '
        f'style="{frame};object-fit:contain;image-rendering:{rendering}">'
    )


def _figure(content: str, caption: str, side: int) -> str:
    style = f"width:{side}px;font-size:12px;line-height:1.3;overflow-wrap:anywhere"
    return f'<div style="{style}">{content}{_lines(caption, 3)}</div>'


def _broken(reason: str, side: int) -> str:
    style = f"{_frame(side)};border:1px dashed;padding:4px;overflow:hidden;font-size:11px;line-height:1.25"
    return f'<div style="{style}">{_lines(reason, 6)}</div>'


def _lines(text: str, n: int) -> str:
    """Return HTML with the first lines of a text, and the whole text where the pointer is."""
    style = f"display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:{n};overflow:hidden"
    return f'<div style="{style}" title="{html_text(text)}">{html_text(text)}</div>'


def _frame(side: int) -> str:
    return f"width:{side}px;height:{side}px;box-sizing:border-box"
