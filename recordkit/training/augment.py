"""How images are changed while they are learnt from, under the names of MXNet's example scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Augment:
    """Random changes, another for each image in each epoch; nothing by default.

    Attributes
    ----------
    random_crop : bool
        The crop is anywhere instead of in the middle.
    random_mirror : bool
        Half of the images are mirrored.
    max_random_h, max_random_s, max_random_l : int
        Hue, saturation and lightness are changed by up to so much, as MXNet counts them.
    max_random_aspect_ratio, max_random_shear_ratio : float
    max_random_rotate_angle : int
        In degrees, each way.
    min_random_scale, max_random_scale : float
    min_crop_size, max_crop_size : int
        Side of a square that is cut out and scaled to the input; 0 for none.
    shift : int
        The image is moved by up to so many pixels each way.
    fill : int or None
        Gray level of what lies outside; by default the usual one at the edge of the first images.

    Examples
    --------
    >>> AUGMENTS["shift"].options(border=0)
    {'rand_crop': True, 'pad': 2, 'fill_value': 0}
    """

    random_crop: bool = False
    random_mirror: bool = False
    max_random_h: int = 0
    max_random_s: int = 0
    max_random_l: int = 0
    max_random_aspect_ratio: float = 0.0
    max_random_rotate_angle: int = 0
    max_random_shear_ratio: float = 0.0
    min_random_scale: float = 1.0
    max_random_scale: float = 1.0
    min_crop_size: int = 0
    max_crop_size: int = 0
    shift: int = 0
    fill: int | None = None

    def options(self, *, border: int) -> dict[str, Any]:
        """Return ImageRecordIter's parameters, without those that would change nothing.

        Parameters
        ----------
        border : int
            Gray level for `fill` where that is None.
        """
        values = {
            "rand_crop": self.random_crop or bool(self.shift),
            "rand_mirror": self.random_mirror,
            "random_h": self.max_random_h,
            "random_s": self.max_random_s,
            "random_l": self.max_random_l,
            "max_aspect_ratio": self.max_random_aspect_ratio,
            "max_rotate_angle": self.max_random_rotate_angle,
            "max_shear_ratio": self.max_random_shear_ratio,
            "pad": self.shift,
        }
        found: dict[str, Any] = {name: value for name, value in values.items() if value}
        if self.min_crop_size or self.max_crop_size:
            sizes = self.min_crop_size or self.max_crop_size, self.max_crop_size or self.min_crop_size
            found |= dict(zip(("min_crop_size", "max_crop_size"), sizes, strict=True))
        if (self.min_random_scale, self.max_random_scale) != (1, 1):
            found |= {"min_random_scale": self.min_random_scale, "max_random_scale": self.max_random_scale}
        if found:
            found["fill_value"] = border if self.fill is None else self.fill
        return found


AUGMENTS = {
    "none": Augment(),
    "shift": Augment(shift=2),
    # The book's for MNIST: a square of 24 to 28 pixels anywhere, turned by up to 15 degrees, black outside.
    "book": Augment(random_crop=True, min_crop_size=24, max_crop_size=28, max_random_rotate_angle=15, fill=0),
    "photo": Augment(random_mirror=True, shift=4),
}
"""By name; what an option says goes before what the preset says."""
