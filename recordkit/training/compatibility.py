"""Does a file agree with a model: its labels, the names of its classes, the size of its images."""

from __future__ import annotations

from recordkit.errors import TrainError
from recordkit.training.data.survey import Survey
from recordkit.training.data.target import Target


def check_labels(data: Survey, target: Target) -> None:
    """Refuse a file whose labels a model does not know.

    Raises
    ------
    TrainError
        It has more labels an image, or fewer, or higher ones.
    """
    if len(data.max_labels) != len(target.sizes):
        raise TrainError(
            f"{data.path}: expected {len(target.sizes)} labels an image as the model has, got {len(data.max_labels)}"
        )
    for largest, size in zip(data.max_labels, target.n_values, strict=True):
        if largest >= size:
            raise TrainError(
                f"{data.path}: expected labels below the model's {size} classes, "
                f"got {largest}; was it packed with the classes of the model's dataset?"
            )


def check_classes(data: Survey, numbers: dict[str, int] | None) -> None:
    """Refuse a file whose classes are not a model's; where one of both has no names nothing is known.

    Raises
    ------
    TrainError
        A name is none of the model's, or has another number there.
    """
    for name, number in (data.classes or {}).items():
        wanted = (numbers or {name: number}).get(name)
        if wanted is None:
            raise TrainError(
                f"{data.path}: expected the classes of the model's dataset, got {name!r}, which is none of them; "
                "does the file belong to another model?"
            )
        if wanted != number:
            raise TrainError(
                f"{data.path}: expected the class {name!r} to be number {wanted} as in the model's dataset, "
                f"got {number}; pack it with --classes and the .json of that"
            )


def unlike(data: Survey, side: int | None) -> str | None:
    """Say that images are of another size than those a model learnt from; nothing is said of what is not known.

    Parameters
    ----------
    data : Survey
    side : int or None
        The short side of the images that were learnt from, in pixels.

    Returns
    -------
    why : str or None
    """
    if side is None or data.side is None or data.side == side:
        return None
    return (
        f"{data.path}: the short side of its images has {data.side} pixels, of those that were learnt from {side}; "
        f"pack it with --resize {side} for the same"
    )
