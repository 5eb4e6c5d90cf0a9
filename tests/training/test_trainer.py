"""Module and Gluon make the same updates, for every target and network."""

import numpy as np
import pytest

from recordkit.training.model.networks import NETWORKS, find_network
from recordkit.training.model.output_layers import add_output_layers, find_target
from recordkit.training.optimizer import Optimizer
from recordkit.training.trainer import TRAINERS, ModelSpec

SHAPE = (1, 28, 28)
BATCH_SHAPE = (8, *SHAPE)
# A loss and the numbers of each label.
LABELS = [("softmax", (3,)), ("softmax", (3, 4)), ("sigmoid", (1, 1, 1)), ("sigmoid", (1,))]


def batch(mx, labels, n=8):
    rng = np.random.default_rng(1)
    columns = [rng.integers(0, max(size, 2), n) for size in labels[1]]
    array = np.stack(columns, 1).astype(np.float32)
    array = array if len(columns) > 1 else array[:, 0]
    return mx.io.DataBatch(data=[mx.nd.array(rng.normal(size=(n, *SHAPE)))], label=[mx.nd.array(array)])


def make_spec(mx, labels, network="book"):
    loss, sizes = labels
    symbol = add_output_layers(mx, find_network(network).build(mx, sum(sizes), SHAPE), loss, sizes, BATCH_SHAPE)
    return ModelSpec(mx, symbol, find_target(mx, symbol, BATCH_SHAPE), BATCH_SHAPE, mx.cpu())


def make_trainer(mx, api, labels, network="book", optimizer=None, bias=0.0):
    spec = make_spec(mx, labels, network)
    optimizer = optimizer or Optimizer(lr=0.1, wd=0.1, schedule="constant")
    options = {"batch_size": 8, "n_updates": 5, "n_total": 10, "n_done": 0}
    model = spec.initial_model(3)
    if bias:
        model[1]["conv1_bias"][:] = bias
    return TRAINERS[api](spec, model, lambda names: optimizer.create(mx, names, **options))


@pytest.mark.parametrize("labels", LABELS, ids=str)
@pytest.mark.parametrize("optimizer_name", ["sgd", "adam"])
def test_both_apis_end_with_the_same_parameters(mx, labels, optimizer_name):
    optimizer = Optimizer(name=optimizer_name, lr=0.1 if optimizer_name == "sgd" else 0.01, wd=0.1, schedule="constant")
    trainers = [make_trainer(mx, api, labels, optimizer=optimizer) for api in TRAINERS]
    for number in range(3):
        by_module, by_gluon = (trainer.step(batch(mx, labels)) for trainer in trainers)
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
    labels = LABELS[0]
    target = make_spec(mx, labels, network).target
    trainer = make_trainer(mx, api, labels, network, Optimizer(name="adam", lr=0.002, wd=0, schedule="constant"))
    losses = [target.loss_sum([output.asnumpy() for output in trainer.step(data)], data.label[0].asnumpy())
              for data in [batch(mx, labels)] * 40]  # fmt: skip
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("api", list(TRAINERS))
def test_a_restored_state_continues_the_updates(mx, api):
    trainer, restored = (make_trainer(mx, api, LABELS[0]) for _ in range(2))
    data = batch(mx, LABELS[0])
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
            mx, api, LABELS[0], optimizer=optimizer, bias=-1.0
        )  # negative inputs have no gradient through the relu
        before = trainer.model()[1]["conv1_weight"].asnumpy().copy()
        data = batch(mx, LABELS[0])
        data.data[0][:] = 0  # only the last layer has a gradient
        trainer.step(data)
        np.testing.assert_allclose(trainer.model()[1]["conv1_weight"].asnumpy(), before * 0.9, rtol=1e-5)
        assert (trainer.model()[1]["conv1_bias"].asnumpy() == -1).all()
