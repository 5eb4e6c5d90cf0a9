"""Augmentation: random changes of the training images, with the names of MXNet's example scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recordkit.training.options import check, option


@dataclass(frozen=True, slots=True)
class Augment:
    """Random changes, drawn again for each image in each epoch. The defaults change nothing.

    Attributes
    ----------
    random_crop : bool
        Crop at a random position instead of the center.
    random_mirror : bool
        Mirror half of the images.
    max_random_h, max_random_s, max_random_l : int
        Largest change of hue, saturation and lightness, in MXNet's units.
    max_random_aspect_ratio : float
        Largest change of the aspect ratio.
    max_random_rotate_angle : int
        Largest rotation to either side, in degrees.
    max_random_shear_ratio : float
        Largest shear to either side, in columns per row.
    min_random_scale, max_random_scale : float
        Range of the scale factor.
    min_crop_size, max_crop_size : int
        Range of the side of a square that is cut out and resized to the input, in pixels; 0 for no such crop.
    shift : int
        Largest shift in each direction, in pixels.
    fill : int, 0 to 255, or None
        Gray level outside the image; by default the median level at the edges of the first images.

    Raises
    ------
    PlanError
        A value is out of range.

    Examples
    --------
    >>> AUGMENTS["shift"].iterator_options(border=0)
    {'rand_crop': True, 'pad': 2, 'fill_value': 0}
    """

    random_crop: bool = field(default=False, metadata=option("Crop at a random position, not at the center."))
    random_mirror: bool = field(default=False, metadata=option("Mirror half of the images."))
    max_random_h: int = field(default=0, metadata=option("Largest change of hue.", low=0, high=180))
    max_random_s: int = field(default=0, metadata=option("Largest change of saturation.", low=0, high=255))
    max_random_l: int = field(default=0, metadata=option("Largest change of lightness.", low=0, high=255))
    max_random_aspect_ratio: float = field(default=0.0, metadata=option("Largest change of aspect ratio.", low=0))
    max_random_rotate_angle: int = field(
        default=0, metadata=option("Largest rotation to either side, in degrees.", low=0, high=180)
    )
    max_random_shear_ratio: float = field(
        default=0.0, metadata=option("Largest shear to either side, in columns per row.", low=0)
    )
    min_random_scale: float = field(default=1.0, metadata=option("Smallest scale factor.", low=0))
    max_random_scale: float = field(default=1.0, metadata=option("Largest scale factor.", low=0))
    min_crop_size: int = field(
        default=0, metadata=option("Smallest square that is cut out and resized, in pixels.", low=0)
    )
    max_crop_size: int = field(default=0, metadata=option("Largest such square, in pixels.", low=0))
    shift: int = field(default=0, metadata=option("Largest shift in each direction, in pixels.", low=0, high=16))
    fill: int | None = field(
        default=None,
        metadata=option("Gray level outside the image.  [default: level of the images' edges]", low=0, high=255),
    )

    def __post_init__(self) -> None:
        check(self)

    def iterator_options(self, *, border: int) -> dict[str, Any]:
        """Return the parameters for ImageRecordIter, without those that would change nothing.

        Parameters
        ----------
        border : int
            Gray level for `fill` if that is None.
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
        options: dict[str, Any] = {name: value for name, value in values.items() if value}
        if self.min_crop_size or self.max_crop_size:
            sizes = self.min_crop_size or self.max_crop_size, self.max_crop_size or self.min_crop_size
            options |= dict(zip(("min_crop_size", "max_crop_size"), sizes, strict=True))
        if (self.min_random_scale, self.max_random_scale) != (1, 1):
            options |= {"min_random_scale": self.min_random_scale, "max_random_scale": self.max_random_scale}
        if options:
            options["fill_value"] = border if self.fill is None else self.fill
        return options


AUGMENTS = {
    "none": Augment(),
    "shift": Augment(shift=2),
    # The book's augmentation of MNIST: a random square of 24 to 28 pixels, rotated by up to 15 degrees, black outside.
    "book": Augment(random_crop=True, min_crop_size=24, max_crop_size=28, max_random_rotate_angle=15, fill=0),
    "photo": Augment(random_mirror=True, shift=4),
}
"""Presets by name; explicit options override them."""
