"""Conversion of encoded images to the input of a trained network, as the images of its training were converted."""

from __future__ import annotations

from dataclasses import replace

from recordkit import codec
from recordkit.sample import Image
from recordkit.training.data.adaptation import Adaptation, find_object
from recordkit.training.data.appearance import Difference
from recordkit.training.data.transparency import decode_with_alpha, has_transparency, may_be_transparent
from recordkit.transforms import Resize
from recordkit.transforms.mxnet_augmenter import FittingCenterCrop


class NetworkInput:
    """Converts images that are not packed.

    Parameters
    ----------
    adaptation : Adaptation
        What makes an image like the training images, and the shape of the network's input.
    side : int, optional
        Short side of the training images, to which others are resized; None if they had several.
    """

    def __init__(self, adaptation: Adaptation, side: int | None) -> None:
        self._adapt = adaptation
        self._n_channels, *size = adaptation.shape
        self._size = tuple(size)
        self._resize = None if side is None else Resize(side)
        self._crop = FittingCenterCrop(adaptation.shape[1:])

    def convert(self, payload: bytes) -> tuple[Image, tuple[Difference, ...]]:
        """Convert an image.

        Parameters
        ----------
        payload : bytes
            The encoded image.

        Returns
        -------
        image : ndarray of uint8, shape (H, W, C)
        unlike : tuple of Difference
            Respects in which it is unlike the training images.

        Raises
        ------
        ImageError
            The image cannot be decoded.
        """
        is_transparent = False
        if self._n_channels < 4 and may_be_transparent(payload):
            stored = decode_with_alpha(payload)
            if self._adapt.lays(stored):
                image = self._fit(self._adapt(stored))
                return image, self._differences(image, stored)
            is_transparent = has_transparency(stored)
        image = self._opaque(payload)
        if self._adapt.appearance is None and is_transparent:
            return image, (Difference("transparency", round(float((stored[:, :, 3] < 255).mean()), 4), 0.0),)
        return image, self._differences(image, payload)

    def _opaque(self, payload: bytes) -> Image:
        if self._adapt.is_nothing:
            return self._crop(self._as_packed(payload))
        return self._fit(self._adapt(codec.decode(payload, channels=self._n_channels)))

    def _fit(self, image: Image) -> Image:
        """Return an image with the size and the channels of the network's input."""
        is_placed = self._adapt.center and image.shape[:2] == self._size  # centred, of the right extent
        if self._resize is not None and not is_placed:
            image = self._resize(image)
        return self._crop(codec.to_channels(image, self._n_channels))

    def _as_packed(self, payload: bytes) -> Image:
        """Decode an image as if it were packed and read again."""
        if self._resize is not None:
            # `recordkit pack` resizes the stored channels; they are converted when the record is read.
            stored = codec.decode(payload, channels="keep")
            resized = self._resize(stored)
            if resized is not stored:
                return codec.to_channels(resized, self._n_channels)
        return codec.decode(payload, channels=self._n_channels)

    def _differences(self, image: Image, source: Image | bytes) -> tuple[Difference, ...]:
        """Compare an input with the training images; `source` is the file, or its pixels if they are transparent."""
        if self._adapt.appearance is None:
            return ()
        differences = self._adapt.appearance.differences(image[None])[0]
        if any(difference.what == "blank" for difference in differences):
            return tuple(replace(difference, what=self._why_blank(source)) for difference in differences)
        return differences

    def _why_blank(self, source: Image | bytes) -> str:
        """Return why nothing stands out from the background of an input: "hidden", "shrunk" or "blank"."""
        if isinstance(source, bytes):
            pixels = codec.decode(source, channels=self._n_channels)
        elif self._adapt.is_hidden(source):
            return "hidden"
        else:
            pixels = self._adapt(source)
        return "blank" if find_object(pixels) is None else "shrunk"
