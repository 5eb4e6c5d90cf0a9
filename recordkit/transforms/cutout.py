"""The transform that paints over parts of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.checks import Size, height_and_width
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class Cutout:
    """Paint rectangles in one gray over the image, with their centres at random positions in it.

    Draws 2 numbers for each rectangle: ``y = below(H)``, then ``x = below(W)``. The rectangle covers the rows from
    ``y - height // 2`` to ``y - height // 2 + height - 1`` and the columns likewise, clipped to the image. Alpha does
    not change.

    Source: T. DeVries and G. W. Taylor, Improved Regularization of Convolutional Neural Networks with Cutout (2017).

    Parameters
    ----------
    size : int or (height, width)
        Size of a rectangle in pixels.
    n : int, at least 1, default 1
        Number of rectangles; they may overlap.
    fill : int, 0 to 255, default 0
        Value of the painted pixels.

    Raises
    ------
    PlanError
        `size` or `n` is below 1, or `fill` is not 0 to 255.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Cutout, Draws
    >>> image = np.full((3, 4, 1), 9, np.uint8)
    >>> Cutout(2)(image, Draws(seed=0, epoch=0, position=0, transform=0))[:, :, 0].tolist()
    [[9, 9, 0, 0], [9, 9, 0, 0], [9, 9, 9, 9]]
    """

    size: Size
    n: int = 1
    fill: int = 0

    def __post_init__(self) -> None:
        height_and_width("size", self.size)
        checks.whole_number("n", self.n, 1)
        checks.whole_number("fill", self.fill, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return a copy of the image with the rectangles painted over."""
        height, width = height_and_width("size", self.size)
        painted: Image = image.copy()
        for _ in range(self.n):
            top = draws.below(image.shape[0]) - height // 2
            left = draws.below(image.shape[1]) - width // 2
            painted[max(top, 0) : top + height, max(left, 0) : left + width, :3] = self.fill
        return painted

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        height, width = height_and_width("size", self.size)
        return {"kind": "cutout", "height": height, "width": width, "n": self.n, "fill": self.fill}
