"""Transforms of an image: small value objects that turn uint8 (H, W, C) into uint8 (H, W, C).

=================  ======================================================  =====================
name               result                                                  random numbers
=================  ======================================================  =====================
CenterCrop         central square, or central part of a size               0
Cutout             rectangles painted over                                 2 per rectangle
Flip               mirrored left to right                                  0
Normalize          (x - mean) / std as float32; the last step              0
Pad                border of a width, or up to a size                      0
RandomAffine       rotation, shear, scale and aspect in one warp           4
RandomAspect       stretched in one direction, squeezed in the other       1
RandomBrightness   multiplied by a factor                                  1
RandomContrast     moved away from or towards the image's mean gray        1
RandomCrop         part of a size, at a random position                    2
RandomFlip         Flip with a probability                                 1
RandomGray         gray with a probability                                 1
RandomHSL          hue, saturation and lightness shifted                   3
RandomHue          hues rotated                                            1
RandomLighting     PCA noise added                                         6
RandomResizedCrop  part of random area, aspect and position, to a size     4 to 22
RandomRotation     rotated about the centre                                1
RandomSaturation   moved away from or towards each pixel's gray            1
RandomScale        enlarged or reduced                                     1
RandomShear        slanted                                                 1
RandomSizeCrop     square of random side and position, to a size           3
Resize             short side resized to a length                          0
=================  ======================================================  =====================

A resize whose filter is "random" draws 1 more. `Transform` is their protocol, and `Draws` gives the random numbers.

A name is imported at its first use, because making all these classes takes 10 ms.
"""

from typing import TYPE_CHECKING

from recordkit.public_names import importer as _importer

if TYPE_CHECKING:
    from recordkit.transforms.affine import RandomAffine, RandomAspect, RandomRotation, RandomScale, RandomShear
    from recordkit.transforms.color import RandomBrightness, RandomContrast, RandomGray, RandomSaturation
    from recordkit.transforms.crop import CenterCrop, RandomCrop, RandomResizedCrop, RandomSizeCrop
    from recordkit.transforms.cutout import Cutout
    from recordkit.transforms.draws import Draws
    from recordkit.transforms.flip import Flip, RandomFlip
    from recordkit.transforms.hue import RandomHSL, RandomHue
    from recordkit.transforms.lighting import RandomLighting
    from recordkit.transforms.normalize import Normalize
    from recordkit.transforms.pad import Pad
    from recordkit.transforms.resize import FILTERS, Resize
    from recordkit.transforms.transform import Transform

__all__ = [
    "CenterCrop",
    "Cutout",
    "Draws",
    "FILTERS",
    "Flip",
    "Normalize",
    "Pad",
    "RandomAffine",
    "RandomAspect",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomGray",
    "RandomHSL",
    "RandomHue",
    "RandomLighting",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "RandomScale",
    "RandomShear",
    "RandomSizeCrop",
    "Resize",
    "Transform",
]

# The module of each name; tests compare this table with the imports for type checkers.
_MODULES = {
    "CenterCrop": "recordkit.transforms.crop",
    "Cutout": "recordkit.transforms.cutout",
    "Draws": "recordkit.transforms.draws",
    "FILTERS": "recordkit.transforms.resize",
    "Flip": "recordkit.transforms.flip",
    "Normalize": "recordkit.transforms.normalize",
    "Pad": "recordkit.transforms.pad",
    "RandomAffine": "recordkit.transforms.affine",
    "RandomAspect": "recordkit.transforms.affine",
    "RandomBrightness": "recordkit.transforms.color",
    "RandomContrast": "recordkit.transforms.color",
    "RandomCrop": "recordkit.transforms.crop",
    "RandomFlip": "recordkit.transforms.flip",
    "RandomGray": "recordkit.transforms.color",
    "RandomHSL": "recordkit.transforms.hue",
    "RandomHue": "recordkit.transforms.hue",
    "RandomLighting": "recordkit.transforms.lighting",
    "RandomResizedCrop": "recordkit.transforms.crop",
    "RandomRotation": "recordkit.transforms.affine",
    "RandomSaturation": "recordkit.transforms.color",
    "RandomScale": "recordkit.transforms.affine",
    "RandomShear": "recordkit.transforms.affine",
    "RandomSizeCrop": "recordkit.transforms.crop",
    "Resize": "recordkit.transforms.resize",
    "Transform": "recordkit.transforms.transform",
}


if not TYPE_CHECKING:  # a type checker would take every name for one that exists
    __getattr__ = _importer(__name__, _MODULES)


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
