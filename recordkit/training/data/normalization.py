"""Normalization of pixels: gray levels become the network's input, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.training.options import option


@dataclass(frozen=True, slots=True)
class Normalization:
    """How levels from 0 to 255 become the network's input: ``(level - mean) / std * scale``, as in ImageRecordIter.

    Gluon's ``ToTensor`` divides levels by 255 first. ``Normalize(0.13, 0.31)`` after it is therefore
    ``Normalization(mean=(33.15,), std=(79.05,), scale=1.0)``.

    Attributes
    ----------
    mean : tuple of float, default (128,)
        The level that becomes 0, for all channels or for each of red, green and blue.
    std : tuple of float, default (1,)
        Divisor of the levels, for all channels or for each.
    scale : float, default 1 / 256
        Factor of the levels.

    Raises
    ------
    PlanError
        A value is out of range, or `mean` is that of pixels from 0 to 1.

    Examples
    --------
    >>> Normalization().pixels(np.array([[[0], [192]]], np.uint8)).tolist()
    [[[-0.5, 0.25]]]
    """

    mean: tuple[float, ...] = field(
        default=(128.0,),
        metadata=option("Levels of 0 to 255 that become 0, one or three.  [default: 128]", metavar="N|R,G,B"),
    )
    std: tuple[float, ...] = field(
        default=(1.0,), metadata=option("Divisors of the levels, one or three.  [default: 1]", metavar="N|R,G,B")
    )
    scale: float = field(
        default=1 / 256, metadata=option("Factor of the levels.  [default: 1/256]", low=0, metavar="N|A/B")
    )

    def __post_init__(self) -> None:
        for name, values, low in (("mean", self.mean, 0), ("std", self.std, 1e-6), ("scale", (self.scale,), 1e-6)):
            if len(values) not in (1, 3) or not all(low <= value < np.inf for value in values):
                raise PlanError(
                    argument=name,
                    expected=f"numbers {'from 0 on' if name == 'mean' else 'above 0'}, one or three",
                    got=_text(values),
                )
        if 0 < max(self.mean) < 1:
            mean, std = (_text([255 * value for value in values]) for values in (self.mean, self.std))
            is_to_tensor = max(self.std) < 1 or self.scale == 1  # otherwise std and scale are for levels already
            raise PlanError(
                argument="mean",
                expected="levels from 0 to 255",
                got=f"{_text(self.mean)}, which is for pixels from 0 to 1",
                advice=f"give `mean={mean}`, `std={std}` and `scale=1`" if is_to_tensor else f"give `mean={mean}`",
            )

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Normalization:
        """Return the normalization from the values that `facts` gave."""
        return cls(tuple(facts["mean"]), tuple(facts["std"]), facts["scale"])

    def facts(self) -> dict[str, Any]:
        """Return the attributes as JSON values.

        Examples
        --------
        >>> Normalization().facts()
        {'mean': [128.0], 'std': [1.0], 'scale': 0.00390625}
        """
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def iterator_options(self) -> dict[str, float]:
        """Return the parameters of ImageRecordIter.

        Examples
        --------
        >>> Normalization(std=(79.05,)).iterator_options()["std_g"]
        79.05
        """
        options = {"scale": self.scale}
        for name, values in (("mean", self.mean), ("std", self.std)):
            options |= {f"{name}_{channel}": value for channel, value in zip("rgb", _three(values), strict=True)}
        return options

    def pixels(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return an image as the network's input.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C)

        Returns
        -------
        pixels : ndarray of float32, shape (C, H, W)
        """
        mean, factor = self._for_channels(image.shape[2])
        pixels: NDArray[np.float32] = (image.transpose(2, 0, 1).astype(np.float32) - mean) * factor
        return pixels

    def images(self, pixels: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
        """Return the images of a batch, the inverse of `pixels`.

        Parameters
        ----------
        pixels : ndarray of float32, shape (B, C, H, W)

        Returns
        -------
        images : list of ndarray of uint8, shape (H, W, C)
        """
        mean, factor = self._for_channels(pixels.shape[1])
        levels = np.rint(pixels / factor + mean).clip(0, 255).astype(np.uint8)
        return list(levels.transpose(0, 2, 3, 1))

    def _for_channels(self, n_channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and factor of each channel, shape (n_channels, 1, 1). A gray image has those of red."""
        mean, std = (np.array(_three(values), np.float32)[:n_channels] for values in (self.mean, self.std))
        return mean[:, None, None], (np.float32(self.scale) / std)[:, None, None]


def _three(values: tuple[float, ...]) -> tuple[float, ...]:
    return values * 3 if len(values) == 1 else values


def _text(values: Any) -> str:
    return ",".join(f"{value:g}" for value in values)
