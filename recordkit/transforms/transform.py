"""What a transform is: an image and random numbers in, an image out."""

from __future__ import annotations

from typing import Protocol

from recordkit.sample import Image
from recordkit.transforms.draws import Draws


class Transform(Protocol):
    """A change of an image, which depends on nothing but its own attributes, the image and the draws.

    Threads call one transform at the same time. A transform says which numbers it draws, and in which order: the
    native engine draws the same. Real numbers are computed with Python's floats and the functions of `math`, not with
    NumPy's, whose last bit may differ.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit.transforms import RandomCrop
    >>> change: Transform = RandomCrop(2)
    >>> image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    >>> change(image, Draws(seed=0, epoch=0, position=3, transform=0))[:, :, 0]
    array([[ 5,  6],
           [ 9, 10]], dtype=uint8)
    """

    def __call__(self, image: Image, draws: Draws) -> Image:
        """Return the changed image, or a view of `image`, which itself stays as it is.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C), C 1, 3 or 4
        draws : Draws
            This transform's own, for this sample. One that draws nothing can be called without.

        Raises
        ------
        ImageError
            The image does not suit the transform.
        """
