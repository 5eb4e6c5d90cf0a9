"""The transform that changes the colour of the light at random, along the directions in which photographs vary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.color import colors, to_bytes
from recordkit.transforms.draws import Draws

# The principal components of ImageNet's colours: the size of each, and the shares of R, G and B in it.
_SIZES = (55.46, 4.794, 1.148)
_SHARES = (-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203)


@dataclass(frozen=True, slots=True)
class RandomLighting:
    """Add one random colour to all pixels: PCA noise.

    Draws 6 numbers, 2 for each of three normal numbers, in this order::

        a = std * sqrt(-2 * log(1 - uniform())) * cos(2 * pi * uniform())

    Each channel of all pixels grows by ``share1 * (size1 * a1) + share2 * (size2 * a2) + share3 * (size3 * a3)``:

    =====  ============  ===========  ===========
    share  a1            a2           a3
    =====  ============  ===========  ===========
    R      -0.5675        0.7192       0.4009
    G      -0.5808       -0.0045      -0.8140
    B      -0.5836       -0.6948       0.4203
    size   55.46          4.794        1.148
    =====  ============  ===========  ===========

    The sum is computed as float64 and rounded to float32. Rounding, clipping and alpha are as in
    `recordkit.transforms.color`. ImageRecordIter's ``pca_noise`` does the same, but rounds the sum down. A gray image
    does not change.

    Source: A. Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks (2012), with the
    numbers of ``mxnet.image.LightingAug``; G. E. P. Box and M. E. Muller (1958) for the normal numbers.

    Parameters
    ----------
    std : float, 0 to 10
        Standard deviation of the noise; 0.1 in the paper.

    Raises
    ------
    PlanError
        `std` is not 0 to 10.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomLighting, Draws
    >>> image = np.full((1, 1, 3), 100, np.uint8)
    >>> RandomLighting(0.1)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [97, 98, 98]
    """

    std: float

    def __post_init__(self) -> None:
        checks.number("std", self.std, 0, 10)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image in another light."""
        shift = self.shift(draws)
        return image if image.shape[2] == 1 else to_bytes(image, colors(image) + np.array(shift, np.float32))

    def shift(self, draws: Draws) -> tuple[float, float, float]:
        """Draw the amounts that are added to red, green and blue."""
        first, second, third = [size * self._normal(draws) for size in _SIZES]
        red, green, blue = (share[0] * first + share[1] * second + share[2] * third for share in _SHARES)
        return red, green, blue

    def _normal(self, draws: Draws) -> float:
        length = math.sqrt(-2 * math.log(1 - draws.uniform()))  # 1 - u, because u may be 0
        return self.std * length * math.cos(2 * math.pi * draws.uniform())

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "lighting", "limit": self.std}
