"""Networks with several outputs: trained, evaluated, predicted and drawn, with Module and with Gluon."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from training.bars import RecordingObserver, images, params, plan, write_rec

from recordkit.cli.commands.eval import command as eval_command
from recordkit.cli.commands.plot_net import command as plot_net
from recordkit.cli.commands.predict import command as predict_command
from recordkit.errors import PlanError
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.predict import Predictor
from recordkit.training.results.log import epoch_lines, read_curves
from recordkit.training.results.run_files import RunFiles

NET = """
import mxnet as mx
def get_symbol(num_classes, **kwargs):
    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("data")), num_hidden=32)
    net = mx.sym.Activation(net, act_type="relu")
    bar = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=num_classes), name="bar")
    size = mx.sym.FullyConnected(net, num_hidden=1)
    return {end}
"""
GROUP = "mx.sym.Group([bar, mx.sym.LinearRegressionOutput(size, name='size'), mx.sym.BlockGrad(net)])"
NUMBER = "mx.sym.MAERegressionOutput(size, name='size')"


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET.format(end=GROUP))
    return str(path)


def samples(n, seed=0):
    """Images of bars with the class, and a number that depends on it."""
    return [((label, 1.5 * label - 1), image) for label, image in images(n, seed)]


@pytest.fixture
def two(tmp_path):
    return write_rec(tmp_path / "two.rec", samples(70))


@pytest.fixture
def two_val(tmp_path):
    return write_rec(tmp_path / "two_val.rec", samples(25, seed=1))


def run(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words])
    assert result.exception is None, result.exception
    return result.stdout.splitlines()


def test_a_class_and_a_number_are_learned_and_evaluated(mx, two, two_val, network, tmp_path, api):
    observer = RecordingObserver()
    report = train(plan(two, tmp_path, val=two_val, network=network, api=api, epochs=12, lr=0.02), observer)
    assert "3 classes (bar) and 1 number (size); " in observer.lines[0]
    assert re.search(
        r"val accuracy \d\.\d+ loss \d\.\d+, bar accuracy \d\.\d+, size MAE \S+ RMSE \S+$", observer.lines[1]
    )
    bar, size = report.final.score.heads
    assert report.final.score.accuracy == bar.accuracy == 1.0 and size.mae <= size.rmse < 0.5
    evaluation = evaluate(tmp_path / "lenet", two_val)
    got_bar, got_size = evaluation.metrics.score.heads
    # MXNet's kernels, chosen by processor and memory, may differ in the last digit of an output.
    assert got_bar == bar and (got_size.mae, got_size.rmse) == pytest.approx((size.mae, size.rmse), rel=1e-6)
    assert [matrix.tolist() for matrix in evaluation.metrics.confusion] == [[[9, 0, 0], [0, 8, 0], [0, 0, 8]]]


def test_module_and_gluon_end_with_the_same_parameters(mx, two, network, tmp_path):
    for api in ("module", "gluon"):
        train(plan(two, tmp_path / api, network=network, api=api, epochs=1, lr=0.02))
    first, second = (params(mx, tmp_path / api / "lenet", 1) for api in ("module", "gluon"))
    assert sorted(first) == sorted(second)
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_outputs_are_those_of_mxnets_module(mx, two, two_val, network, tmp_path):
    train(plan(two, tmp_path, network=network, lr=0.02))
    symbol, arg_params, aux_params = mx.model.load_checkpoint(str(tmp_path / "lenet"), 2)
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(two_val), data_shape=(1, 28, 28), batch_size=25, label_width=2, mean_r=128, scale=1 / 256,
        verbose=False,
    )  # fmt: skip
    module = mx.mod.Module(symbol, label_names=["bar_label", "size_label"])
    module.bind([("data", (25, 1, 28, 28))], [("bar_label", (25,)), ("size_label", (25, 1))], for_training=False)
    module.set_params(arg_params, aux_params)
    module.forward(mx.io.DataBatch(batches.next().data), is_train=False)
    bars, sizes, _ = (output.asnumpy() for output in module.get_outputs())
    predictions = list(Predictor(tmp_path / "lenet").predict([two_val]))
    assert [prediction.labels[0] for prediction in predictions] == bars.argmax(axis=1).tolist()
    np.testing.assert_allclose([prediction.labels[1] for prediction in predictions], sizes[:, 0], rtol=1e-5)
    np.testing.assert_allclose([prediction.probabilities[0] for prediction in predictions], bars.max(axis=1), rtol=1e-5)
    assert {prediction.probabilities[1] for prediction in predictions} == {None}
    score = evaluate(tmp_path / "lenet", two_val).metrics.score
    labels = np.array([label for label, _ in samples(25, seed=1)])
    assert score.heads[1].mae == pytest.approx(np.abs(sizes[:, 0] - labels[:, 1]).mean(), rel=1e-5)
    cross_entropy = -np.log(bars[np.arange(25), labels[:, 0].astype(int)]).mean()
    assert score.loss == pytest.approx(cross_entropy + (np.square(sizes[:, 0] - labels[:, 1]) / 2).mean(), rel=1e-5)


def test_a_run_has_figures_and_pictures_of_all_outputs(mx, two, two_val, network, tmp_path):
    pytest.importorskip("matplotlib")
    report = train(plan(two, tmp_path, val=two_val, network=network, lr=0.02, pictures=True))
    files = RunFiles(tmp_path / "lenet")
    (tmp_path / "a.log").write_text("\n".join(epoch_lines(report.epochs[1])))
    assert [*read_curves(tmp_path / "a.log")] == ["accuracy", "loss", "bar-accuracy", "size-mae", "size-rmse"]
    outputs = files.epochs()[1]["val"]["outputs"]
    assert outputs[0] == {
        "name": "bar", "loss": "softmax", "labels": [0], "weight": 1.0, "accuracy": report.epochs[1].val.accuracy,
    }  # fmt: skip
    assert (outputs[1]["labels"], outputs[1]["mae"]) == ([1], report.epochs[1].val.heads[1].mae)
    assert [output["name"] for output in files.summary()["outputs"]] == ["bar", "size"]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        f"lenet-{name}.png" for name in ("confusion", "curves", "predictions", "samples")
    ]


def test_the_commands_show_all_outputs(mx, two, two_val, network, tmp_path):
    two.with_suffix(".json").write_text(json.dumps({"classes": {"high": 0, "middle": 1, "low": 2}}))
    train(plan(two, tmp_path, network=network, epochs=12, lr=0.02))
    lines = run(eval_command, tmp_path / "lenet", two_val)
    assert re.search(r": accuracy 1\.0000 loss \S+, bar accuracy 1\.0000, size MAE \S+ RMSE \S+ \(25 images", lines[0])
    assert lines[2] == "class   images  recall  precision" and lines[3].startswith("high ")
    facts = json.loads(run(eval_command, tmp_path / "lenet", two_val, "--json")[0])
    assert [output["name"] for output in facts["outputs"]] == ["bar", "size"] and len(facts["classes"]) == 1

    columns = run(predict_command, tmp_path / "lenet", two_val)[1].split("\t")
    assert re.fullmatch(r"1 0\.[3-7]\d*", columns[1]) and columns[2] == f"middle {columns[1].split()[1]}"
    assert re.fullmatch(r"[01]\.\d{4}", columns[3]) and columns[4] == "label 1 0.5"
    document = json.loads(run(predict_command, tmp_path / "lenet", two_val, "--json")[1])
    assert document["classes"] == ["middle", None] and document["probabilities"][1] is None
    assert document["labels"][0] == 1 and document["true_labels"] == [1, 0.5]


def test_a_number_alone_is_learned(mx, tmp_path, api):
    pictures = api == "module"  # they take most of the time and do not depend on the API
    if pictures:
        pytest.importorskip("matplotlib")
    rec = write_rec(tmp_path / "one.rec", [(label - 0.5, image) for label, image in images(60)])
    path = tmp_path / "net.py"
    path.write_text(NET.format(end=NUMBER))
    options = {"api": api, "val": rec, "epochs": 15, "lr": 0.02, "pictures": pictures}
    report = train(plan(rec, tmp_path, network=str(path), **options))
    score = report.final.score
    assert score.accuracy is None and score.heads[0].mae < 0.3 and str(score).startswith("loss 0.")
    names = ("curves", "predictions", "samples") if pictures else ()
    assert {path.name for path in tmp_path.glob("*.png")} == {f"lenet-{name}.png" for name in names}
    lines = run(eval_command, tmp_path / "lenet", rec)
    assert len(lines) == 2 and ": loss " in lines[0]
    assert re.fullmatch(r".*\[0\]\t-?\d\S*\tlabel -0\.5", run(predict_command, tmp_path / "lenet", rec)[0])
    result = CliRunner().invoke(eval_command, [str(tmp_path / "lenet"), str(rec), "--min-accuracy", "0.5"])
    assert isinstance(result.exception, PlanError)
    assert str(result.exception).endswith("got numbers alone; leave out min_accuracy")


def test_a_resumed_group_ends_like_an_uninterrupted_one(mx, two, network, tmp_path, api):
    options = {"network": network, "api": api, "lr": 0.02, "checkpoint_every": 1}
    train(plan(two, tmp_path / "whole", epochs=2, **options))
    train(plan(two, tmp_path / "cut", epochs=2, **options))
    for suffix in ("params", "states"):
        (tmp_path / "cut" / f"lenet-0002.{suffix}").unlink()
    train(plan(two, tmp_path / "cut", epochs=2, resume=True, **options))
    whole, cut = (params(mx, tmp_path / name / "lenet", 2) for name in ("whole", "cut"))
    for name, value in whole.items():
        np.testing.assert_array_equal(value, cut[name], err_msg=name)


@pytest.mark.parametrize("trained", [True, False])
def test_a_group_is_drawn(mx, two, network, tmp_path, trained):
    pytest.importorskip("graphviz")
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed; Debian has it as graphviz")
    if trained:
        train(plan(two, tmp_path, network=network, epochs=1))
    run(plot_net, tmp_path / "lenet" if trained else network, "-o", tmp_path / "net.svg")
    text = (tmp_path / "net.svg").read_text()
    assert all(f">{name}<" in text for name in ("bar", "size"))


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_a_network_with_a_second_input_is_no_picture_and_no_run(mx, two, tmp_path, cli):
    net = tmp_path / "net.py"
    sum_of_two = "size + mx.sym.FullyConnected(mx.sym.Variable('more'), num_hidden=1)"
    net.write_text(NET.format(end=f"mx.sym.LinearRegressionOutput({sum_of_two})"))
    code, _, error = cli("plot-net", net, "-o", tmp_path / "net.png")
    assert code == 2 and re.search("expected the input 'data' alone, got more, .* of unknown shape", error)
    with pytest.raises(PlanError, match="network: expected .* to be computed from 'data' alone, got .*more"):
        train(plan(two, tmp_path, network=str(net)))
