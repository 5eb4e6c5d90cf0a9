"""The network of a run: its output layers, and the labels that fit them."""

import pytest
from training.bars import images, plan, survey_for_mxnet, write_rec

from recordkit.errors import PlanError, TrainError
from recordkit.training.model.build import build_network, label_sizes
from recordkit.training.plan import TrainPlan
from recordkit.training.resolve import resolve
from recordkit.training.trainer import ModelSpec

BEGIN = """
import mxnet as mx
def get_symbol(num_classes, **kwargs):
    data = mx.sym.Variable("data")
    net = mx.sym.flatten(data)
    label = mx.sym.Variable("label")
    fc = mx.sym.FullyConnected
    """


def build(mx, rec, tmp_path, line, **options):
    """Build the network that a line returns, as a run does."""
    path = tmp_path / "net.py"
    path.write_text(BEGIN + line.replace("\n", "\n    "))
    data = survey_for_mxnet(rec)
    resolved = resolve(plan(rec, tmp_path, network=str(path), **options), data)
    symbol, target = build_network(mx, resolved, data)
    ModelSpec(mx, symbol, target, (resolved.batch_size, *resolved.shape), mx.cpu()).initial_model(3)
    return symbol, target


@pytest.fixture
def two(tmp_path):
    """Images with a class and a number."""
    return write_rec(tmp_path / "two.rec", [((label, 1.5 * label - 1), image) for label, image in images(20)])


@pytest.mark.parametrize("end", ["net", "mx.sym.softmax(net)", "mx.sym.SoftmaxActivation(net)"])
def test_a_network_without_output_layer_gets_one(mx, rec, tmp_path, end):
    symbol, target = build(mx, rec, tmp_path, f"net = fc(net, num_hidden=num_classes, name='fc')\nreturn {end}")
    assert symbol.list_arguments() == ["data", "fc_weight", "fc_bias", "softmax_label"]
    assert symbol.list_outputs() == ["softmax_output"]
    assert [(head.loss, head.size) for head in target.heads] == [("softmax", 3)]


def test_a_network_without_output_layer_has_the_classes_of_all_labels(mx, tmp_path):
    rec = write_rec(tmp_path / "two.rec", [((label, n % 2), image) for n, (label, image) in enumerate(images(20))])
    _, target = build(mx, rec, tmp_path, "return fc(net, num_hidden=num_classes)")
    assert [(head.loss, head.size, head.columns, head.weight) for head in target.heads] == [
        ("softmax", 3, (0,), 0.5), ("softmax", 2, (1,), 0.5),
    ]  # fmt: skip


def test_output_layers_are_kept_with_their_names_and_weights(mx, two, tmp_path):
    line = """a = mx.sym.SoftmaxOutput(fc(net, num_hidden=num_classes), name="bar")
return mx.sym.Group([a, mx.sym.MAERegressionOutput(fc(net, num_hidden=1), name="size", grad_scale=0.5)])"""
    symbol, target = build(mx, two, tmp_path, line)
    assert symbol.list_outputs() == ["bar_output", "size_output"]
    assert str(target) == "3 classes (bar) and 1 number (size)" and target.heads[1].weight == 0.5


def test_num_classes_is_that_of_the_first_label_or_the_option(mx, rec, tmp_path):
    line = "return mx.sym.SoftmaxOutput(fc(net, num_hidden=num_classes), name='softmax')"
    assert build(mx, rec, tmp_path, line)[1].n_classes == (3,)
    assert build(mx, rec, tmp_path, line, n_classes=7)[1].n_classes == (7,)


def test_sigmoid_takes_a_network_with_its_output_layer_or_none(mx, tmp_path):
    rec = write_rec(tmp_path / "flags.rec", [((label % 2, 1.0, 0.0), image) for label, image in images(20)])
    for end in ("net", "mx.sym.LogisticRegressionOutput(net)"):
        line = f"net = fc(net, num_hidden=num_classes)\nreturn {end}"
        assert build(mx, rec, tmp_path, line, loss="sigmoid")[1].heads[0].columns == (0, 1, 2)
    with pytest.raises(
        PlanError, match="loss: expected a network that ends with LogisticRegressionOutput, .*leave out"
    ):
        build(mx, rec, tmp_path, "return mx.sym.SoftmaxOutput(fc(net, num_hidden=2))", loss="sigmoid")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "return fc(data, num_hidden=5)",
            r"network: expected one output of 3 numbers an image, before any softmax, got \(5,\)",
        ),
        (
            "net = mx.sym.broadcast_mul(data, mx.sym.Variable('alpha', shape=(1, 1, 1, 1)))\n"
            "return fc(net, num_hidden=num_classes)",
            r"network: expected a parameter that ends in weight, .*, got 'alpha'",
        ),
        (
            "return fc(mx.sym.Convolution(data, kernel=(99, 99), num_filter=2), num_hidden=num_classes)",
            r"network: expected one for images of \(1, 28, 28\), got the error .*; give another shape",
        ),
        (
            "return fc(mx.sym.Variable('pixels'), num_hidden=3, name='fc1')",
            r"network: expected an input mx\.sym\.Variable\('data'\), got pixels, fc1_weight",
        ),
        (
            "return mx.sym.MakeLoss(fc(net, num_hidden=1), name='mine')",
            r"network: expected output layers SoftmaxOutput, .* or MAERegressionOutput, got MakeLoss 'mine'",
        ),
        (
            "return mx.sym.Group([mx.sym.SoftmaxOutput(fc(net, num_hidden=3)), fc(net, num_hidden=4, name='more')])",
            r"network: expected an output layer .* for each output, or BlockGrad, got FullyConnected 'more'",
        ),
        (
            "return mx.sym.Group([mx.sym.SoftmaxOutput(fc(net, num_hidden=3)) for _ in range(2)])",
            r"network: expected output layers for 1 label an image, which .*train\.rec has, got layers for 2; "
            r"pack 2 labels an image, from a list with 2 label columns",
        ),
        (
            "other = mx.sym.SoftmaxOutput(fc(net, num_hidden=3), mx.sym.Variable('label'))\n"
            "return mx.sym.Group([mx.sym.SoftmaxOutput(fc(net, num_hidden=3), mx.sym.Variable('label')), other])",
            "network: expected each variable once, got two variables called 'label'; make one and use it in both",
        ),
        (
            "return mx.sym.SoftmaxOutput(fc(net, num_hidden=2), name='bar')",
            r"network: expected labels below 2, the numbers of 'bar', got 2; make it larger, by n_classes=3 if",
        ),
        (
            "return mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), label / 100, name='size')",
            r"network: expected 'size' to be compared with labels as they are, got a computation from 'label'; give it",
        ),
    ],
)
def test_an_unsuitable_network_is_refused(mx, rec, tmp_path, capfd, line, message):
    with pytest.raises(PlanError, match=message):
        build(mx, rec, tmp_path, line)
    assert capfd.readouterr().out == ""  # where MXNet would print the arguments of infer_shape


@pytest.mark.parametrize(("label", "got"), [(0.5, "0.5"), (-1.0, "-1"), (float("nan"), "nan"), (float("inf"), "inf")])
def test_a_label_that_numbers_no_class_is_named(mx, tmp_path, label, got):
    rec = write_rec(tmp_path / "bad.rec", [*images(2), (label, next(images(1))[1])])
    data = survey_for_mxnet(rec)
    message = rf"bad\.rec: key 2: expected a class number as label, got {got}; number the classes"
    with pytest.raises(TrainError, match=message):
        label_sizes(plan(rec, tmp_path), data)
    with pytest.raises(TrainError, match=message):
        build(mx, rec, tmp_path, "return mx.sym.SoftmaxOutput(fc(net, num_hidden=3))")


def test_layers_in_another_order_than_the_labels_are_named(mx, two, tmp_path):
    lines = """return mx.sym.Group([
        mx.sym.LinearRegressionOutput(fc(net, num_hidden=1), name="ink"),
        mx.sym.SoftmaxOutput(fc(net, num_hidden=3), name="bar")])"""
    message = (
        r"key 0: expected a class number as label 2 for the layer 'bar', got -1; number the classes from 0, or group "
        r"the layers in the order of their labels; they have label 1 for 'ink', label 2 for 'bar'$"
    )
    with pytest.raises(TrainError, match=message):
        build(mx, two, tmp_path, lines)


def test_too_few_output_layers_get_the_advice_to_group_more(mx, two, tmp_path):
    with pytest.raises(PlanError, match=r"got layers for 1; return mx\.sym\.Group of an output layer for each"):
        build(mx, two, tmp_path, "return mx.sym.SoftmaxOutput(fc(net, num_hidden=3))")


def test_a_number_to_predict_has_to_be_finite(mx, tmp_path):
    rec = write_rec(
        tmp_path / "bad.rec", [(label, image) for label, (_, image) in zip((0.5, float("nan")), images(2), strict=True)]
    )
    with pytest.raises(TrainError, match=r"bad\.rec: key 1: expected a number as label, got nan"):
        build(mx, rec, tmp_path, "return mx.sym.LinearRegressionOutput(fc(net, num_hidden=1))")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"n_classes": 2}, r"expected labels below 2, got 2; give n_classes=3"),
        ({"loss": "sigmoid"}, r"loss: expected labels of 0 or 1 with sigmoid, got 2; use loss=.softmax."),
        ({"loss": "sigmoid", "n_classes": 3}, r"n_classes: expected none with the loss sigmoid"),
    ],
)
def test_labels_that_do_not_fit_the_options_are_named(rec, tmp_path, options, error):
    with pytest.raises(PlanError, match=error):
        label_sizes(plan(rec, tmp_path, **options), survey_for_mxnet(rec))


def test_one_class_alone_is_refused(tmp_path):
    rec = tmp_path / "one.rec"
    data = survey_for_mxnet(write_rec(rec, [(0.0, image) for _, image in images(3)]))
    with pytest.raises(PlanError, match=r"one\.rec: expected two classes or more, got the label 0 alone"):
        label_sizes(TrainPlan(rec, tmp_path / "m"), data)
    assert label_sizes(TrainPlan(rec, tmp_path / "m", n_classes=2), data) == (2,)


def test_labels_that_are_not_class_numbers_are_named(tmp_path):
    rec = tmp_path / "ids.rec"
    data = survey_for_mxnet(write_rec(rec, [(label * 1000, image) for label, image in images(6)]))
    with pytest.raises(PlanError, match=r"number classes from 0 on, got 2000 among 6 images; .* n_classes=2001"):
        label_sizes(TrainPlan(rec, tmp_path / "m"), data)
    assert label_sizes(TrainPlan(rec, tmp_path / "m", n_classes=2001), data) == (2001,)
