"""The steps from a decoded image to an item of a batch: transforms, normalisation, dtype and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError, PlanError
from recordkit.loading.plan import LoadPlan
from recordkit.sample import Image
from recordkit.transforms import Draws, Transform


def apply_transforms(image: Image, plan: LoadPlan, epoch: int, position: int, *, first: int = 0) -> Image:
    """Return an image after the plan's transforms, from number `first` on.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
    plan : LoadPlan
    epoch : int
    position : int
        Position of the sample in the order of the epoch.
    first : int, default 0
        Number of the first transform to apply.

    Raises
    ------
    PlanError
        A transform does not return uint8, or changes the number of channels.
    """
    for number, step in enumerate(plan.steps[first:], first):
        image = _apply(step, image, Draws(seed=plan.seed, epoch=epoch, position=position, transform=number))
    return image


def _apply(step: Transform, image: Image, draws: Draws) -> Image:
    """Apply one transform and check its result, because a user may have written it."""
    result = step(image, draws)
    if isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.shape[2:] == image.shape[2:]:
        return result
    raise PlanError(
        argument="transforms",
        expected=f"uint8 of shape (H, W, {image.shape[2]}) from {step!r}",
        got=f"{result.dtype} of shape {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__,
        advice="only a Normalize, at the end, may return fractions",
    )


def to_batch_item(image: Image, plan: LoadPlan, size: tuple[int, int]) -> NDArray[Any]:
    """Normalise an image and convert it to the plan's dtype and layout.

    Raises
    ------
    ImageError
        The height and the width of the image are not `size`.
    """
    if image.shape[:2] != size:
        raise ImageError(
            expected=f"{size[1]} x {size[0]} pixels after the transforms, as in the first sample",
            got=f"{image.shape[1]} x {image.shape[0]}",
            advice="end with a crop, so that all samples have one size",
        )
    values = image if plan.normalize is None else plan.normalize(image)
    values = values.astype(plan.dtype, copy=False)
    return values.transpose(2, 0, 1) if plan.layout == "NCHW" else values
