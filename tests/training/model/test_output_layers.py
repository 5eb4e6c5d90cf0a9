"""Output layers: what a network predicts, from which labels, is read from its symbol."""

import numpy as np
import pytest

from recordkit.errors import PlanError
from recordkit.training.model.output_layers import find_target, prediction_symbol

BATCH_SHAPE = (4, 1, 3, 3)


class Layers:
    """Short names for the parts of small networks."""

    def __init__(self, mx):
        self.sym = mx.sym
        self.label = mx.sym.Variable("label")
        self.hidden = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("data")), num_hidden=8, name="fc0")

    def fc(self, n, name="fc"):
        return self.sym.FullyConnected(self.hidden, num_hidden=n, name=name)

    def column(self, begin, end):
        return self.sym.slice_axis(self.label, axis=1, begin=begin, end=end)

    def softmax(self, n, name, *label, **options):
        return self.sym.SoftmaxOutput(self.fc(n, f"{name}_fc"), *label, name=name, **options)

    def linear(self, n, name, *label, **options):
        return self.sym.LinearRegressionOutput(self.fc(n, f"{name}_fc"), *label, name=name, **options)


@pytest.fixture
def layers(mx):
    return Layers(mx)


def heads(target):
    return [(head.name, head.loss, head.size, head.columns) for head in target.heads]


def inputs(target):
    return [(label.name, label.begin, label.end, label.shape(4)) for label in target.label_inputs]


def test_output_layers_with_labels_of_their_own_take_them_in_their_order(mx, layers):
    net = mx.sym.Group([layers.softmax(3, "digit"), layers.linear(2, "place", grad_scale=0.01)])
    target = find_target(mx, net, BATCH_SHAPE)
    assert heads(target) == [("digit", "softmax", 3, (0,)), ("place", "linear", 2, (1, 2))]
    assert inputs(target) == [("digit_label", 0, 1, (4,)), ("place_label", 1, 3, (4, 2))]
    assert [head.weight for head in target.heads] == [1, 0.01]


def test_output_layers_may_slice_one_label(mx, layers):
    digit = layers.softmax(3, "digit", mx.sym.reshape(layers.column(2, 3), shape=(-1,)))
    net = mx.sym.Group([digit, layers.linear(1, "angle", mx.sym.split(layers.label, axis=1, num_outputs=3)[0])])
    target = find_target(mx, net, BATCH_SHAPE)
    assert [head.columns for head in target.heads] == [(2,), (0,)]
    assert inputs(target) == [("label", 0, 3, (4, 3))]


def test_the_last_labels_may_be_left_out_if_their_number_is_known(mx, layers):
    net = mx.sym.Group([layers.linear(1, name, layers.column(n, n + 1)) for n, name in enumerate("ab")])
    assert find_target(mx, net, BATCH_SHAPE).n_labels == 2
    assert find_target(mx, net, BATCH_SHAPE, n_labels=5).n_labels == 5


def test_two_output_layers_may_see_the_same_label(mx, layers):
    net = mx.sym.Group(
        [layers.softmax(3, "main", layers.label), layers.softmax(3, "aux", layers.label, grad_scale=0.3)]
    )
    target = find_target(mx, net, BATCH_SHAPE)
    assert [head.columns for head in target.heads] == [(0,), (0,)] and inputs(target) == [("label", 0, 1, (4,))]


def test_outputs_behind_blockgrad_and_outputs_beside_a_loss_are_left_out(mx, layers):
    net = mx.sym.Group([mx.sym.BlockGrad(layers.hidden), layers.softmax(3, "digit"), layers.hidden])
    target = find_target(mx, net, BATCH_SHAPE)
    assert heads(target) == [("digit", "softmax", 3, (0,))] and target.heads[0].output == 1


def test_each_output_layer_of_mxnet_has_its_loss(mx, layers):
    sym, fc = mx.sym, layers.fc
    for layer, loss, columns in (
        (sym.LogisticRegressionOutput(fc(2)), "sigmoid", (0, 1)),
        (sym.MAERegressionOutput(fc(2)), "mae", (0, 1)),
        (sym.LinearRegressionOutput(sym.reshape(fc(1), shape=(-1,))), "linear", (0,)),
    ):
        (head,) = find_target(mx, layer, BATCH_SHAPE).heads
        assert (head.loss, head.columns) == (loss, columns)


def test_outputs_without_loss_are_probabilities_or_inputs_of_a_softmax_or_one_number(mx, layers):
    sym, fc, data = mx.sym, layers.fc, mx.nd.random.normal(shape=BATCH_SHAPE)
    for end, loss, function in (
        (sym.softmax(fc(3)), "softmax", lambda x: x.softmax()),
        (sym.SoftmaxActivation(fc(3)), "softmax", lambda x: x.softmax()),
        (sym.log_softmax(fc(3)), "softmax", lambda x: x.softmax()),
        (fc(3), "softmax", lambda x: x.softmax()),
        (sym.sigmoid(fc(3)), "sigmoid", lambda x: x.sigmoid()),
        (sym.Activation(fc(3), act_type="sigmoid"), "sigmoid", lambda x: x.sigmoid()),
        (fc(1), "linear", lambda x: x),
    ):
        target = find_target(mx, end, BATCH_SHAPE)
        assert [head.loss for head in target.heads] == [loss] and target.label_inputs == ()
        net = prediction_symbol(mx, end, BATCH_SHAPE)
        shapes = dict(zip(net.list_arguments(), net.infer_shape(data=BATCH_SHAPE)[0], strict=True))
        params = {name: mx.nd.random.normal(shape=shape) for name, shape in shapes.items() if name != "data"}
        plain = end.get_internals()["fc_output"]
        expected = function(plain.eval(ctx=mx.cpu(), data=data, **params)[0]).asnumpy()
        np.testing.assert_allclose(net.eval(ctx=mx.cpu(), data=data, **params)[0].asnumpy(), expected, rtol=1e-5)


def test_predictions_need_no_labels(mx, layers):
    net = mx.sym.Group([layers.softmax(3, "digit"), layers.linear(1, "angle"), mx.sym.BlockGrad(layers.hidden)])
    predictions = prediction_symbol(mx, net, BATCH_SHAPE)
    assert predictions.infer_shape(data=BATCH_SHAPE)[1] == [(4, 3), (4, 1)]
    assert not [name for name in predictions.list_arguments() if name.endswith("label")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda layers: layers.sym.MakeLoss(layers.fc(1), name="mine"),
            "expected output layers SoftmaxOutput, .* got Ma",
        ),
        (lambda layers: layers.sym.BlockGrad(layers.fc(1)), "expected an output layer SoftmaxOutput, .* got BlockGrad"),
        (
            lambda layers: layers.linear(1, "age", layers.label / 100),
            "expected 'age' to be compared with labels as they are, got a computation from 'label'; give it the label",
        ),
        (
            lambda layers: layers.linear(1, "age", layers.sym.abs(layers.label)),
            "expected 'age' to be compared with labels as they are, got a computation",
        ),
        (
            lambda layers: layers.softmax(3, "digit", layers.sym.clip(layers.label, 0, 99)),
            "expected 'digit' to be compared with labels as they are, got a computation",
        ),
        (
            lambda layers: layers.sym.FullyConnected(
                layers.sym.concat(layers.hidden, layers.sym.Variable("more")), num_hidden=3, name="fc1"
            ),
            "expected FullyConnected 'fc1' to be computed from 'data' alone, got more of unknown shape",
        ),
        (
            lambda layers: layers.linear(9, "copy", layers.sym.flatten(layers.sym.Variable("data"))),
            "expected labels from one input for LinearRegressionOutput 'copy', got a computation from data",
        ),
        (
            lambda layers: layers.sym.LinearRegressionOutput(layers.sym.Variable("data"), name="image"),
            r"expected a row of numbers for each image from LinearRegressionOutput 'image', got the shape \(4, 1, 3,",
        ),
    ],
)
def test_outputs_that_cannot_be_compared_with_labels_are_refused(mx, layers, make, message):
    with pytest.raises(PlanError, match=message):
        find_target(mx, make(layers), BATCH_SHAPE)
