"""Making an image look like the training images: laid on their background, inverted, centred.

`Adaptation` applies the three to a decoded image before it becomes the network's input. What the training images look
like is in `recordkit.training.data.appearance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sample import Image
from recordkit.training.data.appearance import MIN_CONTRAST, Appearance, gray_levels, measure
from recordkit.training.data.transparency import has_transparency
from recordkit.transforms.resize import resize_to

INVERT = ("never", "auto", "always")

# Space around the object that is kept, as a share of its larger side: the soft edges of its strokes.
_MARGIN = 0.1
# Longest side of the copy in which the object is searched, in pixels: a grain of paper is smaller than a pixel of it.
_SEARCH_SIDE = 256
# Longest side of the copy that the object is cut from: a photograph of 12 million pixels would take 1 GB.
_MAX_SIDE = 1024
# Differences from the paper below this share of the largest one are paper.
_PAPER = 0.25


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How images are made like the training images.

    Attributes
    ----------
    appearance : Appearance, optional
        That of the training images; None if it is unknown.
    shape : tuple of int
        (C, H, W) of the network's input.
    invert : {"never", "auto", "always"}
        "auto" inverts an image whose background is on the other side of the training images' background, and a
        transparent one whose object would then be darker or lighter than theirs.
    center : bool
        Cut the object out, and give it the size and the place that objects have in the training images.

    Raises
    ------
    PlanError
        `invert` is another word; or the training images do not have one background, which "auto" and `center` need.
    """

    appearance: Appearance | None
    shape: tuple[int, int, int]
    invert: str = "never"
    center: bool = False

    def __post_init__(self) -> None:
        if self.invert not in INVERT:
            raise PlanError(argument="invert", expected=f"one of {', '.join(INVERT)}", got=repr(self.invert))
        for argument, is_asked in (("invert", self.invert == "auto"), ("center", self.center)):
            if is_asked and not (self.appearance and self.appearance.is_plain):
                raise PlanError(
                    argument=argument,
                    expected="a model whose training images have one background",
                    got="no record of theirs" if self.appearance is None else "various backgrounds",
                    advice=f"leave out `{argument}`",
                )

    @property
    def is_nothing(self) -> bool:
        """Opaque images stay as they are."""
        return self.invert == "never" and not self.center

    def lays(self, image: Image) -> bool:
        """Tell whether an image is transparent and the training images were not, so that it is laid on something."""
        is_known = self.appearance is not None and not self.appearance.transparent
        return is_known and self.shape[0] < 4 and has_transparency(image)

    def is_hidden(self, image: Image) -> bool:
        """Tell whether an image has transparency and ink that is seen only if `invert` is "auto"."""
        is_one_sided = self.appearance is not None and self.appearance.polarity is not None
        if self.invert != "never" or not is_one_sided or not self.lays(image):
            return False
        return find_object(self._lay(image)) is None and find_object(self._lay(_inverted(image))) is not None

    def __call__(self, image: Image) -> Image:
        """Return the image, of the network's size if it was centred, without transparency if it was laid.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, C)

        Returns
        -------
        image : ndarray of uint8, shape (H, W, C)
        """
        is_laid = self.lays(image)
        laid = self._lay(image) if is_laid else image
        if self.invert == "always" or (self.invert == "auto" and self._is_inverse(laid, is_laid=is_laid)):
            laid = self._lay(_inverted(image)) if is_laid else _inverted(image)
        return self._centered(laid) if self.center else laid

    def _lay(self, image: Image) -> Image:
        """Lay a transparent image on the background of the training images."""
        level = self.appearance.background[1] if self.appearance else 0.0
        alpha = image[:, :, 3:].astype(np.float32) / 255
        return np.rint(image[:, :, :3] * alpha + level * (1 - alpha)).astype(np.uint8)

    def _is_inverse(self, image: Image, *, is_laid: bool) -> bool:
        appearance, measures = self.appearance, measure(image[None])
        if appearance is None:
            return False
        if not is_laid:
            return appearance.is_inverse(float(measures.background[0]))
        is_blank = measures.contrast[0] < MIN_CONTRAST
        return appearance.polarity is not None and bool(is_blank or measures.is_light[0] != appearance.polarity)

    def _centered(self, image: Image) -> Image:
        """Return the object of an image on the background of the training images; an image without one as it is."""
        appearance = self.appearance
        if (longest := max(image.shape[:2])) > _MAX_SIDE:
            small_height, small_width = (max(1, side * _MAX_SIDE // longest) for side in image.shape[:2])
            image = resize_to(image, small_height, small_width, "antialias")
        box = find_object(image)
        if appearance is None or box is None:
            return image
        top, left, bottom, right = box
        _, height, width = self.shape
        scale = appearance.extent[1] / max((bottom - top) / height, (right - left) / width)
        margin = round(_MARGIN * max(bottom - top, right - left))
        paper = _paper(image)
        difference = image[:, :, :3].astype(np.float32) - paper
        part = difference[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
        contrast = np.abs(part).max()
        part = np.where(np.abs(part).max(axis=2, keepdims=True) < _PAPER * contrast, 0, part)
        level, paper_level = appearance.background[1], float(gray_levels(paper).mean())
        if appearance.is_inverse(paper_level):
            level = paper_level  # there is no room for the object on the other side of the training images' background
        strong = np.clip(level + part * max(1.0, appearance.contrast / contrast), 0, 255)
        return _placed(strong, level, scale, (height, width))


def find_object(image: Image) -> tuple[int, int, int, int] | None:
    """Return top, left, bottom and right of what stands out from the paper of an image; None if nothing does.

    Examples
    --------
    >>> paper = np.full((90, 60, 1), 230, np.uint8)
    >>> paper[30:60, 20:35] = 40
    >>> find_object(paper)
    (30, 20, 60, 35)
    """
    height, width = image.shape[:2]
    step = -(-max(height, width) // _SEARCH_SIDE)
    difference = gray_levels(image) - gray_levels(_paper(image))
    small = _means(difference, step)
    contrast = np.abs(small).max()
    if contrast < MIN_CONTRAST:
        return None
    mask = np.abs(small) > contrast / 2
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        int(rows[0]) * step,
        int(columns[0]) * step,
        min(height, int(rows[-1] + 1) * step),
        min(width, int(columns[-1] + 1) * step),
    )


def _paper(image: Image) -> NDArray[np.float32]:
    """Return the levels of uneven paper, shape (H, W, C): the plane through the edge of the image, for each channel."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    edge = np.zeros((height, width), bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    terms = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    planes = []
    for channel in np.moveaxis(image[:, :, :3].astype(np.float32), 2, 0):
        kept = edge
        for _ in range(2):  # the second time without what lies on the edge, such as a stroke or a shadow
            plane = terms @ np.linalg.lstsq(terms[kept], channel[kept], rcond=None)[0]
            distance = np.abs(channel - plane)
            kept = edge & (distance <= max(float(np.median(distance[edge])) * 3, 1.0))
        planes.append(plane)
    return np.stack(planes, axis=2)


def _means(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the means of squares of pixels; those at the edge may be smaller."""
    if step == 1:
        return values
    rows, columns = (np.arange(0, size, step) for size in values.shape)
    sums: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    heights, widths = (np.diff([*range(0, size, step), size]) for size in values.shape)
    means: NDArray[np.float32] = sums / np.outer(heights, widths)
    return means


def _placed(part: NDArray[np.float32], level: float, scale: float, size: tuple[int, int]) -> Image:
    """Return an image of one level with a scaled part in its middle."""
    height, width = (max(1, round(side * scale)) for side in part.shape[:2])
    small = resize_to(np.rint(part).astype(np.uint8), height, width, "antialias")
    image = np.full((*size, part.shape[2]), round(level), np.uint8)
    top, left = ((whole - side) // 2 for whole, side in zip(size, (height, width), strict=True))
    visible = small[max(0, -top) :, max(0, -left) :][: size[0], : size[1]]
    image[max(0, top) : top + height, max(0, left) : left + width] = visible
    return image


def _inverted(image: Image) -> Image:
    """Return the image with inverted colors and the same transparency."""
    inverted: Image = 255 - image
    return np.dstack([inverted[:, :, :3], image[:, :, 3:]]) if image.shape[2] == 4 else inverted
