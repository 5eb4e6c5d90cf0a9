"""Module and Gluon make the same updates, for every target and network."""

import numpy as np
import pytest

from recordkit.errors import PlanError
from recordkit.training.data.target import Target
from recordkit.training.networks import NETWORKS, find_network
from recordkit.training.optimizer import Optimizer
from recordkit.training.trainer import TRAINERS, ModelSpec

SHAPE = (1, 28, 28)
TARGETS = [Target("softmax", (3,)), Target("softmax", (3, 4)), Target("sigmoid", (1, 1, 1)), Target("sigmoid", (1,))]


def batch(mx, target, n=8):
    rng = np.random.default_rng(1)
    columns = [rng.integers(0, size, n) for size in target.n_values]
    labels = np.stack(columns, 1).astype(np.float32).reshape(target.label_shape(n))
    return mx.io.DataBatch(data=[mx.nd.array(rng.normal(size=(n, *SHAPE)))], label=[mx.nd.array(labels)])


def make_trainer(mx, api, target, network="book", optimizer=None, bias=0.0):
    logits = find_network(network).build(mx, target.n_outputs, SHAPE)
    spec = ModelSpec(mx, logits, target, (8, *SHAPE), mx.cpu())
    optimizer = optimizer or Optimizer(lr=0.1, wd=0.1, schedule="constant")
    options = {"batch_size": 8, "n_updates": 5, "n_total": 10, "n_done": 0}
    model = spec.initial_model(3)
    if bias:
        model[1]["conv1_bias"][:] = bias
    return TRAINERS[api](spec, model, lambda names: optimizer.create(mx, names, **options))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.loss} {target.sizes}")
@pytest.mark.parametrize("optimizer_name", ["sgd", "adam"])
def test_both_apis_end_with_the_same_parameters(mx, target, optimizer_name):
    optimizer = Optimizer(name=optimizer_name, lr=0.1 if optimizer_name == "sgd" else 0.01, wd=0.1, schedule="constant")
    trainers = [make_trainer(mx, api, target, optimizer=optimizer) for api in TRAINERS]
    for number in range(3):
        by_module, by_gluon = (trainer.step(batch(mx, target)) for trainer in trainers)
        for first, second in zip(by_module, by_gluon, strict=True):
            np.testing.assert_allclose(first.asnumpy(), second.asnumpy(), rtol=1e-3, atol=1e-5, err_msg=str(number))
    by_module, by_gluon = (trainer.model()[1] for trainer in trainers)
    assert sorted(by_module) == sorted(by_gluon)
    for name in by_module:
        differs = ~np.isclose(by_module[name].asnumpy(), by_gluon[name].asnumpy(), rtol=2e-3, atol=1e-4)
        assert differs.mean() < 0.005, name  # Adam magnifies the rounding of gradients near 0


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("api", list(TRAINERS))
def test_every_network_learns(mx, api, network):
    target = TARGETS[0]
    trainer = make_trainer(mx, api, target, network, Optimizer(name="adam", lr=0.002, wd=0, schedule="constant"))
    losses = [target.loss_sum([output.asnumpy() for output in trainer.step(data)], data.label[0].asnumpy())
              for data in [batch(mx, target)] * 40]  # fmt: skip
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("api", list(TRAINERS))
def test_a_restored_state_continues_the_updates(mx, api):
    trainer, restored = (make_trainer(mx, api, TARGETS[0]) for _ in range(2))
    data = batch(mx, TARGETS[0])
    trainer.step(data)
    restored.step(data)
    states = trainer.states()
    trainer.step(data)
    restored.set_states(states)
    restored.step(data)
    for name, value in trainer.model()[1].items():
        np.testing.assert_array_equal(value.asnumpy(), restored.model()[1][name].asnumpy())


def test_biases_are_not_decayed(mx):
    for api in TRAINERS:
        optimizer = Optimizer(lr=0.1, wd=1.0, momentum=0, schedule="constant")
        trainer = make_trainer(
            mx, api, TARGETS[0], optimizer=optimizer, bias=-1.0
        )  # negative inputs have no gradient through the relu
        before = trainer.model()[1]["conv1_weight"].asnumpy().copy()
        data = batch(mx, TARGETS[0])
        data.data[0][:] = 0  # only the last layer has a gradient
        trainer.step(data)
        np.testing.assert_allclose(trainer.model()[1]["conv1_weight"].asnumpy(), before * 0.9, rtol=1e-5)
        assert (trainer.model()[1]["conv1_bias"].asnumpy() == -1).all()


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
    ids=["other outputs", "a parameter without an initializer", "too small images"],
)
def test_an_unsuitable_network_is_refused(mx, tmp_path, lines, message):
    path = tmp_path / "net.py"
    path.write_text(
        "\n    ".join(
            ["import mxnet as mx\ndef get_symbol(num_classes, **kwargs):", "data = mx.sym.Variable('data')", *lines]
        )
    )
    with pytest.raises(PlanError, match=message):
        make_trainer(mx, "module", TARGETS[0], str(path))


def test_a_network_without_the_input_data_is_refused(mx):
    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("pixels")), num_hidden=3, name="fc1")
    with pytest.raises(PlanError, match=r"expected an input mx\.sym\.Variable\('data'\), got pixels, fc1_weight"):
        ModelSpec(mx, net, TARGETS[0], (8, *SHAPE), mx.cpu()).initial_model(3)
