"""Following the advices about the network of a training."""

import re
from pathlib import Path

import pytest
from advice.walk import advice, text_of
from training.bars import images, plan, survey_for_mxnet, write_rec

from recordkit.training.model.build import build_network
from recordkit.training.resolve import resolve
from recordkit.training.trainer import ModelSpec

BEGIN = """
import mxnet as mx
def get_symbol(num_classes, **kwargs):
    data = mx.sym.Variable("data")
    net = mx.sym.flatten(data)
    label = mx.sym.Variable("label")
    fc = mx.sym.FullyConnected
    softmax = lambda size, **names: mx.sym.SoftmaxOutput(fc(net, num_hidden=size), **names)
    return """


@pytest.fixture
def build(mx, bars):
    """Return a function that builds the network of an expression, as a training does."""

    def run(expression="fc(net, num_hidden=num_classes)", rec=bars, **options):
        Path("net.py").write_text(BEGIN + expression + "\n")
        data = survey_for_mxnet(rec)
        resolved = resolve(plan(rec, Path(), network="net.py", **options), data)
        symbol, target = build_network(mx, resolved, data)
        ModelSpec(mx, symbol, target, (resolved.batch_size, *resolved.shape), mx.cpu()).initial_model(3)

    return run


def write_labels(name, *labels):
    return write_rec(Path(name), [(label, image) for label, (_, image) in zip(labels * 10, images(20), strict=False)])


def test_a_shape_that_the_network_cannot_take(build):
    network = "fc(mx.sym.Convolution(data, kernel=(30, 30), num_filter=2), num_hidden=num_classes)"
    advice("training/model/build.py", "give another `shape`", text_of(lambda: build(network)))
    build(network, shape=(1, 32, 32))


def test_a_shape_that_a_network_of_recordkit_cannot_take(bars, fails, works, train_words):
    words = train_words(bars, "--network", "book", "--batch-size", 16)
    advice("training/model/networks.py", "give another `shape`", fails(*words, "--data-shape", "1,8,8"))
    works(*words, "--data-shape", "1,16,16")


def test_the_lenet_of_mxnet(bars, fails, works, train_words):
    error = fails(*train_words(bars, "--network", "lenet"))
    advice("training/model/networks.py", "MXNet's lenet is book", error)
    works(*train_words(bars, "--network", re.search(r"lenet is (\w+)", error)[1], "--data-shape", "1,16,16"))


def test_the_loss_sigmoid(build):
    flags = write_labels("flags.rec", (1.0, 0.0), (0.0, 1.0))
    error = text_of(lambda: build("softmax(2)", flags, loss="sigmoid"))
    advice("training/model/build.py", "leave out `loss`", error)
    build("mx.sym.Group([softmax(2, name='a'), softmax(2, name='b')])", flags)
    build(rec=flags, loss="sigmoid")
    advice("training/model/build.py", "use `loss=softmax`", text_of(lambda: build(loss="sigmoid")))
    build(loss="softmax")


def test_a_variable_that_is_there_twice(build):
    outputs = "mx.sym.Group([softmax(3, label={}, name='a'), softmax(3, label={}, name='b')])"
    two = write_labels("two.rec", (1.0, 0.0), (0.0, 1.0))
    separate = outputs.format("mx.sym.Variable('l')", "mx.sym.Variable('l')")
    advice("training/model/build.py", "make one and use it in both places", text_of(lambda: build(separate)))
    column = "mx.sym.reshape(mx.sym.slice_axis(label, axis=1, begin={}, end={}), shape=(-1,))"
    build(outputs.format(column.format(0, 1), column.format(1, 2)), two)


def test_labels_that_number_no_classes(build):
    halves = write_labels("halves.rec", 0.5, 1.5)
    error = text_of(lambda: build(rec=halves))
    advice(
        "training/model/build.py",
        "number the classes from 0, or give as `network` a file whose output layers predict numbers",
        error,
    )
    build("mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), label)", halves)
    build(rec=write_labels("classes.rec", 0.0, 1.0))


def test_one_class_alone(build):
    advice(
        "training/model/build.py",
        "pack images of another class too",
        text_of(lambda: build(rec=write_labels("one.rec", 0.0))),
    )
    build(rec=write_labels("two.rec", 0.0, 1.0))


def test_the_number_of_classes(build):
    error = text_of(lambda: build(n_classes=2))
    (number,) = advice("training/model/build.py", "give `n_classes={}`", error)
    build(n_classes=int(number))
    high = write_labels("high.rec", 7.0, 90_000.0)
    error = text_of(lambda: build(rec=high))
    (number,) = advice("training/model/build.py", "number the classes from 0, or give `n_classes={}`", error)
    build(rec=high, n_classes=int(number))
    network = "softmax({}, name='bar')"
    error = text_of(lambda: build(network.format(2)))
    (number,) = advice(
        "training/model/build.py",
        "make it larger, by `n_classes={}` if get_symbol takes its size from num_classes",
        error,
    )
    build(network.format(number.split()[0]))
    build(network.format("num_classes"), n_classes=int(number.split()[0]))


def test_the_number_of_labels(build):
    two = write_labels("two.rec", (1.0, 0.0), (0.0, 1.0))
    advice(
        "training/model/build.py",
        "return mx.sym.Group of an output layer for each label",
        text_of(lambda: build("softmax(2)", two)),
    )
    both = "mx.sym.Group([softmax(3, name='a'), softmax(3, name='b')])"
    build(both, two)
    number, _ = advice(
        "training/model/build.py",
        "pack {} labels an image, from a list with {} label columns",
        text_of(lambda: build(both)),
    )
    assert number == "2"


def test_labels_that_are_computed(build):
    error = text_of(lambda: build("mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), label / 100, name='size')"))
    advice("training/model/output_layers.py", "give it the label, or columns of it by mx.sym.slice_axis", error)
    build("mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), label, name='size')")
    two = write_labels("two.rec", (1.0, 0.5), (0.0, 0.5))
    column = "mx.sym.slice_axis(label, axis=1, begin={}, end={})"
    heads = ", ".join(
        f"mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), {column.format(n, n + 1)}, name='head{n}')"
        for n in range(2)
    )
    build(f"mx.sym.Group([{heads}])", two)


def test_layers_in_another_order_than_the_labels(build):
    two = write_labels("two.rec", (1.0, -1.5), (0.0, -0.5))
    layers = "mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), name='ink')", "softmax(2, name='bar')"
    error = text_of(lambda: build(f"mx.sym.Group([{', '.join(layers)}])", two))
    advice("training/compatibility.py", "{}, or group the layers in the order of their labels; they have {}", error)
    build(f"mx.sym.Group([{', '.join(layers[::-1])}])", two)


def test_a_parameter_without_an_initial_value(build):
    network = "fc(mx.sym.broadcast_mul(data, mx.sym.Variable('{}', shape=(1, 1, 1, 1))), num_hidden=num_classes)"
    error = text_of(lambda: build(network.format("alpha")))
    advice("training/trainer.py", "give it one of these names", error)
    for ending in ("weight", "bias", "gamma", "beta"):
        build(network.format(f"alpha_{ending}"))
