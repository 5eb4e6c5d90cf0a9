"""The last step before a batch, which turns bytes into numbers around 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sample import Image


@dataclass(frozen=True, slots=True)
class Normalize:
    """Subtract a mean and divide by a standard deviation; the only step whose result is not uint8.

    The operations are in float32, each with one rounding::

        out = (x - m) * r      m = float32(mean / scale)      r = float32(scale / std), both quotients as float64

    `mean` and `std` refer to pixels from 0 to 255 times `scale`. So means and deviations for pixels from 0 to 1, as
    torchvision has them, need ``scale=1/255``; and ``Normalize(scale=1/255)`` alone makes pixels from 0 to 1, as
    ToTensor and ToFloat do elsewhere. Without a scale ImageRecordIter computes the same, except for the last bit of r.

    Parameters
    ----------
    mean, std : float or sequence of float
        One number for all channels, or one per channel in the order red, green, blue, alpha. `std` is above 0.
    scale : float, optional
        Factor of the pixels before the mean is subtracted, above 0; 1 by default.

    Raises
    ------
    PlanError
        A number is not finite, a deviation or the scale is not above 0, the lengths differ, or all means and deviations
        are below 1 and there is no scale.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import Normalize
    >>> image = np.array([[[0], [128], [255]]], np.uint8)
    >>> Normalize(mean=128, std=64)(image).ravel().tolist()
    [-2.0, 0.0, 1.984375]
    >>> Normalize(mean=0.5, std=0.5, scale=1 / 255)(image).ravel().tolist()
    [-1.0, 0.003921568859368563, 1.0]
    """

    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 1.0
    scale: float | None = None

    def __post_init__(self) -> None:
        lengths = {len(_numbers("mean", self.mean)), len(_numbers("std", self.std))} - {1}
        if len(lengths) == 2:
            raise PlanError(
                argument="std", expected="as many numbers as mean has", got=f"{self.std!r}, and mean {self.mean!r}"
            )
        if min(_numbers("std", self.std)) <= 0:
            raise PlanError(argument="std", expected="numbers above 0", got=repr(self.std))
        self._check_scale()

    def _check_scale(self) -> None:
        """Refuse a scale that is not above 0, and numbers for pixels from 0 to 1 without a scale."""
        if self.scale is not None:
            if not isinstance(self.scale, Real) or not 0 < self.scale < math.inf:
                raise PlanError(argument="scale", expected="a number above 0", got=repr(self.scale))
            return
        mean, std = max(map(abs, _numbers("mean", self.mean))), max(_numbers("std", self.std))
        if mean < 1 and (std < 1 or (std == 1 and mean > 0)):
            raise PlanError(
                argument="scale",
                expected="one, because mean and std look like those of pixels from 0 to 1, and pixels are 0 to 255",
                got=f"mean {self.mean!r} and std {self.std!r} alone",
                advice="add scale=1/255, or scale=1 if they are for pixels from 0 to 255",
            )

    @property
    def n_channels(self) -> int | None:
        """Number of channels that `mean` and `std` have numbers for; None if one number is for all."""
        n = max(len(_numbers("mean", self.mean)), len(_numbers("std", self.std)))
        return None if n == 1 else n

    def constants(self, n_channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return m and r of the formula, each of shape (n_channels,).

        Raises
        ------
        PlanError
            `mean` or `std` has another number of channels.
        """
        means, deviations = _numbers("mean", self.mean), _numbers("std", self.std)
        for name, numbers in (("mean", means), ("std", deviations)):
            if len(numbers) not in (1, n_channels):
                several = f"1 number or {n_channels}, one per channel"
                expected = "1 number for images of 1 channel" if n_channels == 1 else several
                raise PlanError(argument=name, expected=expected, got=len(numbers))
        scale = 1.0 if self.scale is None else float(self.scale)
        means, reciprocals = [mean / scale for mean in means], [scale / std for std in deviations]
        return (
            np.resize(np.array(means, np.float32), n_channels),  # repeats a single number
            np.resize(np.array(reciprocals, np.float32), n_channels),
        )

    def __call__(self, image: Image) -> NDArray[np.float32]:
        """Return the normalised image.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C)

        Returns
        -------
        ndarray of float32, shape (H, W, C)

        Raises
        ------
        PlanError
            `mean` or `std` has another number of channels than the image.
        """
        mean, reciprocal = self.constants(image.shape[2])
        return (image.astype(np.float32) - mean) * reciprocal


def _numbers(name: str, value: float | Sequence[float]) -> list[float]:
    numbers = list(value) if isinstance(value, Sequence) else [value]
    if len(numbers) in (1, 3, 4) and all(isinstance(n, Real) and math.isfinite(n) for n in numbers):
        return [float(number) for number in numbers]
    raise PlanError(argument=name, expected="a number, or a list of 1, 3 or 4, one per channel", got=repr(value))
