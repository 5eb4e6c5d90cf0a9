"""Build the network of a run: a built-in one or the user's, with output layers, and find its target.

A network of the user that has output layers keeps them, and decides what is predicted from which labels. Any other
network gets output layers for the labels of the file: a softmax over the classes of each, or a sigmoid with `loss`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from recordkit.errors import PlanError, plural
from recordkit.interop.mxnet import reason
from recordkit.training.compatibility import check_class_numbers, check_labels
from recordkit.training.data.survey import LabelFacts, Survey
from recordkit.training.data.target import Target
from recordkit.training.model.output_layers import add_output_layers, find_target, has_output_layers
from recordkit.training.plan import TrainPlan
from recordkit.training.resolve import ResolvedPlan

# If the highest label reaches both this and the number of images, the labels do not number classes: a network with so
# many outputs would fill the memory.
_MAX_PLAUSIBLE_CLASSES = 1000
_NUMBERS_ADVICE = "number the classes from 0, or give as `network` a file whose output layers predict numbers"


def build_network(mx: Any, resolved: ResolvedPlan, data: Survey) -> tuple[Any, Target]:
    """Build the network of a run.

    Parameters
    ----------
    mx : module
    resolved : ResolvedPlan
    data : Survey
        The survey of the training images.

    Returns
    -------
    symbol : mxnet.symbol.Symbol
        The network with its output layers.
    target : Target

    Raises
    ------
    PlanError
        The network does not fit the images, the labels or the loss.
    TrainError
        A label is none that the network can learn.
    """
    shape = resolved.batch_size, *resolved.shape
    try:
        symbol = _with_output_layers(mx, resolved, data)
        target = find_target(mx, symbol, shape, n_labels=len(data.labels))
    except PlanError as error:
        if error.path or error.argument:
            raise
        raise error.located(argument="network") from None
    except mx.base.MXNetError as error:
        raise PlanError(
            argument="network",
            expected=f"one for images of {resolved.shape}",
            got=f"the error {reason(error)!r}",
            advice="give another `shape`",
        ) from None
    _check_sizes(data, target)
    check_labels(data, target)
    return symbol, target


def _with_output_layers(mx: Any, resolved: ResolvedPlan, data: Survey) -> Any:
    plan, n_classes = resolved.plan, _n_classes(resolved.plan, data)
    symbol = _build(mx, resolved, n_classes)
    if has_output_layers(symbol):
        if plan.loss == "sigmoid" and "LogisticRegressionOutput" not in symbol.tojson():
            raise PlanError(
                argument="loss",
                expected="a network that ends with LogisticRegressionOutput, or without output layer, for sigmoid",
                got="other output layers",
                advice="leave out `loss`",
            )
        return symbol
    sizes = label_sizes(plan, data)
    if sum(sizes) != n_classes:
        symbol = _build(mx, resolved, sum(sizes))
    return add_output_layers(mx, symbol, plan.loss, sizes, (resolved.batch_size, *resolved.shape))


def _build(mx: Any, resolved: ResolvedPlan, n_classes: int) -> Any:
    with mx.name.NameManager():  # so that unnamed layers get the same names in each run
        symbol = resolved.network.build(mx, n_classes, resolved.shape)
    inputs = symbol.list_inputs()
    if "data" not in inputs:
        raise PlanError(expected="an input mx.sym.Variable('data')", got=", ".join(inputs) or "none")
    if twice := [name for name, n in Counter(inputs).items() if n > 1]:
        raise PlanError(
            expected="each variable once",
            got=f"two variables called {twice[0]!r}",
            advice="make one and use it in both places",
        )
    return symbol


def _n_classes(plan: TrainPlan, data: Survey) -> int:
    """Return the number of classes that a network is built for: those of the first label.

    A label that numbers no classes counts as one: an output layer for numbers needs no more.
    """
    if plan.loss == "sigmoid":
        return len(data.labels)
    first = data.labels[0]
    if plan.n_classes is None and (first.not_class is not None or not _is_plausible(first, data)):
        return 1
    return plan.n_classes or max(int(first.highest), _highest_named(data), 1) + 1


def _is_plausible(label: LabelFacts, data: Survey) -> bool:
    return label.highest < max(len(data), _MAX_PLAUSIBLE_CLASSES)


def _highest_named(data: Survey) -> int:
    return max((data.classes or {}).values(), default=0) if len(data.labels) == 1 else 0


def label_sizes(plan: TrainPlan, data: Survey) -> tuple[int, ...]:
    """Return the numbers of outputs that each label needs: its classes, or 1 with the loss "sigmoid".

    Parameters
    ----------
    plan : TrainPlan
    data : Survey

    Raises
    ------
    PlanError
        A label is not among the classes.
    TrainError
        A label is no class number.
    """
    for label in data.labels:
        check_class_numbers(data, label, advice=_NUMBERS_ADVICE)
    if plan.loss == "sigmoid":
        return _sigmoid_sizes(data)
    for label in data.labels:
        _check_classes(plan, data, label)
    if plan.n_classes is None and not any(label.highest for label in data.labels) and not _highest_named(data):
        raise PlanError(
            path=str(data.path),
            expected="two classes or more",
            got="the label 0 alone",
            advice="pack images of another class too",
        )
    return tuple(plan.n_classes or max(int(label.highest), _highest_named(data), 1) + 1 for label in data.labels)


def _check_classes(plan: TrainPlan, data: Survey, label: LabelFacts) -> None:
    highest = int(label.highest)
    if plan.n_classes is not None and highest >= plan.n_classes:
        raise PlanError(
            argument="n_classes",
            expected=f"labels below {plan.n_classes}",
            got=highest,
            advice=f"give `n_classes={highest + 1}`",
        )
    if plan.n_classes is None and not _is_plausible(label, data):
        raise PlanError(
            path=str(data.path),
            expected="labels that number classes from 0 on",
            got=f"{highest} among {plural(len(data), 'image')}",
            advice=f"number the classes from 0, or give `n_classes={highest + 1}`",
        )


def _sigmoid_sizes(data: Survey) -> tuple[int, ...]:
    highest = int(max(label.highest for label in data.labels))
    if highest > 1:
        raise PlanError(
            argument="loss", expected="labels of 0 or 1 with sigmoid", got=highest, advice="use `loss=softmax`"
        )
    return (1,) * len(data.labels)


def _check_sizes(data: Survey, target: Target) -> None:
    """Refuse output layers that are too many, too few or too small for the labels of the training images."""
    if target.n_labels != len(data.labels):
        raise PlanError(
            argument="network",
            expected=f"output layers for {plural(len(data.labels), 'label')} an image, which {data.path} has",
            got=f"layers for {target.n_labels}",
            advice=_labels_advice(target.n_labels, len(data.labels)),
        )
    for head in target.heads:
        classes = [data.labels[column] for column in head.columns if data.labels[column].not_class is None]
        highest = max((int(label.highest) for label in classes), default=0)
        if head.loss == "softmax" and highest >= head.size:
            raise PlanError(
                argument="network",
                expected=f"labels below {head.size}, the numbers of {head.name!r}",
                got=highest,
                advice=f"make it larger, by `n_classes={highest + 1}` if get_symbol takes its size from num_classes",
            )


def _labels_advice(n_wanted: int, n_packed: int) -> str:
    if n_wanted < n_packed:
        return "return mx.sym.Group of an output layer for each label"
    return f"pack {n_wanted} labels an image, from a list with {n_wanted} label columns"
