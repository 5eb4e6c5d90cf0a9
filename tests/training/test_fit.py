"""The trainer on tiny images: by both APIs, from each iterator."""

import re

import pytest
from training.bars import Listener, assert_same, images, params, plan, write_rec

from recordkit import codec
from recordkit.errors import FormatError, ImageError, PlanError, TrainError
from recordkit.training import fit
from recordkit.training.augment import AUGMENTS
from recordkit.training.checkpoint import Checkpoints
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.predict import Predictor


def test_three_bars_are_learnt(mx, rec, val, tmp_path, iterator, api):
    listener = Listener()
    report = train(plan(rec, tmp_path, iterator=iterator, api=api, val=val, epochs=4), listener)
    assert report.final is not None
    assert (report.final.score.accuracy, report.final.score.n, report.checkpoint) == (1.0, 25, 4)
    assert report.final.confusion[0].tolist() == [[9, 0, 0], [0, 8, 0], [0, 0, 8]]
    assert all(0 < each.wait_share < 1 and each.seconds > 0 for each in report.epochs)
    assert listener.seen == 4 * 70
    assert all(
        re.search(r"train accuracy \d\.\d+ loss \d\.\d+ \(70 images, \d+ img/s\)", line) for line in listener.lines[1:]
    )
    assert all(re.search(r"val accuracy \d\.\d+ loss \d\.\d+", line) for line in listener.lines[1:])


def test_the_same_seed_gives_the_same_parameters_and_another_does_not(mx, rec, tmp_path, iterator):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        train(plan(rec, tmp_path / name, iterator=iterator, seed=seed))
    first, same, other = (params(mx, tmp_path / name / "lenet", 2) for name in "abc")
    assert_same(first, same)
    assert (first["arg:conv1_weight"] != other["arg:conv1_weight"]).any()


@pytest.mark.parametrize("options", [{}, {"network": "six-conv", "name": "adam", "lr": 0.002}], ids=["sgd", "adam"])
def test_a_resumed_run_ends_like_one_that_was_not_cut_off(mx, rec, tmp_path, monkeypatch, iterator, api, options):
    options = {"iterator": iterator, "api": api, "epochs": 4, "checkpoint_every": 1, **options}
    train(plan(rec, tmp_path / "whole", **options))
    learn = fit._Run._learn

    def dies_in_epoch_3(run, module, epoch):
        score = learn(run, module, epoch)
        if epoch == 3:
            raise KeyboardInterrupt
        return score

    monkeypatch.setattr(fit._Run, "_learn", dies_in_epoch_3)
    cut = plan(rec, tmp_path / "cut", **options)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    assert Checkpoints(cut.output).epochs() == [1, 2]
    monkeypatch.undo()
    report = train(plan(rec, tmp_path / "cut", **options, resume=True))
    assert [each.epoch for each in report.epochs] == [3, 4]
    assert_same(params(mx, tmp_path / "whole" / "lenet", 4), params(mx, tmp_path / "cut" / "lenet", 4))


def test_a_resumed_run_keeps_its_number_of_epochs_or_says_the_other(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=3, checkpoint_every=1))
    for suffix in ("params", "states"):
        (tmp_path / f"lenet-0003.{suffix}").unlink()
    listener = Listener()
    report = train(plan(rec, tmp_path, epochs=None, resume=True), listener)
    assert [each.epoch for each in report.epochs] == [3] and "epochs 3 to 3" in listener.lines[0]
    train(plan(rec, tmp_path, epochs=5, resume=True), listener)
    assert any(line.endswith("begun with 3 epochs, goes on with 5 and the learning rate's schedule for so many")
               for line in listener.lines)  # fmt: skip
    assert Checkpoints(tmp_path / "lenet").describe().epochs == 5


def test_an_epoch_is_reported_before_its_checkpoint_counts(mx, rec, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", killed)
    listener = Listener()
    with pytest.raises(KeyboardInterrupt):
        train(plan(rec, tmp_path), listener)
    assert listener.lines[-1].startswith("epoch 1: train accuracy")


def test_resuming_with_other_options_is_refused(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(
        TrainError, match=r"lenet-run\.json: to go on with this run, expected seed 0, got 1; give the same"
    ):
        train(plan(rec, tmp_path, seed=1, resume=True))


def test_resuming_nothing_is_refused(mx, rec, tmp_path):
    with pytest.raises(TrainError, match=r"expected a checkpoint such as lenet-0001\.params, got none"):
        train(plan(rec, tmp_path, resume=True))


def test_a_damaged_state_is_refused(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").states(1).write_bytes(b"junk")
    with pytest.raises(TrainError, match=r"lenet-0001\.states: expected the optimizer's state"):
        train(plan(rec, tmp_path, resume=True))


def test_measuring_on_val_changes_nothing(mx, rec, val, tmp_path):
    train(plan(rec, tmp_path / "with", val=val))
    train(plan(rec, tmp_path / "without"))
    assert_same(params(mx, tmp_path / "with" / "lenet", 2), params(mx, tmp_path / "without" / "lenet", 2))


def test_the_result_is_the_last_checkpoint_on_disk(mx, rec, val, tmp_path, monkeypatch):
    save = Checkpoints.save

    def save_zeros(self, mx, model, states, epoch):
        save(self, mx, model, states, epoch)
        stored = mx.nd.load(str(self.params(epoch)))
        mx.nd.save(str(self.params(epoch)), {name: value * 0 for name, value in stored.items()})

    monkeypatch.setattr(Checkpoints, "save", save_zeros)
    report = train(plan(rec, tmp_path, val=val, epochs=4))
    assert report.epochs[-1].val is not None and report.epochs[-1].val.accuracy == 1.0
    # With all parameters 0 every image is taken for class 0: 9 of 25.
    assert report.final is not None and report.final.score.accuracy == 9 / 25


def test_a_new_run_leaves_no_checkpoint_of_the_old_one(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=3, checkpoint_every=1))
    train(plan(rec, tmp_path, epochs=1))
    assert Checkpoints(tmp_path / "lenet").epochs() == [1]


def test_a_loss_that_is_no_number_stops_the_run(mx, rec, tmp_path):
    with pytest.raises(
        TrainError, match=r"epoch 1: expected a finite loss, got NaN .*lower --lr; no checkpoint was written"
    ):
        train(plan(rec, tmp_path, lr=1e18, schedule="constant"))
    assert Checkpoints(tmp_path / "lenet").epochs() == []


def test_parameters_that_are_no_numbers_are_not_saved(mx, rec, tmp_path, monkeypatch):
    learn = fit._Run._learn

    def spoiled(run, learner, epoch):
        found = learn(run, learner, epoch)
        net, arg_params, aux_params = learner.model()
        arg_params = {**arg_params, "fc2_bias": arg_params["fc2_bias"] * float("nan")}
        monkeypatch.setattr(learner, "model", lambda: (net, arg_params, aux_params))
        return found

    monkeypatch.setattr(fit._Run, "_learn", spoiled)
    with pytest.raises(TrainError, match=r"epoch 1: expected finite parameters, got NaN in fc2_bias; lower --lr"):
        train(plan(rec, tmp_path, epochs=1))
    assert Checkpoints(tmp_path / "lenet").epochs() == []


def test_a_model_of_another_program_is_not_resumed(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").run.unlink()
    with pytest.raises(TrainError, match=r"lenet: expected lenet-run\.json, got none; train again without --resume"):
        train(plan(rec, tmp_path, resume=True))


def test_a_finished_run_has_nothing_to_resume(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    listener = Listener()
    assert train(plan(rec, tmp_path, epochs=1, resume=True), listener).epochs == ()
    assert "all 1 epochs are done" in listener.lines[0]


def test_labels_that_only_val_has_are_refused(mx, rec, tmp_path):
    val = write_rec(tmp_path / "val.rec", [(5.0, image) for _, image in images(2)])
    with pytest.raises(TrainError, match=r"val\.rec: expected labels below the model's 3 classes, got 5"):
        train(plan(rec, tmp_path, val=val))


def test_an_earlier_run_goes_only_when_the_next_has_begun(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(PlanError, match="--iterator gluon: expected crops, mirrors and shifts alone"):
        train(plan(rec, tmp_path, iterator="gluon", augment=AUGMENTS["book"]))
    assert Checkpoints(tmp_path / "lenet").epochs() == [1]


def test_an_image_that_cannot_be_measured_on_is_found_before_anything_is_learnt(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    samples = [*images(20), (1.0, codec.encode(next(images(1))[1], "png")[:60])]
    val, listener = write_rec(tmp_path / "val.rec", samples), Listener()
    with pytest.raises(ImageError, match=r"val\.rec"):
        train(plan(rec, tmp_path, val=val), listener)
    assert Checkpoints(tmp_path / "lenet").epochs() == [1] and listener.lines == []


def test_images_of_another_kind_to_measure_on_are_said(mx, rec, tmp_path):
    val, listener = write_rec(tmp_path / "val.rec", images(20, side=32, channels=3)), Listener()
    train(plan(rec, tmp_path, val=val, epochs=1), listener)
    assert listener.lines[0] == (
        f"warning: {val}: the short side of its images has 32 pixels, of those that were learnt from 28; "
        "pack it with --resize 28 for the same"
    )
    with pytest.warns(UserWarning, match="the short side of its images has 32 pixels, of those that were learnt from"):
        evaluate(tmp_path / "lenet", val)


@pytest.mark.parametrize("n_labels", [1, 3])
def test_several_labels_of_0_or_1(mx, tmp_path, api, n_labels):
    pytest.importorskip("matplotlib")
    samples = []
    for label, image in images(60):
        wanted = tuple(float(label == number) for number in range(n_labels))
        samples.append((wanted if n_labels > 1 else wanted[0], image))
    rec = write_rec(tmp_path / "flags.rec", samples)
    report = train(plan(rec, tmp_path, api=api, val=rec, epochs=10, loss="sigmoid", pictures=True))
    assert report.final.score.accuracy > 0.9
    found = evaluate(tmp_path / "lenet", rec)
    assert len(found.measured.confusion) == n_labels and found.classes == ("0", "1")
    (one,) = list(Predictor(tmp_path / "lenet").predict([rec]))[:1]
    assert len(one.labels) == n_labels and all(0.5 <= share <= 1 for share in one.probabilities)


def test_colour_images_and_fewer_than_a_batch_are_fine(mx, tmp_path, iterator):
    rec = write_rec(tmp_path / "train.rec", images(12, channels=3, side=32), encoding="jpg")
    report = train(plan(rec, tmp_path, iterator=iterator, val=rec, epochs=1, batch_size=64))
    assert (report.fitted.shape, report.fitted.batch_size) == ((3, 32, 32), 12)
    assert report.final is not None and report.final.score.n == 12


def test_evaluate_reads_any_checkpoint(mx, rec, val, tmp_path):
    report = train(plan(rec, tmp_path, val=val, checkpoint_every=1))
    assert evaluate(tmp_path / "lenet", val).epoch == 2
    for epoch in (1, 2):
        score = evaluate(tmp_path / "lenet", val, epoch=epoch).measured.score
        expected = report.epochs[epoch - 1].val
        assert expected is not None
        assert (score.accuracy, score.n) == (expected.accuracy, 25)
        assert score.loss == pytest.approx(expected.loss, rel=1e-4)


def test_a_damaged_checkpoint_is_named(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").params(1).write_bytes(b"junk" * 10)
    with pytest.raises(FormatError, match=r"lenet-0001\.params: expected a checkpoint"):
        evaluate(tmp_path / "lenet", rec)


def test_a_damaged_network_is_named(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    symbol = Checkpoints(tmp_path / "lenet").symbol
    text = symbol.read_text()
    for damaged in (text[:999], text.replace("Convolution", "Nonsense"), "{}"):
        symbol.write_text(damaged)
        with pytest.raises(FormatError, match=r"lenet-symbol\.json: expected a network as MXNet saves it, got \S"):
            evaluate(tmp_path / "lenet", rec)
    symbol.write_text(text.replace('"data"', '"pixels"'))
    with pytest.raises(TrainError, match="model: expected an input called 'data'"):
        evaluate(tmp_path / "lenet", rec)


def test_a_checkpoint_that_does_not_exist_is_a_missing_file(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(FileNotFoundError, match=r"lenet-0009\.params"):
        evaluate(tmp_path / "lenet", rec, epoch=9)
