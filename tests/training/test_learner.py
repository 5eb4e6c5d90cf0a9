"""Module and Gluon make the same updates, for every target and network."""

import numpy as np
import pytest

from recordkit.errors import PlanError
from recordkit.training.data.target import Target
from recordkit.training.learner import LEARNERS, Task
from recordkit.training.networks import NETWORKS, find
from recordkit.training.optimizer import Optimizer

SHAPE = (1, 28, 28)
TARGETS = [Target("softmax", (3,)), Target("softmax", (3, 4)), Target("sigmoid", (1, 1, 1)), Target("sigmoid", (1,))]


def batch(mx, target, n=8):
    rng = np.random.default_rng(1)
    columns = [rng.integers(0, size, n) for size in target.n_values]
    labels = np.stack(columns, 1).astype(np.float32).reshape(target.label_shape(n))
    return mx.io.DataBatch(data=[mx.nd.array(rng.normal(size=(n, *SHAPE)))], label=[mx.nd.array(labels)])


def learner(mx, api, target, network="book", optimizer=None, bias=0.0):
    logits = find(network).draw(mx, target.n_outputs, SHAPE)
    task = Task(mx, logits, target, (8, *SHAPE), mx.cpu())
    optimizer = optimizer or Optimizer(lr=0.1, wd=0.1, schedule="constant")
    options = {"batch_size": 8, "n_updates": 5, "total": 10, "done": 0}
    model = task.draw_parameters(3)
    if bias:
        model[1]["conv1_bias"][:] = bias
    return LEARNERS[api](task, model, lambda names: optimizer.create(mx, names, **options))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.loss} {target.sizes}")
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_both_end_at_the_same_parameters(mx, target, name):
    optimizer = Optimizer(name=name, lr=0.1 if name == "sgd" else 0.01, wd=0.1, schedule="constant")
    both = [learner(mx, api, target, optimizer=optimizer) for api in LEARNERS]
    for number in range(3):
        one, other = (each.learn(batch(mx, target)) for each in both)
        for first, second in zip(one, other, strict=True):
            np.testing.assert_allclose(first.asnumpy(), second.asnumpy(), rtol=1e-3, atol=1e-5, err_msg=str(number))
    one, other = (each.model()[1] for each in both)
    assert sorted(one) == sorted(other)
    for parameter in one:
        apart = ~np.isclose(one[parameter].asnumpy(), other[parameter].asnumpy(), rtol=2e-3, atol=1e-4)
        assert apart.mean() < 0.005, parameter  # where a gradient is nearly 0, Adam makes its rounding large


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("api", list(LEARNERS))
def test_every_network_learns(mx, api, network):
    target = TARGETS[0]
    one = learner(mx, api, target, network, Optimizer(name="adam", lr=0.002, wd=0, schedule="constant"))
    losses = [target.judge([each.asnumpy() for each in one.learn(data)], data.label[0].asnumpy())[1]
              for data in [batch(mx, target)] * 40]  # fmt: skip
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("api", list(LEARNERS))
def test_states_are_taken_again(mx, api):
    one, other = (learner(mx, api, TARGETS[0]) for _ in range(2))
    data = batch(mx, TARGETS[0])
    one.learn(data)
    other.learn(data)
    states = one.states()
    one.learn(data)
    other.set_states(states)
    other.learn(data)
    for name, value in one.model()[1].items():
        np.testing.assert_array_equal(value.asnumpy(), other.model()[1][name].asnumpy())


def test_biases_are_not_decayed(mx):
    for api in LEARNERS:
        optimizer = Optimizer(lr=0.1, wd=1.0, momentum=0, schedule="constant")
        one = learner(mx, api, TARGETS[0], optimizer=optimizer, bias=-1.0)  # below 0 the relu lets no gradient through
        before = one.model()[1]["conv1_weight"].asnumpy().copy()
        data = batch(mx, TARGETS[0])
        data.data[0][:] = 0  # no gradient but the last layer's
        one.learn(data)
        np.testing.assert_allclose(one.model()[1]["conv1_weight"].asnumpy(), before * 0.9, rtol=1e-5)
        assert (one.model()[1]["conv1_bias"].asnumpy() == -1).all()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["return mx.sym.FullyConnected(data, num_hidden=5)"],
            r"expected one output of 3 numbers an image, before any softmax, got \(5,\)",
        ),
        (
            [
                "net = mx.sym.broadcast_mul(data, mx.sym.Variable('alpha', shape=(1, 1, 1, 1)))",
                "return mx.sym.FullyConnected(net, num_hidden=num_classes)",
            ],
            r"network: expected a parameter that ends in weight, .*, got 'alpha'",
        ),
        (
            [
                "net = mx.sym.Convolution(data, kernel=(99, 99), num_filter=2)",
                "return mx.sym.FullyConnected(net, num_hidden=num_classes)",
            ],
            r"network: expected one for images of \(1, 28, 28\)",
        ),
    ],
    ids=["other outputs", "a parameter that nothing says how to begin", "too small images"],
)
def test_a_network_that_does_not_fit_is_named(mx, tmp_path, lines, message):
    path = tmp_path / "net.py"
    path.write_text(
        "\n    ".join(
            ["import mxnet as mx\ndef get_symbol(num_classes, **kwargs):", "data = mx.sym.Variable('data')", *lines]
        )
    )
    with pytest.raises(PlanError, match=message):
        learner(mx, "module", TARGETS[0], str(path))


def test_a_network_without_the_input_is_told_its_name(mx):
    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("pixels")), num_hidden=3, name="fc1")
    with pytest.raises(PlanError, match=r"expected an input mx\.sym\.Variable\('data'\), got pixels, fc1_weight"):
        Task(mx, net, TARGETS[0], (8, *SHAPE), mx.cpu()).draw_parameters(3)
