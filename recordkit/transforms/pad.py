"""The transform that puts a border around an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.sample import Image, check_size
from recordkit.transforms import checks
from recordkit.transforms.checks import Size, height_and_width
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class Pad:
    """Put a border in one gray around the image; the alpha of the border is 0.

    Parameters
    ----------
    pixels : int, or (height, width)
        One number: width of the border on each of the four sides, like ImageRecordIter's ``pad``. Two numbers: smallest
        height and width of the result. If two margins cannot be equal, the smaller one is above or to the left, so that
        `CenterCrop` of the old size removes the border.
    fill : int, 0 to 255, default 0
        Value of the border; ImageRecordIter's ``fill_value``, whose default is 255.

    Raises
    ------
    PlanError
        `pixels` is below 0, a height or width is below 1, or `fill` is not 0 to 255.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Pad
    >>> image = np.full((1, 1, 1), 9, np.uint8)
    >>> Pad(1)(image)[:, :, 0].tolist(), Pad((1, 4))(image)[:, :, 0].tolist()
    ([[0, 0, 0], [0, 9, 0], [0, 0, 0]], [[0, 9, 0, 0]])
    """

    pixels: Size
    fill: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.pixels, Sequence):
            height_and_width("pixels", self.pixels)
        else:
            checks.whole_number("pixels", self.pixels, 0)
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws | None = None) -> Image:
        """Return the image with its border; `image` itself if the border is empty.

        Raises
        ------
        ImageError
            The result would have more than `recordkit.sample.MAX_PIXELS`.
        """
        height, width, n_channels = image.shape
        if isinstance(self.pixels, Sequence):
            size = max(height, self.pixels[0]), max(width, self.pixels[1])
        else:
            size = height + 2 * self.pixels, width + 2 * self.pixels
        if size == (height, width):
            return image
        check_size(size[1], size[0], advice="pad to fewer pixels")
        padded = np.full((*size, n_channels), self.fill, np.uint8)
        padded[:, :, 3:] = 0
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        padded[top : top + height, left : left + width] = image
        return padded

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        if isinstance(self.pixels, Sequence):
            height, width = height_and_width("pixels", self.pixels)
            return {"kind": "pad", "fill": self.fill, "height": height, "width": width}
        return {"kind": "pad", "fill": self.fill, "margin": self.pixels}
