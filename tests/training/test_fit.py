"""Training on tiny images, with both APIs and each iterator."""

import itertools
import re

import pytest
from training.bars import APIS, ITERATORS, RecordingObserver, assert_same, images, params, plan, write_rec

from recordkit import codec
from recordkit.errors import FormatError, ImageError, PlanError, PublishError, TrainError
from recordkit.training import fit
from recordkit.training.augment import AUGMENTS
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.predict import Predictor
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.writer import RunWriter


def test_a_network_learns_three_bars(mx, rec, val, tmp_path, iterator, api):
    observer = RecordingObserver()
    report = train(plan(rec, tmp_path, iterator=iterator, api=api, val=val, epochs=4), observer)
    assert report.final is not None
    assert (report.final.score.accuracy, report.final.score.n, report.checkpoint) == (1.0, 25, 4)
    assert report.final.confusion[0].tolist() == [[9, 0, 0], [0, 8, 0], [0, 0, 8]]
    assert all(0 < epoch.wait_share < 1 and epoch.duration_s > 0 for epoch in report.epochs)
    assert observer.n_images == 4 * 70
    assert all(
        re.search(r"train accuracy \d\.\d+ loss \d\.\d+ \(70 images, \d+ img/s\)", line) for line in observer.lines[1:]
    )
    assert all(re.search(r"val accuracy \d\.\d+ loss \d\.\d+", line) for line in observer.lines[1:])


def test_the_same_seed_gives_the_same_parameters_and_another_does_not(mx, rec, tmp_path, iterator):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        train(plan(rec, tmp_path / name, iterator=iterator, seed=seed))
    first, same_seed, other_seed = (params(mx, tmp_path / name / "lenet", 2) for name in "abc")
    assert_same(first, same_seed)
    assert (first["arg:conv1_weight"] != other_seed["arg:conv1_weight"]).any()


def test_the_file_may_be_named_by_its_prefix(mx, rec, tmp_path):
    train(plan(rec.with_suffix(""), tmp_path / "model", epochs=1))
    assert Checkpoints(plan(rec, tmp_path / "model").model_prefix).epochs() == [1]


class SecondRun(RecordingObserver):
    """Starts another run at the same prefix after each epoch."""

    def __init__(self, plan):
        super().__init__()
        self.plan, self.errors = plan, []

    def report(self, report):
        with pytest.raises(PublishError) as caught:
            train(self.plan)
        self.errors.append(str(caught.value))


def test_a_second_run_at_a_prefix_is_refused_and_the_first_stays_whole(mx, rec, tmp_path):
    train(plan(rec, tmp_path / "alone"))
    observer = SecondRun(plan(rec, tmp_path / "model", seed=5))
    report = train(plan(rec, tmp_path / "model"), observer)
    assert report.checkpoint == 2 and len(observer.errors) == 2
    assert all("writing to this prefix: a training run, process" in error for error in observer.errors)
    assert_same(params(mx, tmp_path / "model/lenet", 2), params(mx, tmp_path / "alone/lenet", 2))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == sorted(
        path.name for path in (tmp_path / "alone").iterdir()
    )


SGD, ADAM = {}, {"network": "six-conv", "name": "adam", "lr": 0.002}


@pytest.mark.parametrize(
    ("iterator", "api", "options"),
    [
        # The state of an optimizer does not depend on the iterator, so the slow pairs run with bin/test --all only.
        pytest.param(iterator, api, options, id=f"{iterator}-{api}-{name}", marks=[pytest.mark.slow] if slow else [])
        for iterator, api, (name, options) in itertools.product(ITERATORS, APIS, (("sgd", SGD), ("adam", ADAM)))
        for slow in [iterator != "recordkit" and (options is ADAM or iterator == api)]
    ],
)
def test_a_resumed_run_ends_like_an_uninterrupted_one(mx, rec, tmp_path, monkeypatch, iterator, api, options):
    options = {"iterator": iterator, "api": api, "epochs": 3, "checkpoint_every": 1, **options}
    train(plan(rec, tmp_path / "whole", **options))
    update = fit._Run._update

    def dies_in_epoch_2(run, trainer, epoch):
        result = update(run, trainer, epoch)
        if epoch == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(fit._Run, "_update", dies_in_epoch_2)
    cut = plan(rec, tmp_path / "cut", **options)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    assert Checkpoints(cut.model_prefix).epochs() == [1]
    monkeypatch.undo()
    report = train(plan(rec, tmp_path / "cut", **options, resume=True))
    assert [epoch.epoch for epoch in report.epochs] == [2, 3]
    assert_same(params(mx, tmp_path / "whole" / "lenet", 3), params(mx, tmp_path / "cut" / "lenet", 3))


def test_a_resumed_run_keeps_its_number_of_epochs_or_logs_the_new_one(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=3, checkpoint_every=1))
    for suffix in ("params", "states"):
        (tmp_path / f"lenet-0003.{suffix}").unlink()
    observer = RecordingObserver()
    report = train(plan(rec, tmp_path, epochs=None, resume=True), observer)
    assert [epoch.epoch for epoch in report.epochs] == [3] and "epochs 3 to 3" in observer.lines[0]
    train(plan(rec, tmp_path, epochs=5, resume=True), observer)
    assert any(line.endswith("begun with 3 epochs, continues with 5; the learning rate follows the schedule of 5")
               for line in observer.lines)  # fmt: skip
    assert Checkpoints(tmp_path / "lenet").run_record().epochs == 5


def test_an_epoch_is_reported_before_its_checkpoint_counts(mx, rec, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunWriter, "save", killed)
    observer = RecordingObserver()
    with pytest.raises(KeyboardInterrupt):
        train(plan(rec, tmp_path), observer)
    assert observer.lines[-1].startswith("epoch 1: train accuracy")


def test_resuming_with_other_options_is_refused(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(
        TrainError, match=r"lenet-run\.json: expected seed 0 to continue this run, got 1; give the same"
    ):
        train(plan(rec, tmp_path, seed=1, resume=True))


def test_resume_without_a_checkpoint_is_refused(mx, rec, tmp_path):
    with pytest.raises(TrainError, match=r"expected a checkpoint such as lenet-0001\.params, got none"):
        train(plan(rec, tmp_path, resume=True))


def test_a_damaged_state_is_refused(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").states_path(1).write_bytes(b"junk")
    with pytest.raises(TrainError, match=r"lenet-0001\.states: expected the optimizer's state"):
        train(plan(rec, tmp_path, resume=True))


def test_validation_changes_no_parameter(mx, rec, val, tmp_path):
    train(plan(rec, tmp_path / "with", val=val))
    train(plan(rec, tmp_path / "without"))
    assert_same(params(mx, tmp_path / "with" / "lenet", 2), params(mx, tmp_path / "without" / "lenet", 2))


def test_the_result_is_the_last_checkpoint_on_disk(mx, rec, val, tmp_path, monkeypatch):
    save = RunWriter.save

    def save_zeros(self, mx, model, states, epoch):
        save(self, mx, model, states, epoch)
        params = str(Checkpoints(tmp_path / "lenet").params_path(epoch))
        mx.nd.save(params, {name: value * 0 for name, value in mx.nd.load(params).items()})

    monkeypatch.setattr(RunWriter, "save", save_zeros)
    report = train(plan(rec, tmp_path, val=val, epochs=4))
    assert report.epochs[-1].val is not None and report.epochs[-1].val.accuracy == 1.0
    # With all parameters 0 every prediction is class 0, which 9 of 25 images have.
    assert report.final is not None and report.final.score.accuracy == 9 / 25


def test_a_new_run_leaves_no_checkpoint_of_the_old_one(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=3, checkpoint_every=1))
    train(plan(rec, tmp_path, epochs=1))
    assert Checkpoints(tmp_path / "lenet").epochs() == [1]


def test_a_loss_that_is_not_finite_stops_the_run(mx, rec, tmp_path):
    with pytest.raises(
        TrainError, match=r"epoch 1: expected a finite loss, got NaN .*lower lr; no checkpoint was written"
    ):
        train(plan(rec, tmp_path, lr=1e18, schedule="constant"))
    assert Checkpoints(tmp_path / "lenet").epochs() == []


def test_a_diverged_number_gets_the_advice_of_a_smaller_weight(mx, rec, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "import mxnet as mx\ndef get_symbol(num_classes):\n    net = mx.sym.flatten(mx.sym.Variable('data'))\n"
        "    net = mx.sym.FullyConnected(net, num_hidden=1)\n"
        "    return mx.sym.LinearRegressionOutput(net, name='size')\n"
    )
    with pytest.raises(TrainError, match="; lower lr, or give 'size' a smaller grad_scale; no checkpoint"):
        train(plan(rec, tmp_path, network=str(path), lr=1e18, schedule="constant"))


def test_what_mxnet_says_when_it_binds_is_one_line(mx, rec, tmp_path, monkeypatch):
    def fail(*_):
        raise mx.base.MXNetError("simple_bind error. Arguments:\ndata: (2,)\nMXNetError: no memory\nTraceback")

    monkeypatch.setitem(fit.TRAINERS, "module", fail)
    with pytest.raises(PlanError, match="^network: expected a network that MXNet can train, got .*'MXNetError: no mem"):
        train(plan(rec, tmp_path))


def test_parameters_that_are_not_finite_are_not_saved(mx, rec, tmp_path, monkeypatch):
    update = fit._Run._update

    def spoiled(run, trainer, epoch):
        result = update(run, trainer, epoch)
        network, arg_params, aux_params = trainer.model()
        arg_params = {**arg_params, "fc2_bias": arg_params["fc2_bias"] * float("nan")}
        monkeypatch.setattr(trainer, "model", lambda: (network, arg_params, aux_params))
        return result

    monkeypatch.setattr(fit._Run, "_update", spoiled)
    with pytest.raises(TrainError, match=r"epoch 1: expected finite parameters, got NaN in fc2_bias; lower lr"):
        train(plan(rec, tmp_path, epochs=1))
    assert Checkpoints(tmp_path / "lenet").epochs() == []


def test_a_model_of_another_program_is_not_resumed(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").run_path.unlink()
    with pytest.raises(
        TrainError, match=r"lenet-run\.json: expected the record of a run, got none; train again without resume"
    ):
        train(plan(rec, tmp_path, resume=True))


def test_a_finished_run_has_nothing_to_resume(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    observer = RecordingObserver()
    assert train(plan(rec, tmp_path, epochs=1, resume=True), observer).epochs == ()
    assert "all 1 epoch is done" in observer.lines[0]


def test_labels_that_only_val_has_are_refused(mx, rec, tmp_path):
    val = write_rec(tmp_path / "val.rec", [(5.0, image) for _, image in images(2)])
    with pytest.raises(TrainError, match=r"val\.rec: expected labels below the model's 3 classes, got 5"):
        train(plan(rec, tmp_path, val=val))


def test_an_earlier_run_is_removed_only_when_the_next_can_begin(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(PlanError, match="iterator: expected crops, mirrors and shifts alone with gluon"):
        train(plan(rec, tmp_path, iterator="gluon", augment=AUGMENTS["book"]))
    assert Checkpoints(tmp_path / "lenet").epochs() == [1]


def test_a_bad_validation_image_is_reported_before_the_first_update(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    samples = [*images(20), (1.0, codec.encode(next(images(1))[1], "png")[:60])]
    val, observer = write_rec(tmp_path / "val.rec", samples), RecordingObserver()
    with pytest.raises(ImageError, match=r"val\.rec"):
        train(plan(rec, tmp_path, val=val), observer)
    assert Checkpoints(tmp_path / "lenet").epochs() == [1] and observer.lines == []


def test_a_validation_file_with_another_size_gives_a_warning(mx, rec, tmp_path):
    val, observer = write_rec(tmp_path / "val.rec", images(20, side=32, channels=3)), RecordingObserver()
    train(plan(rec, tmp_path, val=val, epochs=1), observer)
    assert observer.lines[0] == (
        f"warning: {val}: expected images with a short side of 28 pixels, as in training, got 32; "
        "pack the file with a resize to 28"
    )
    with pytest.warns(UserWarning, match="expected images with a short side of 28 pixels, as in training, got 32"):
        evaluate(tmp_path / "lenet", val)


@pytest.mark.parametrize("n_labels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_labels_of_0_or_1_are_learned_with_sigmoid(mx, tmp_path, api, n_labels):
    pictures = api == "module"  # they take most of the time and do not depend on the API
    if pictures:
        pytest.importorskip("matplotlib")
    samples = []
    for label, image in images(60):
        labels = tuple(float(label == number) for number in range(n_labels))
        samples.append((labels if n_labels > 1 else labels[0], image))
    rec = write_rec(tmp_path / "flags.rec", samples)
    report = train(plan(rec, tmp_path, api=api, val=rec, epochs=10, loss="sigmoid", pictures=pictures))
    assert report.final.score.accuracy > 0.9
    evaluation = evaluate(tmp_path / "lenet", rec)
    assert len(evaluation.metrics.confusion) == n_labels and evaluation.class_names == ("0", "1")
    (prediction,) = list(Predictor(tmp_path / "lenet").predict([rec]))[:1]
    assert len(prediction.labels) == n_labels and all(0.5 <= share <= 1 for share in prediction.probabilities)


def test_color_images_fewer_than_a_batch_can_be_trained_on(mx, tmp_path, iterator):
    rec = write_rec(tmp_path / "train.rec", images(12, channels=3, side=32), encoding="jpg")
    report = train(plan(rec, tmp_path, iterator=iterator, val=rec, epochs=1, batch_size=64))
    assert (report.resolved.shape, report.resolved.batch_size) == ((3, 32, 32), 12)
    assert report.final is not None and report.final.score.n == 12


def test_evaluate_reads_any_checkpoint(mx, rec, val, tmp_path):
    report = train(plan(rec, tmp_path, val=val, checkpoint_every=1))
    assert evaluate(tmp_path / "lenet", val).epoch == 2
    for epoch in (1, 2):
        score = evaluate(tmp_path / "lenet", val, epoch=epoch).metrics.score
        expected = report.epochs[epoch - 1].val
        assert expected is not None
        assert (score.accuracy, score.n) == (expected.accuracy, 25)
        assert score.loss == pytest.approx(expected.loss, rel=1e-4)


def test_a_damaged_checkpoint_is_named(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").params_path(1).write_bytes(b"junk" * 10)
    with pytest.raises(FormatError, match=r"lenet-0001\.params: expected a checkpoint"):
        evaluate(tmp_path / "lenet", rec)


def test_a_damaged_network_is_named(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    symbol = Checkpoints(tmp_path / "lenet").symbol_path
    text = symbol.read_text()
    for damaged in (text[:999], text.replace("Convolution", "Nonsense"), "{}"):
        symbol.write_text(damaged)
        with pytest.raises(FormatError, match=r"lenet-symbol\.json: expected a network as MXNet saves it, got \S"):
            evaluate(tmp_path / "lenet", rec)
    symbol.write_text(text.replace('"data"', '"pixels"'))
    with pytest.raises(TrainError, match=r"lenet-symbol\.json: expected the network that recordkit train wrote"):
        evaluate(tmp_path / "lenet", rec)


def test_a_checkpoint_that_does_not_exist_is_a_missing_file(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    message = r"lenet-0009\.params: expected a checkpoint, got nothing of that name; give epoch=1, the only one$"
    with pytest.raises(FileNotFoundError, match=message):
        evaluate(tmp_path / "lenet", rec, epoch=9)
