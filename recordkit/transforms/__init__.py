"""Changes of an image: uint8 (H, W, C) in, uint8 (H, W, C) out, one small value object each.

=================  ======================================================  =====================
name               what it does                                            random numbers
=================  ======================================================  =====================
CenterCrop         the middle, a square or a given size                    0
Cutout             rectangles painted over                                 2 for each
Flip               left and right exchanged                                0
Normalize          (x - mean) / std as float32, the last step              0
Pad                a border, by a width or up to a size                    0
RandomAffine       rotation, shear, scale and aspect in one warp           4
RandomAspect       stretched one way, squeezed the other                   1
RandomBrightness   times a factor                                          1
RandomContrast     away from the image's mean gray, or towards it          1
RandomCrop         a given size, anywhere                                  2
RandomFlip         Flip by chance                                          1
RandomGray         gray by chance                                          1
RandomHSL          hue, saturation and lightness shifted                   3
RandomHue          hues turned                                             1
RandomLighting     PCA noise                                               6
RandomResizedCrop  random area and aspect, anywhere, to a size             4 to 22
RandomRotation     turned about the middle                                 1
RandomSaturation   away from each pixel's gray, or towards it              1
RandomScale        enlarged or reduced                                     1
RandomShear        slanted                                                 1
RandomSizeCrop     a square of random side, anywhere, to a size            3
Resize             the short side to a length                              0
=================  ======================================================  =====================

A resize whose filter is "random" draws 1 more. `Transform` is what they have in common, `Draws` the random numbers.
"""

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
