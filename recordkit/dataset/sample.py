"""The sample that a dataset gives for a record."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats.images import image_header
from recordkit.sample import Image


class Sample(NamedTuple):
    """The content of one record.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    label : float, int, or ndarray of float32 or int64, shape (w,)
        One label, or an array of several. Integers if the dataset has exact labels.
    payload : memoryview of uint8, shape (n,)
        The encoded image.

    Examples
    --------
    >>> import numpy as np
    >>> image = codec.encode(np.zeros((20, 30, 3), np.uint8), "png")
    >>> sample = Sample(7, 4.0, memoryview(image))
    >>> sample
    <Sample: key 7, label 4, png of 30 x 20 pixels, 86 bytes>
    >>> sample.image.shape
    (20, 30, 3)
    """

    key: int
    label: float | NDArray[np.float32] | NDArray[np.int64]
    payload: memoryview

    @property
    def image(self) -> Image:
        """The decoded image, uint8, shape (H, W, C): upright, C 1 if it is stored as gray, otherwise 3 (RGB).

        Each access decodes it anew. `recordkit.codec.decode` has the choice of other channels.

        Raises
        ------
        ImageError
            The payload is not an image, or is damaged.
        """
        try:
            return codec.decode(self.payload, channels=1 if codec.is_gray(self.payload) else 3)
        except ImageError as error:
            raise error.located(key=self.key) from error

    def __repr__(self) -> str:
        kind = codec.sniff(self.payload)
        header = image_header.read(self.payload, kind)
        size = "" if header is None else f" of {header.width} x {header.height} pixels"
        return f"<Sample: key {self.key}, label {label_text(self.label)}, {kind}{size}, {len(self.payload):,} bytes>"

    def _repr_html_(self) -> str:
        """Return the image as HTML, for notebooks."""
        from recordkit.dataset.notebook.sheet import show_sample

        return show_sample(self)


def label_text(label: Any, limit: int = 3) -> str:
    """Return a label for a text: whole numbers without a fraction, and of many the first ones.

    Examples
    --------
    >>> label_text(4.0), label_text(np.array([0.5, 2, 3, 4], np.float32)), label_text(np.zeros(0))
    ('4', '0.5, 2, 3, ...', 'none')
    """
    flat = label.reshape(-1) if hasattr(label, "reshape") else [label]  # an array, or a tensor on any device
    first = flat[:limit]
    labels: list[Any] = first.tolist() if hasattr(first, "tolist") else first
    texts = [f"{each:.6g}" if isinstance(each, float) and each % 1 else str(int(each)) for each in labels]
    return (", ".join(texts) or "none") + (", ..." if len(flat) > limit else "")
