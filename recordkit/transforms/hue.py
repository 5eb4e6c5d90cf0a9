"""Transforms that move the colours of an image around the circle of hues.

Pixels are computed as float32, from left to right as written. Rounding, clipping and alpha are as in
`recordkit.transforms.color`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.sample import Image
from recordkit.transforms import checks
from recordkit.transforms.color import colors, to_bytes
from recordkit.transforms.draws import Draws

# RGB to YIQ and back, as in mxnet.image. Their product differs from the unit matrix by up to 0.002.
_TO_YIQ = (0.299, 0.587, 0.114), (0.596, -0.274, -0.321), (0.211, -0.523, 0.311)
_FROM_YIQ = (1.0, 0.956, 0.621), (1.0, -0.272, -0.647), (1.0, -1.107, 1.705)


@dataclass(frozen=True, slots=True)
class RandomHue:
    """Rotate the colours about the gray axis by a random angle.

    Draws 1 number: ``alpha = uniform(-limit, limit)``. With ``u = cos(alpha * pi)`` and ``w = sin(alpha * pi)`` a pixel
    (R, G, B) becomes ``T (R, G, B)``::

        T = [ 1  0.956  0.621 ]   [ 1  0   0 ]   [ 0.299   0.587   0.114 ]
            [ 1 -0.272 -0.647 ] . [ 0  u  -w ] . [ 0.596  -0.274  -0.321 ]
            [ 1 -1.107  1.705 ]   [ 0  w   u ]   [ 0.211  -0.523   0.311 ]

    T is computed as float64 and rounded to float32. The outer matrices are rounded, so even ``alpha = 0`` changes
    strong colours by at most 1. A gray image does not change.

    Source: ``HueJitterAug``, python/mxnet/image/image.py, apache/mxnet 1.9.1.

    Parameters
    ----------
    limit : float, 0 to 1
        Largest angle, in half turns; 1 allows any hue.

    Raises
    ------
    PlanError
        `limit` is not 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomHue, Draws
    >>> image = np.array([[[200, 100, 0]]], np.uint8)
    >>> RandomHue(0.5)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [175, 120, 0]
    """

    limit: float

    def __post_init__(self) -> None:
        checks.number("limit", self.limit, 0, 1)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image in other hues."""
        alpha = draws.uniform(-self.limit, self.limit)
        if image.shape[2] == 1:
            return image
        matrix, rgb = _rotation(alpha).astype(np.float32), colors(image)
        red, green, blue = rgb[:, :, :1], rgb[:, :, 1:2], rgb[:, :, 2:]
        return to_bytes(image, red * matrix[:, 0] + green * matrix[:, 1] + blue * matrix[:, 2])

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "hue", "limit": self.limit}


@dataclass(frozen=True, slots=True)
class RandomHSL:
    """Shift hue, saturation and lightness at random.

    Draws 3 numbers: ``dh = uniform(-h, h)``, ``ds = uniform(-s, s)``, ``dl = uniform(-l, l)``. R, G and B are divided
    by 255; V is the largest and v the smallest of the three::

        L = (V + v) / 2                      S = (V - v) / (1 - abs(V + v - 1)), 0 if V = v
        H = (G - B) / (V - v) * 30           if V = R
            (B - R) / (V - v) * 30 + 60      else if V = G       (0 if V = v)
            (R - G) / (V - v) * 30 + 120     else
        H = H + dh    S = S + ds / 255 and L = L + dl / 255, both clipped to 0 to 1
        A = S * min(L, 1 - L)                k(n) = (n + H / 15) mod 12
        channel(n) = L - A * max(-1, min(k(n) - 3, 9 - k(n), 1))
        R, G, B = channel(0) * 255, channel(8) * 255, channel(4) * 255

    A gray image becomes ``x + dl``.

    ImageRecordIter's ``random_h``, ``random_s`` and ``random_l`` do the same with two faults, which are fixed here: its
    hue stops at 0 and 180 instead of wrapping around, and it rounds H, L and S to whole numbers in between, which
    changes colours even without a shift. Its shifts are whole numbers and lie nearer to 0.

    Parameters
    ----------
    h : float, 0 to 180, default 0
        Largest shift of the hue, in units of 2 degrees: 180 is the whole circle, as in OpenCV.
    s, l : float, 0 to 255, default 0
        Largest shifts of saturation and lightness, whose range is 0 to 255.

    Raises
    ------
    PlanError
        A number is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomHSL, Draws
    >>> image = np.array([[[200, 100, 0]]], np.uint8)
    >>> RandomHSL(h=20, l=10)(image, Draws(seed=0, epoch=0, position=0, transform=0)).ravel().tolist()
    [209, 77, 0]
    """

    h: float = 0.0
    s: float = 0.0
    l: float = 0.0  # noqa: E741 (the letter of the formula and of ImageRecordIter's random_l)

    def __post_init__(self) -> None:
        checks.number("h", self.h, 0, 180)
        checks.number("s", self.s, 0, 255)
        checks.number("l", self.l, 0, 255)

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the image with its colours shifted."""
        dh, ds, dl = (np.float32(draws.uniform(-limit, limit)) for limit in (self.h, self.s, self.l))
        if image.shape[2] == 1:
            return to_bytes(image, colors(image) + dl)
        hue, saturation, lightness = _to_hsl(colors(image) / np.float32(255))
        saturation = np.clip(saturation + ds / np.float32(255), 0, 1)
        lightness = np.clip(lightness + dl / np.float32(255), 0, 1)
        return to_bytes(image, _to_rgb(hue + dh, saturation, lightness) * np.float32(255))

    def native_spec(self) -> dict[str, Any]:
        """See `Transform`."""
        return {"kind": "hsl", "limit": self.h, "saturation": self.s, "lightness": self.l}


def _rotation(alpha: float) -> NDArray[np.float64]:
    u, w = math.cos(alpha * math.pi), math.sin(alpha * math.pi)
    y, i, q = _TO_YIQ
    turned_i = [u * a - w * b for a, b in zip(i, q, strict=True)]
    turned_q = [w * a + u * b for a, b in zip(i, q, strict=True)]
    return np.array([[y[n] + row[1] * turned_i[n] + row[2] * turned_q[n] for n in range(3)] for row in _FROM_YIQ])


def _to_hsl(rgb: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    red, green, blue = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    most, least = rgb.max(2), rgb.min(2)
    spread = most - least
    divisor = np.where(spread == 0, np.float32(1), spread)  # gray has hue 0 and saturation 0
    hue = np.where(
        most == red,
        (green - blue) / divisor * 30,
        np.where(most == green, (blue - red) / divisor * 30 + 60, (red - green) / divisor * 30 + 120),
    )
    largest_spread = np.where(spread == 0, np.float32(1), 1 - abs(most + least - 1))
    return hue, spread / largest_spread, (most + least) / 2


def _to_rgb(
    hue: NDArray[np.float32], saturation: NDArray[np.float32], lightness: NDArray[np.float32]
) -> NDArray[np.float32]:
    amplitude = saturation * np.minimum(lightness, 1 - lightness)
    k = (np.array([0, 8, 4], np.float32) + hue[:, :, None] / 15) % 12
    wave = np.maximum(-1, np.minimum(np.minimum(k - 3, 9 - k), 1))
    rgb: NDArray[np.float32] = lightness[:, :, None] - amplitude[:, :, None] * wave
    return rgb
