"""The output layers of a network: find them and their target, or add them.

A network that is trained ends with output layers of MXNet, one or an ``mx.sym.Group`` of several. Each has a loss and
takes labels: SoftmaxOutput, LogisticRegressionOutput, LinearRegressionOutput or MAERegressionOutput. Outputs behind
BlockGrad have no loss, and are left out.

A model of another program may end without a loss. The outputs of softmax, SoftmaxActivation and sigmoid are
probabilities. Any other output is taken as one number to predict if it has one number an image; if it has several, as
the input of a softmax.

If each output layer has an input for labels of its own, as MXNet makes it if none is given, these inputs take the
labels of an image in the order of the layers. An input may also have the labels of several layers, which slice it. The
columns that a layer sees are found by evaluating that part of the network on labels that all differ.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, plural
from recordkit.training.data.target import Head, LabelInput, Target

_LOSSES = {
    "SoftmaxOutput": "softmax",
    "Softmax": "softmax",  # an old name of SoftmaxOutput
    "LogisticRegressionOutput": "sigmoid",
    "LinearRegressionOutput": "linear",
    "MAERegressionOutput": "mae",
}
_SUPPORTED = "SoftmaxOutput, LogisticRegressionOutput, LinearRegressionOutput or MAERegressionOutput"
# Layers that give probabilities and have no loss.
_PROBABILITIES = {"softmax": "softmax", "SoftmaxActivation": "softmax", "sigmoid": "sigmoid"}
# Layers whose outputs are losses and not predictions, or whose gradients belong to another loss.
_UNSUPPORTED = ("MakeLoss", "make_loss", "SVMOutput", "CTCLoss", "IdentityAttachKLSparseReg")
# Images in the batch of different labels, and the most labels of an image that are tried if their number is unknown.
_N_IMAGES, _MAX_LABELS = 3, 64


@dataclass(frozen=True, slots=True)
class _Output:
    """An output of a network: its position, name, operator, attributes of the operator, and the symbol."""

    number: int
    name: str
    operator: str
    attributes: dict[str, str]
    symbol: Any

    @property
    def has_loss(self) -> bool:
        return self.operator in _LOSSES

    @property
    def data(self) -> Any:
        """The symbol without the loss."""
        return self.symbol.get_children()[0] if self.has_loss else self.symbol

    @property
    def probabilities(self) -> str | None:
        """The loss for which the data are probabilities already; None if they are other numbers."""
        if self.operator == "Activation" and self.attributes.get("act_type") == "sigmoid":
            return "sigmoid"
        return _PROBABILITIES.get(self.operator)

    def size(self, batch_shape: tuple[int, ...]) -> int:
        """Return how many numbers the output has for an image."""
        if unknown := unknown_inputs(self.data, data=batch_shape):
            raise PlanError(
                expected=f"{self.operator} {self.name!r} to be computed from 'data' alone",
                got=f"{', '.join(unknown)} of unknown shape",
            )
        (shape,) = self.data.infer_shape_partial(data=batch_shape)[1]
        if len(shape) not in (1, 2) or shape[0] != batch_shape[0]:
            raise PlanError(
                expected=f"a row of numbers for each image from {self.operator} {self.name!r}",
                got=f"the shape {shape} for {plural(batch_shape[0], 'image')}",
            )
        return int(shape[1]) if len(shape) == 2 else 1

    def loss(self, size: int) -> str:
        return _LOSSES.get(self.operator) or self.probabilities or ("softmax" if size > 1 else "linear")

    def n_labels(self, size: int) -> int:
        """Return how many labels the output predicts."""
        return 1 if self.loss(size) == "softmax" else size


def unknown_inputs(symbol: Any, **shapes: tuple[int, ...]) -> list[str]:
    """Return the names of a network's inputs and parameters whose shapes do not follow from the given ones.

    MXNet's ``infer_shape`` would warn of them; and if shapes contradict each other, it prints to stdout.

    Raises
    ------
    mxnet.base.MXNetError
        Shapes contradict each other.
    """
    found = symbol.infer_shape_partial(**shapes)[0]
    return [name for name, shape in zip(symbol.list_arguments(), found, strict=True) if not shape or min(shape) < 1]


def _all_outputs(symbol: Any) -> list[_Output]:
    """Return the outputs of a network, without those behind BlockGrad."""
    graph = json.loads(symbol.tojson())
    outputs = []
    for number, (index, *_) in enumerate(graph["heads"]):
        node = graph["nodes"][index]
        if node["op"] in _UNSUPPORTED:
            raise PlanError(expected=f"output layers {_SUPPORTED}", got=f"{node['op']} {node['name']!r}")
        if node["op"] != "BlockGrad":
            outputs.append(_Output(number, node["name"], node["op"], node.get("attrs", {}), symbol[number]))
    if not outputs:
        raise PlanError(expected=f"an output layer {_SUPPORTED}", got="BlockGrad alone")
    return outputs


def _heads(symbol: Any) -> list[_Output]:
    """Return the outputs with a loss; all outputs if none has a loss."""
    outputs = _all_outputs(symbol)
    return [output for output in outputs if output.has_loss] or outputs


def has_output_layers(symbol: Any) -> bool:
    """Return whether a network has output layers, so that it can be trained.

    Raises
    ------
    PlanError
        It has several outputs, and one is no output layer; or an output has a loss that is not supported.
    """
    outputs = _all_outputs(symbol)
    others = [output for output in outputs if not output.has_loss]
    if others and len(outputs) > 1:
        raise PlanError(
            expected=f"an output layer {_SUPPORTED} for each output, or BlockGrad",
            got=f"{others[0].operator} {others[0].name!r}",
        )
    return not others


def add_output_layers(mx: Any, symbol: Any, loss: str, sizes: tuple[int, ...], batch_shape: tuple[int, ...]) -> Any:
    """Add output layers to a network that has none.

    Parameters
    ----------
    mx : module
    symbol : mxnet.symbol.Symbol
        Its output has shape (B, sum(sizes)). A softmax or sigmoid at its end is replaced.
    loss : {"softmax", "sigmoid"}
    sizes : tuple of int
        Numbers of the output for each label: the classes with "softmax", 1 with "sigmoid".
    batch_shape : tuple of int
        (B, C, H, W).

    Returns
    -------
    symbol : mxnet.symbol.Symbol
        Its inputs are ``data`` and ``softmax_label``. With "softmax" it has an output for each label, and its loss is
        the mean of theirs.

    Raises
    ------
    PlanError
        The network has another number of outputs.
    mxnet.base.MXNetError
        The network does not fit the images.
    """
    (output,) = _all_outputs(symbol)
    logits = symbol.get_children()[0] if output.probabilities else symbol
    shapes = logits.infer_shape_partial(data=batch_shape)[1]  # `infer_shape` prints to stdout if it fails
    if shapes != [(batch_shape[0], sum(sizes))]:
        raise PlanError(
            expected=f"one output of {sum(sizes)} numbers an image, before any softmax",
            got=", ".join(str(shape[1:]) for shape in shapes),
        )
    if len(sizes) == 1 and loss == "softmax":
        return mx.sym.SoftmaxOutput(logits, mx.sym.Variable("softmax_label"), name="softmax")
    # The shape keeps the number of labels in the model; 0 stands for any batch size.
    label = mx.sym.Variable("softmax_label", shape=(0, len(sizes)) if len(sizes) > 1 else None)
    if loss == "sigmoid":
        return mx.sym.LogisticRegressionOutput(logits, label, name="sigmoid")
    ends, layers = np.cumsum(sizes).tolist(), []
    for number, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        data = mx.sym.slice_axis(logits, axis=1, begin=end - size, end=end)
        column = mx.sym.slice_axis(label, axis=1, begin=number, end=number + 1).reshape((-1,))
        layers.append(mx.sym.SoftmaxOutput(data, column, grad_scale=1 / len(sizes), name=f"label{number + 1}"))
    return mx.sym.Group(layers)


def find_target(mx: Any, symbol: Any, batch_shape: tuple[int, ...], *, n_labels: int | None = None) -> Target:
    """Return the target of a network.

    Parameters
    ----------
    mx : module
    symbol : mxnet.symbol.Symbol
    batch_shape : tuple of int
        (B, C, H, W).
    n_labels : int, optional
        Labels of an image, if known: a network that slices its labels may leave the last ones out.

    Returns
    -------
    target : Target

    Raises
    ------
    PlanError
        An output has a loss that is not supported, or is compared with anything but columns of labels.
    mxnet.base.MXNetError
        The network does not fit the images.
    """
    outputs = _heads(symbol)
    sizes = [output.size(batch_shape) for output in outputs]
    if outputs[0].has_loss:
        columns, label_inputs = _label_columns(mx, symbol, outputs, sizes, n_labels)
    else:
        ends = np.cumsum([output.n_labels(size) for output, size in zip(outputs, sizes, strict=True)]).tolist()
        columns = [tuple(range(begin, end)) for begin, end in zip([0, *ends], ends, strict=False)]
        label_inputs = ()
    heads = (
        Head(
            name=output.name,
            loss=output.loss(size),
            size=size,
            columns=own_columns,
            weight=float(output.attributes.get("grad_scale", 1)),
            output=output.number,
        )
        for output, size, own_columns in zip(outputs, sizes, columns, strict=True)
    )
    return Target(tuple(heads), label_inputs)


def prediction_symbol(mx: Any, symbol: Any, batch_shape: tuple[int, ...]) -> Any:
    """Return the network that computes a network's predictions, without losses and labels.

    Parameters
    ----------
    mx, symbol, batch_shape
        See `find_target`.

    Returns
    -------
    symbol : mxnet.symbol.Symbol
        It has an output for each head of the target: probabilities, or the predicted numbers.
    """
    functions = {"softmax": mx.sym.softmax, "sigmoid": mx.sym.sigmoid}
    predictions = []
    for output in _heads(symbol):
        loss, data = output.loss(output.size(batch_shape)), output.data
        has_to_compute = loss in functions and not output.probabilities
        predictions.append(functions[loss](data) if has_to_compute else data)
    return mx.sym.Group(predictions)


def _label_columns(
    mx: Any, symbol: Any, outputs: list[_Output], sizes: list[int], n_labels: int | None
) -> tuple[list[tuple[int, ...]], tuple[LabelInput, ...]]:
    """Return the columns of the labels that each output sees, and the inputs for labels."""
    parts = [output.symbol.get_children()[1] for output in outputs]
    names = [_label_input(output, part) for output, part in zip(outputs, parts, strict=True)]
    widths = [output.n_labels(size) for output, size in zip(outputs, sizes, strict=True)]
    columns: list[tuple[int, ...]] = [()] * len(outputs)
    label_inputs: list[LabelInput] = []
    begin = 0
    for name in dict.fromkeys(names):
        indices = [index for index, other in enumerate(names) if other == name]
        for shape in _possible_shapes(symbol, name, [widths[index] for index in indices], n_labels):
            found = [_columns_of(mx, parts[index], name, shape, widths[index]) for index in indices]
            if all(found):
                break
        else:
            raise PlanError(
                expected=f"{outputs[indices[0]].name!r} to be compared with labels as they are",
                got=f"a computation from {name!r}",
                advice="give it the label, or columns of it by mx.sym.slice_axis",
            )
        for index, own in zip(indices, found, strict=True):
            columns[index] = tuple(begin + column for column in own)
        end = begin + (shape[0] if shape else 1)
        label_inputs.append(LabelInput(name, begin, end, is_flat=not shape))
        begin = end
    return columns, tuple(label_inputs)


def _label_input(output: _Output, part: Any) -> str:
    """Return the name of the input that an output layer takes its labels from."""
    inputs = part.list_inputs()
    if len(inputs) != 1 or inputs == ["data"]:
        raise PlanError(
            expected=f"labels from one input for {output.operator} {output.name!r}",
            got=f"a computation from {', '.join(inputs) or 'constants'}",
        )
    return str(inputs[0])


def _possible_shapes(symbol: Any, name: str, widths: list[int], n_labels: int | None) -> Iterator[tuple[int, ...]]:
    """Yield the shapes that an image's part of an input for labels may have, the likely ones first."""
    if shape := symbol.attr_dict().get(name, {}).get("__shape__"):
        yield tuple(ast.literal_eval(shape))[1:]
        return
    for width in (n_labels, max(widths), sum(widths), *range(1, _MAX_LABELS + 1)):
        if width == 1:
            yield ()
        if width:
            yield (width,)


def _columns_of(mx: Any, part: Any, name: str, shape: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return the columns that a part of a network takes from its labels; none if it does not take `width` of them."""
    labels = _different_labels((_N_IMAGES, *shape))
    try:
        seen = part.eval(ctx=mx.cpu(), **{name: mx.nd.array(labels)})[0].asnumpy()
    except mx.base.MXNetError:
        return ()
    if seen.size != _N_IMAGES * width:
        return ()
    is_same = (seen.reshape(_N_IMAGES, width, 1) == labels.reshape(_N_IMAGES, 1, -1)).all(axis=0)
    return tuple(is_same.argmax(axis=1).tolist()) if is_same.any(axis=1).all() else ()


def _different_labels(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return different labels, large and small, positive and negative, and not whole.

    Operators such as clip, abs, round or a remainder change some of them, although they keep class numbers as they are.
    """
    return np.random.default_rng(0).normal(scale=1e4, size=shape).astype(np.float32)
