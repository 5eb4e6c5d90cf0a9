"""Checks that a machine can carry out a plan, and that a file fits a model: its labels, classes and sizes."""

from __future__ import annotations

from recordkit.errors import TrainError, enumerate_some, plural
from recordkit.interop import mxnet
from recordkit.interop.mxnet.threads import set_threads
from recordkit.storage.fileset import Fileset
from recordkit.training.data.gluon_batches import check_augment
from recordkit.training.data.iterators import resolve_iterator
from recordkit.training.data.survey import LabelFacts, Survey, survey
from recordkit.training.data.target import Head, Target
from recordkit.training.model.networks import find_network
from recordkit.training.plan import TrainPlan
from recordkit.training.run.checkpoint import Checkpoints


def check_prerequisites(plan: TrainPlan) -> None:
    """Check all that `recordkit.training.fit.train` would refuse whatever the training images are.

    Parameters
    ----------
    plan : TrainPlan
        `path` is not read.

    Raises
    ------
    MissingError
        MXNet or the device is missing.
    PlanError
        There is no such network, or network, shape, iterator and augmentation do not fit each other.
    TrainError, FormatError, OSError
        The validation file is missing or unsuitable, or another program has files at `model_prefix`.
    """
    set_threads(plan.threads)  # before MXNet is loaded
    mxnet.device(plan.device, plan.gpu)
    network = find_network(plan.network)
    if plan.shape is not None:
        network.check_shape(plan.shape)
    iterator = resolve_iterator(plan.iterator, plan.val)
    if iterator == "gluon":
        check_augment(plan.augment)
    checkpoints = Checkpoints(plan.model_prefix)
    if not plan.resume:
        checkpoints.check_owner()
    if plan.val is not None:
        survey(plan.val, iterator=iterator)


def check_labels(data: Survey, target: Target) -> None:
    """Refuse a file whose labels do not fit the network.

    Raises
    ------
    TrainError
        The file has more or fewer labels per image; or a label is no class number, is above the classes, or is no
        number at all.
    """
    if len(data.labels) != target.n_labels:
        raise TrainError(
            path=str(data.path),
            expected=f"{plural(target.n_labels, 'label')} an image as the model has",
            got=len(data.labels),
        )
    for head in target.heads:
        for column in head.columns:
            try:
                _check_label(data, data.labels[column], head)
            except TrainError as error:
                if error.key is None or len(target.heads) == 1:
                    raise
                raise _with_layers(error, target, column, head) from None


def _with_layers(error: TrainError, target: Target, column: int, head: Head) -> TrainError:
    """Return an error about a label that says which layer takes it, and which label each layer has."""
    pairs = [f"label {other + 1} for {layer.name!r}" for layer in target.heads for other in layer.columns]
    return TrainError(
        path=error.path,
        key=error.key,
        expected=f"{error.expected} {column + 1} for the layer {head.name!r}",
        got=error.got,
        advice=f"{error.advice}, or group the layers in the order of their labels; they have {', '.join(pairs)}",
    )


def _check_label(data: Survey, label: LabelFacts, head: Head) -> None:
    if not head.n_classes:
        _check_numbers(data, label)
        return
    check_class_numbers(data, label)
    if label.highest >= head.n_classes:
        raise TrainError(
            path=str(data.path),
            expected=f"labels below the model's {plural(head.n_classes, 'class')}",
            got=int(label.highest),
            advice="pack it with the classes of the model's dataset",
        )


def check_class_numbers(data: Survey, label: LabelFacts, *, advice: str = "number the classes from 0") -> None:
    """Refuse a label that is no class number.

    Parameters
    ----------
    data : Survey
    label : LabelFacts
        One of ``data.labels``.
    advice : str
        What to do, for the error.

    Raises
    ------
    TrainError
        An image has another label.
    """
    if label.not_class is not None:
        raise _bad_label(data, label.not_class, "a class number as label", advice)


def _check_numbers(data: Survey, label: LabelFacts) -> None:
    if label.not_finite is not None:
        raise _bad_label(data, label.not_finite, "a number as label", "pack it with other labels")


def _bad_label(data: Survey, found: tuple[int, float], expected: str, advice: str) -> TrainError:
    key, value = found
    return TrainError(path=str(data.path), key=key, expected=expected, got=f"{value:g}", advice=advice)


def check_classes(data: Survey, class_numbers: dict[str, int] | None) -> None:
    """Refuse a file whose classes are not the model's. Files and models without names of classes pass.

    Parameters
    ----------
    data : Survey
    class_numbers : dict of str to int, or None
        Numbers of the model's classes by name.

    Raises
    ------
    TrainError
        The model has no class of a name, or another number for it.
    """
    if not class_numbers:
        return
    for name, number in (data.classes or {}).items():
        if name not in class_numbers:
            raise TrainError(
                path=str(data.path),
                expected="the classes of the model's dataset",
                got=f"{name!r}, which is none of them",
                advice="evaluate it with the model of its own classes",
            )
        if class_numbers[name] != number:
            raise TrainError(
                path=str(data.path),
                expected=f"the class {name!r} to be number {class_numbers[name]} as in the model's dataset",
                got=number,
                advice="pack it again with 'recordkit pack --classes' and the .json of that dataset",
            )


def class_warning(data: Survey, class_numbers: dict[str, int] | None) -> str | None:
    """Return a warning if only one of file and model has names of classes; `check_classes` compares them if both have.

    It is no error, because nothing contradicts. A file without a .json, as those of MXNet's tools, passes.

    Parameters
    ----------
    data : Survey
    class_numbers : dict of str to int, or None
        Numbers of the model's classes by name.

    Returns
    -------
    warning : str or None
    """
    names = enumerate_some(class_numbers or data.classes or ())
    if data.classes and not class_numbers:
        both = f"its classes are {names}, and those of the model have no names"
    elif class_numbers and not data.classes and Fileset(data.path).description():
        both = f"its classes have no names, and those of the model are {names}"
    else:
        return None
    return f"{data.path}: {both}; the figures mean nothing unless the numbers of both mean the same classes"


def size_warning(data: Survey, side: int | None) -> str | None:
    """Return a warning if the sizes differ; None if they agree or either is unknown.

    Parameters
    ----------
    data : Survey
    side : int or None
        Short side of the training images, in pixels.

    Returns
    -------
    warning : str or None
    """
    if side is None or data.side is None or data.side == side:
        return None
    return (
        f"{data.path}: expected images with a short side of {side} pixels, as in training, got {data.side}; "
        f"pack the file with a resize to {side}"
    )
