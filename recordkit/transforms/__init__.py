"""Changes of an image: uint8 (H, W, C) in, uint8 (H, W, C) out, one small value object each.

=================  ======================================================  ==========================
CenterCrop         the middle, a square or a given size
Flip               left and right exchanged
Normalize          (x - mean) / std, the last step                         float32 out
Pad                a border, by a width or up to a size
RandomCrop         a given size, anywhere                                  draws 2
RandomFlip         Flip by chance                                          draws 1
RandomResizedCrop  random area and aspect, anywhere, to a size             draws 4 to 22
RandomSizeCrop     a square of random side, anywhere, to a size            draws 3
Resize             the short side to a length                              draws 0
=================  ======================================================  ==========================

A filter "random" draws 1 number more.
"""

from recordkit.transforms.crop import CenterCrop, Pad, RandomCrop, RandomResizedCrop, RandomSizeCrop
from recordkit.transforms.draws import Draws
from recordkit.transforms.flip import Flip, RandomFlip
from recordkit.transforms.normalize import Normalize
from recordkit.transforms.resize import FILTERS, Resize
from recordkit.transforms.transform import Transform

__all__ = [
    "CenterCrop",
    "Draws",
    "FILTERS",
    "Flip",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomSizeCrop",
    "Resize",
    "Transform",
]
