"""Transforms that mirror an image left to right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.draws import Draws


@dataclass(frozen=True, slots=True)
class Flip:
    """Mirror left and right: column x becomes column W - 1 - x.

    ImageRecordIter's ``mirror`` does the same.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Flip
    >>> Flip()(np.array([[[1], [2], [3]]], np.uint8)).ravel().tolist()
    [3, 2, 1]
    """

    def __call__(self, image: Image, draws: Draws | None = None) -> Image:
        """Return the mirrored image, a view of `image`."""
        return image[:, ::-1]

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "flip", "high": 1.0}


@dataclass(frozen=True, slots=True)
class RandomFlip:
    """Mirror left and right with a probability: if and only if ``uniform() < probability``.

    Draws 1 number. ImageRecordIter's ``rand_mirror`` has a probability of 0.5.

    Parameters
    ----------
    probability : float, 0 to 1, default 0.5

    Raises
    ------
    PlanError
        `probability` is not 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomFlip, Draws
    >>> row = np.array([[[1], [2], [3]]], np.uint8)
    >>> [RandomFlip()(row, Draws(seed=0, epoch=0, position=p, transform=0)).ravel().tolist() for p in range(3)]
    [[3, 2, 1], [1, 2, 3], [3, 2, 1]]
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        checks.number("probability", self.probability, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the mirrored image, a view of `image`, or `image` itself."""
        return image[:, ::-1] if draws.uniform() < self.probability else image

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "flip", "high": float(self.probability)}
