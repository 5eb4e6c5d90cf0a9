"""Changes of an image: uint8 (H, W, C) in, uint8 (H, W, C) out, one small value object each."""

from recordkit.transforms.crop import CenterCrop
from recordkit.transforms.resize import FILTERS, Resize

__all__ = ["FILTERS", "CenterCrop", "Resize"]
