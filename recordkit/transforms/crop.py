"""Cutting a part out of an image."""

from __future__ import annotations

from dataclasses import dataclass

from recordkit.sample import Image


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """Keep the central square whose side is the short side.

    Where the two margins cannot be equal, the smaller one is above or to the left: the offset is
    ``(long - short) // 2``, as in im2rec.

    Examples
    --------
    >>> import numpy as np
    >>> CenterCrop()(np.zeros((5, 8, 3), np.uint8)).shape
    (5, 5, 3)
    """

    def __call__(self, image: Image) -> Image:
        """Return the central square, a view of `image`."""
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return image[top : top + side, left : left + side]
