"""The steps from a decoded image to an item of a batch: transforms, normalisation, dtype and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError, PlanError, RecordkitError
from recordkit.loading.plan import ItemFormat, LoadPlan
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
        A transform does not return uint8, or changes the number of channels; or it raised an error, which is the cause.
    """
    for number, step in enumerate(plan.steps[first:], first):
        image = _apply(step, image, Draws(seed=plan.seed, epoch=epoch, position=position, transform=number))
    return image


def _apply(step: Transform, image: Image, draws: Draws) -> Image:
    """Apply one transform and check its result, because a user may have written it."""
    result = _call(step, image, draws)
    if isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.shape[2:] == image.shape[2:]:
        return result
    raise PlanError(
        argument="transforms",
        expected=f"uint8 of shape (H, W, {image.shape[2]}) from {step!r}",
        got=_describe(result),
        advice="only a Normalize or a callable with one parameter, at the end, may return fractions",
    )


def _call(step: Transform, image: Any, draws: Draws | None) -> Any:
    """Call a transform. An error that is not recordkit's own is the cause of a PlanError, because no sample is bad."""
    try:
        return step(image, draws) if draws is not None else step(image)  # type: ignore[call-arg]  # a function's
    except (RecordkitError, MemoryError):
        raise
    except Exception as error:
        raise PlanError(f"{step!r} raised {type(error).__name__}: {error}", argument="transforms") from error


def _describe(result: object) -> str:
    return f"{result.dtype} of shape {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__


def to_batch_item(image: Image, plan: LoadPlan) -> NDArray[Any]:
    """Return the item of a batch that the plan's functions or its normalisation make of an image, in its layout.

    Raises
    ------
    PlanError
        A function raised an error, which is the cause, or returns no array of numbers, or one whose dtype does not fit
        the plan's.
    """
    values: Any = image if plan.normalize is None else plan.normalize(image)
    for function in plan.functions:
        values = _call(function, values, None)
    if plan.functions:
        values = _check_numbers(values, plan)
    return plan.to_layout(values if plan.dtype is None else values.astype(plan.dtype, copy=False))


def _check_numbers(result: object, plan: LoadPlan) -> NDArray[Any]:
    """Return the result of the last function as an array that the plan can hold."""
    values = np.asarray(result) if hasattr(result, "__array__") or hasattr(result, "__array_interface__") else result
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        name = f"{plan.functions[-1]!r}"
        raise PlanError(argument="transforms", expected=f"an array of numbers from {name}", got=_describe(values))
    if plan.dtype is not None and not np.can_cast(values.dtype, plan.dtype, "same_kind"):
        raise PlanError(
            argument="dtype",
            expected=f"one that holds {values.dtype}, which {plan.functions[-1]!r} returns",
            got=plan.dtype,
            advice="leave out `dtype`",
        )
    return values


def check_format(values: NDArray[Any], plan: LoadPlan, item: ItemFormat) -> NDArray[Any]:
    """Return an item of a batch if it has the format of the others.

    Raises
    ------
    ImageError
        The image has another height or width.
    PlanError
        A function returned another shape or dtype.
    """
    if (values.shape, values.dtype) == item:
        return values
    if plan.functions:
        raise PlanError(
            argument="transforms",
            expected=f"{item.dtype} of shape {item.shape} from {plan.functions[-1]!r}, as for the first sample",
            got=f"{values.dtype} of shape {values.shape}",
            advice="return one shape and one dtype for all samples",
        )
    (height, width), sample = plan.image_size(item), plan.image_size(ItemFormat(values.shape, values.dtype))
    raise ImageError(
        expected=f"{width} x {height} pixels after the transforms, as in the first sample",
        got=f"{sample[1]} x {sample[0]}",
        advice="end with a crop, so that all samples have one size",
    )
