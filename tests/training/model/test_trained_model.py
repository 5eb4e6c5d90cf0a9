"""Models of plain MXNet: evaluated and predicted as MXNet itself does, with the input that the user states."""

import re
import warnings

import numpy as np
import pytest
from training.bars import images, plan, write_rec

from recordkit import codec
from recordkit.errors import FormatError, NotFoundError, PlanError, TrainError
from recordkit.training.data.normalization import Normalization
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.predict import Predictor

SHAPE = (1, 28, 28)
BOOK = Normalization((128.0,), (1.0,), 1 / 256)


def batches(mx, rec, **options):
    return mx.io.ImageRecordIter(
        path_imgrec=str(rec), data_shape=SHAPE, batch_size=10, preprocess_threads=1, verbose=False, **options
    )


def fit(mx, rec, prefix, **options):
    """Train with ``Module.fit`` and ``do_checkpoint``, as the tutorials do; the accuracy is low on purpose."""
    label = mx.sym.Variable("my_label")
    net = mx.sym.FullyConnected(mx.sym.flatten(mx.sym.Variable("data")), num_hidden=3)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, label), label_names=["my_label"])
    module.fit(
        batches(mx, rec, label_name="my_label", **options),
        num_epoch=2,
        initializer=mx.init.Xavier(rnd_type="gaussian"),
        optimizer_params={"learning_rate": 0.001},
        epoch_end_callback=mx.callback.do_checkpoint(str(prefix)),
    )
    return module


def accuracies(mx, prefix, rec, **options):
    """Return the accuracy of each checkpoint by ``Module.score``."""
    values = []
    for epoch in (1, 2):
        symbol, arg_params, aux_params = mx.model.load_checkpoint(str(prefix), epoch)
        data = batches(mx, rec, label_name="my_label", **options)
        module = mx.mod.Module(symbol, label_names=["my_label"])
        module.bind(data.provide_data, data.provide_label, for_training=False)
        module.set_params(arg_params, aux_params)
        values.append(dict(module.score(data, "acc"))["accuracy"])
    return values


@pytest.fixture
def many(tmp_path):
    """A number of images that batches of 10 divide, because ``Module.score`` counts some images twice otherwise."""
    return write_rec(tmp_path / "many.rec", images(200, seed=3))


def test_a_checkpoint_of_module_fit_has_mxnets_accuracy(mx, rec, many, tmp_path):
    options = {"mean_r": 128, "scale": 1 / 256}
    mx.random.seed(1)
    fit(mx, rec, tmp_path / "plain", **options)
    expected = accuracies(mx, tmp_path / "plain", many, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the normalization is given
        found = [evaluate(tmp_path / "plain", many, epoch=epoch, shape=SHAPE, normalization=BOOK) for epoch in (1, 2)]
    assert [evaluation.metrics.score.accuracy for evaluation in found] == pytest.approx(expected, abs=1e-9)
    assert evaluate(tmp_path / "plain", many, shape=SHAPE, normalization=BOOK).epoch == 2


def test_without_normalization_pixels_are_as_stored_and_a_warning_says_so(mx, rec, many, tmp_path):
    fit(mx, rec, tmp_path / "plain")
    with pytest.warns(
        UserWarning, match="plain: pixels are from 0 to 255, as stored; if the model was trained with ot"
    ):
        evaluation = evaluate(tmp_path / "plain", many, shape=SHAPE)
    expected = accuracies(mx, tmp_path / "plain", many)[1]
    assert evaluation.metrics.score.accuracy == pytest.approx(expected, abs=1e-9)


def export(mx, rec, prefix):
    """Train in Gluon with ToTensor and Normalize, and export; return the network and its transform."""
    gluon = mx.gluon
    net = gluon.nn.HybridSequential()
    net.add(gluon.nn.Dense(3))
    net.initialize(mx.init.Xavier())
    net.hybridize()
    transforms = gluon.data.vision.transforms
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.13, 0.31)])
    data = gluon.data.vision.ImageRecordDataset(str(rec), flag=0).transform_first(transform)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.0005})
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    for pixels, label in gluon.data.DataLoader(data, batch_size=10, shuffle=True):
        with mx.autograd.record():
            losses = loss(net(pixels), label)
        losses.backward()
        trainer.step(10)
    net.export(str(prefix))
    return net, transform


def test_a_model_that_gluon_exported_has_gluons_predictions(mx, rec, many, tmp_path):
    net, transform = export(mx, rec, tmp_path / "exported")
    samples = [(label, image) for label, image in images(200, seed=3)]
    logits = net(mx.nd.stack(*(transform(mx.nd.array(image, dtype="uint8")) for _, image in samples)))
    classes = logits.argmax(axis=1).asnumpy().astype(int)
    options = {"shape": SHAPE, "normalization": Normalization((33.15,), (79.05,), 1.0)}
    evaluation = evaluate(tmp_path / "exported", many, **options)
    expected = (classes == [label for label, _ in samples]).mean()
    assert evaluation.epoch == 0 and 0.1 < expected < 1
    assert evaluation.metrics.score.accuracy == pytest.approx(expected, abs=1e-9)

    files = [tmp_path / f"{number:03}.png" for number in range(12)]
    for file, (_, image) in zip(files, samples, strict=False):
        file.write_bytes(codec.encode(image, "png"))
    predictions = list(Predictor(tmp_path / "exported", **options).predict(files))
    assert [prediction.labels for prediction in predictions] == [(label,) for label in classes[:12]]
    expected = logits.softmax().asnumpy()[:12].max(axis=1)
    np.testing.assert_allclose([prediction.probabilities[0] for prediction in predictions], expected, rtol=1e-4)


def test_the_numbers_of_pixels_from_0_to_1_get_an_advice_that_works(mx, rec, many, tmp_path, cli):
    export(mx, rec, tmp_path / "exported")
    words = ["eval", tmp_path / "exported", many, "--data-shape", "1,28,28"]
    code, _, error = cli(*words, "--mean", "0.13", "--std", "0.31")
    assert code == 2 and "give --mean 33.15, --std 79.05 and --scale 1" in error
    assert cli(*words, "--mean", "33.15", "--std", "79.05", "--scale", "1", "--quiet") == (0, "", "")


def test_what_the_record_says_cannot_be_given_again(mx, rec, tmp_path, cli):
    train(plan(rec, tmp_path, epochs=1))
    code, _, error = cli("eval", tmp_path / "lenet", rec, "--data-shape", "1,28,28")
    assert code == 2 and error.endswith("lenet-run.json has it, got 1,28,28\n")
    code, _, error = cli("predict", tmp_path / "lenet", rec, "--scale", "1")
    assert code == 2 and "expected no --mean, --std or --scale, because" in error and "leave them out" in error


def test_a_plain_model_needs_a_shape_that_fits(mx, rec, tmp_path, cli):
    fit(mx, rec, tmp_path / "plain")
    code, _, error = cli("eval", tmp_path / "plain", rec)
    assert code == 2 and "there is no plain-run.json, got none; give --data-shape, for example 1,28,28" in error
    code, out, error = cli("eval", tmp_path / "plain", rec, "--data-shape", "1,32,32", "--scale", "1", "--json")
    message = r"plain-0002\.params: expected '\w+_weight' of shape \(3, 1024\) for images of \(1, 32, 32\), "
    assert (code, out) == (1, "") and re.search(message + r"got \(3, 784\); give another --data-shape\n$", error)
    code, out, error = cli("eval", tmp_path / "plain", rec, "--data-shape", "28,28,1", "--scale", "1/256")
    assert (code, out) == (2, "") and error == (
        "recordkit: --data-shape: expected 1, 3 or 4 channels, height and width, got 28,28,1; "
        "channels come first: give --data-shape 1,28,28\n"
    )
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(40, 40), num_filter=3)
    net.save(str(tmp_path / "plain-symbol.json"))
    message = (
        r"plain-symbol\.json: expected a network for images of \(1, 28, 28\), got the error .*; give another shape"
    )
    with pytest.raises(TrainError, match=message):
        evaluate(tmp_path / "plain", rec, shape=SHAPE, normalization=BOOK)


def test_the_channels_of_the_first_convolution_are_named(mx, rec, tmp_path):
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(5, 5), num_filter=2, name="conv1")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=3), name="softmax")
    module = mx.mod.Module(net)
    module.bind([("data", (2, 1, 28, 28))], [("softmax_label", (2,))])
    module.init_params()
    module.save_checkpoint(str(tmp_path / "plain"), 0)
    with pytest.raises(TrainError, match="give another shape: 'conv1_weight' is for images of 1 channel$"):
        evaluate(tmp_path / "plain", rec, shape=(3, 28, 28), normalization=BOOK)


def test_missing_and_unsupported_parts_are_named(mx, rec, tmp_path, cli):
    fit(mx, rec, tmp_path / "plain")
    code, _, error = cli("eval", tmp_path / "plain", rec, "--data-shape", "1,28,28", "--load-epoch", 7)
    assert code == 1 and error.endswith("plain-0007.params: expected a checkpoint, got nothing of that name; "
                                        "give as --load-epoch one of 1, 2\n")  # fmt: skip
    (tmp_path / "plain-0001.params").unlink()
    with pytest.raises(NotFoundError, match="; give epoch=2, the only one$"):
        Predictor(tmp_path / "plain", epoch=7, shape=SHAPE, normalization=BOOK)
    loss = mx.sym.MakeLoss(mx.sym.flatten(mx.sym.Variable("data")), name="mine")
    loss.save(str(tmp_path / "plain-symbol.json"))
    with pytest.raises(
        PlanError, match=r"plain-symbol\.json: expected output layers SoftmaxOutput, .* MakeLoss 'mine'"
    ):
        Predictor(tmp_path / "plain", shape=SHAPE, normalization=BOOK)
    mx.sym.flatten(mx.sym.Variable("pixels")).save(str(tmp_path / "plain-symbol.json"))
    with pytest.raises(TrainError, match=r"plain-symbol\.json: expected an input called 'data', got none"):
        Predictor(tmp_path / "plain", shape=SHAPE, normalization=BOOK)
    (tmp_path / "plain-symbol.json").write_text("{}")
    with pytest.raises(FormatError, match=r"plain-symbol\.json"):
        Predictor(tmp_path / "plain", shape=SHAPE)
    (tmp_path / "plain-symbol.json").unlink()
    with pytest.raises(NotFoundError, match=r"plain-symbol\.json: expected the network, which MXNet writes beside"):
        Predictor(tmp_path / "plain", shape=SHAPE)


def test_parameters_of_another_network_are_refused(mx, rec, tmp_path):
    fit(mx, rec, tmp_path / "plain")
    export(mx, rec, tmp_path / "plain")  # replaces the network; its parameters have the epoch 0
    evaluate(tmp_path / "plain", rec, epoch=0, shape=SHAPE, normalization=BOOK)
    message = r"plain-0002\.params: expected the parameter '\w+_weight' of plain-symbol\.json, got none; do both files"
    with pytest.raises(TrainError, match=message):
        Predictor(tmp_path / "plain", shape=SHAPE, normalization=BOOK)


def test_one_number_for_a_whole_batch_is_no_prediction(mx, rec, tmp_path):
    fit(mx, rec, tmp_path / "plain")
    mx.sym.mean(mx.sym.Variable("data")).save(str(tmp_path / "plain-symbol.json"))
    message = r"expected a row of numbers for each image from mean '\w+', got the shape \(1,\) for 2 images"
    with pytest.raises(PlanError, match=message):
        evaluate(tmp_path / "plain", rec, shape=SHAPE, normalization=BOOK)


@pytest.mark.parametrize("has_names", [True, False])
def test_the_file_of_save_parameters_is_told_from_a_checkpoint(mx, tmp_path, has_names):
    array = mx.nd.ones((1,))
    mx.sym.Variable("data").save(str(tmp_path / "saved-symbol.json"))
    mx.nd.save(str(tmp_path / "saved-0000.params"), {"dense_weight": array} if has_names else [array])
    with pytest.raises(FormatError, match=r"saved-0000\.params: expected names that begin with arg: .* in Gluon"):
        Predictor(tmp_path / "saved", shape=SHAPE)


def test_a_network_that_replaced_that_of_a_run_does_not_get_its_normalization(mx, rec, tmp_path, cli):
    train(plan(rec, tmp_path, epochs=1))
    export(mx, rec, tmp_path / "lenet")
    words = ["eval", tmp_path / "lenet", rec, "--load-epoch", "0"]
    code, _, error = cli(*words)
    advice = f"if it is another program's, remove {tmp_path / 'lenet-run.json'} and state the input of the model"
    assert code == 1 and error.endswith(f"got another one; {advice}\n")
    (tmp_path / "lenet-run.json").unlink()
    assert cli(*words, "--data-shape", "1,28,28", "--mean", "33.15", "--std", "79.05", "--quiet")[0] == 0
