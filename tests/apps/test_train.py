"""The trainer on tiny images: three classes of 28 x 28, made here."""

import json
import re
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner

from recordkit import codec
from recordkit.apps.cli.eval import command as eval_command
from recordkit.apps.cli.train import command as train_command
from recordkit.apps.train import checkpoint as checkpoint_module
from recordkit.apps.train import fit
from recordkit.apps.train.checkpoint import Checkpoints, write_whole
from recordkit.apps.train.feed import ITERATORS, Shuffle, choose, make_feed
from recordkit.apps.train.fit import train
from recordkit.apps.train.measure import Score, evaluate, gate
from recordkit.apps.train.plan import TrainPlan
from recordkit.apps.train.survey import survey
from recordkit.errors import FormatError, ImageError, PlanError, PublishError, TrainError, TruncatedError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack

N_CLASSES = 3


@pytest.fixture(params=["recordkit", "mxnet"])
def iterator(request):
    """Whose ImageRecordIter."""
    return request.param


def looked(path):
    return survey(path, iterator="mxnet")


def images(n, seed=0, side=28, channels=1):
    """Noisy bars: the class is the third of the image that is bright."""
    rng = np.random.default_rng(seed)
    for label in np.arange(n) % N_CLASSES:
        image = rng.integers(0, 60, (side, side, channels), dtype=np.uint8)
        begin = label * side // N_CLASSES
        image[begin + 2 : begin + side // N_CLASSES] += 150
        yield float(label), image


def write_rec(path, samples, encoding="png"):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        offsets = []
        for key, (label, image) in enumerate(samples):
            payload = image if isinstance(image, bytes) else codec.encode(image, encoding)
            offsets.append(writer.write(pack(IRHeader(label, key), payload)))
    path.with_suffix(".idx").write_bytes(idx.lines(range(len(offsets)), offsets))
    return path


@pytest.fixture
def rec(tmp_path):
    return write_rec(tmp_path / "train.rec", images(70))


@pytest.fixture
def val(tmp_path):
    return write_rec(tmp_path / "val.rec", images(25, seed=1))


def plan(rec, folder, **options):
    return TrainPlan(rec, folder / "lenet", **{"epochs": 2, "batch_size": 16, **options})


def params(mx, prefix, epoch):
    loaded = mx.nd.load(str(Checkpoints(prefix).params(epoch)))
    return {name: value.asnumpy() for name, value in loaded.items()}


def assert_same(one, other):
    assert sorted(one) == sorted(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


class Listener(fit.Nobody):
    def __init__(self):
        self.lines = []
        self.seen = 0

    def say(self, line):
        self.lines.append(line)

    def advance(self, n_images):
        self.seen += n_images


# --- looking the file through, without MXNet ---


def test_the_survey_knows_size_classes_and_border(rec):
    data = looked(rec)
    assert (len(data), data.max_label, data.image_shape) == (70, 2, (1, 28, 28))
    assert 0 < data.border < 60


def test_a_gray_image_among_the_first_does_not_make_the_file_gray(tmp_path):
    samples = [*images(1), *images(1, channels=3)]
    assert looked(write_rec(tmp_path / "mixed.rec", samples)).image_shape == (3, 28, 28)


def test_a_prefix_names_the_file_too(rec):
    assert looked(rec.with_suffix("")).path == rec


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        ([(0.0, b"")], r"record 0 \(byte 0\): MXNet decodes jpg, png, bmp, got empty"),
        ([((0.0, 1.0), b"\xff\xd8\xff")], r"record 0 \(byte 0\): expected one label, got 2"),
        ([(0.5, b"\xff\xd8\xff")], r"expected a class number as label, got 0\.5; number the classes from 0"),
        ([(-1.0, b"\xff\xd8\xff")], r"expected a class number as label, got -1;"),
        ([(float("nan"), b"\xff\xd8\xff")], r"expected a class number as label, got nan;"),
        ([(float("inf"), b"\xff\xd8\xff")], r"expected a class number as label, got inf;"),
        ([(0.0, b"\xff\xd8\xff")], r"that do not decode.*run 'recordkit verify"),
        ([], r"expected images, got an empty file"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(tmp_path, samples, error):
    with pytest.raises(TrainError, match=error):
        looked(write_rec(tmp_path / "bad.rec", samples))


def test_raw_records_are_refused_before_mxnet_sees_them(tmp_path):
    path = write_rec(tmp_path / "raw.rec", images(2), encoding="raw")
    with pytest.raises(TrainError, match=r"MXNet decodes jpg, png, bmp, got raw; give --iterator recordkit, or pack"):
        looked(path)


def test_recordkits_iterator_learns_from_raw_records_too(mx, tmp_path):
    rec = write_rec(tmp_path / "raw.rec", images(30), encoding="raw")
    report = train(plan(rec, tmp_path, val=rec, iterator="recordkit"))
    assert report.final is not None and report.final.n == 30


def test_auto_is_recordkits_iterator_where_the_core_is_built(monkeypatch):
    for built, name in ((True, "recordkit"), (False, "mxnet")):
        monkeypatch.setattr("recordkit.native.available", lambda built=built: built)
        assert choose("auto") == name
    assert choose("mxnet") == "mxnet"


def test_both_iterators_give_the_same_pixels_where_nothing_is_random(mx, rec):
    feeds = [
        make_feed(mx, looked(rec), iterator=name, shape=(1, 24, 24), batch_size=16, threads=2) for name in ITERATORS[1:]
    ]
    for (one, n), (other, m) in zip(*(feed.epoch() for feed in feeds), strict=True):
        assert n == m
        np.testing.assert_array_equal(one.data[0].asnumpy(), other.data[0].asnumpy())
        np.testing.assert_array_equal(one.label[0].asnumpy(), other.label[0].asnumpy())


def test_an_unknown_iterator_is_named(rec, tmp_path):
    with pytest.raises(PlanError, match="iterator: expected one of auto, recordkit, mxnet, got 'gluon'"):
        train(plan(rec, tmp_path, iterator="gluon"))


def test_a_truncated_file_is_an_error_and_not_an_abort(rec):
    with open(rec, "r+b") as file:
        file.truncate(rec.stat().st_size - 40)
    with pytest.raises(TruncatedError, match=r"train\.rec: byte \d+: expected"):
        looked(rec)


def test_defaults_make_600_updates_or_5_epochs(rec, tmp_path):
    fitted = TrainPlan(rec, tmp_path / "m").fitted(looked(rec))
    assert (fitted.batch_size, fitted.epochs, fitted.checkpoint_every) == (32, 100, 10)
    assert (fitted.shape, fitted.n_classes, fitted.shift) == ((1, 28, 28), 3, 2)


def test_small_images_are_scaled_to_the_net_and_not_shifted(tmp_path):
    data = looked(write_rec(tmp_path / "small.rec", images(6, side=8)))
    fitted = TrainPlan(data.path, tmp_path / "m").fitted(data)
    assert (fitted.shape, fitted.shift) == ((1, 28, 28), 0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"n_classes": 2}, r"expected labels below 2, got 2; give --num-classes 3"),
        ({"schedule": "step"}, r"expected a schedule of cosine or constant, got 'step'"),
        ({"shape": (2, 28, 28)}, r"expected 1 or 3 channels and sides of at least 16, got 2,28,28"),
        ({"shape": (1, 28, 15)}, r"expected 1 or 3 channels and sides of at least 16, got 1,28,15"),
    ],
)
def test_options_that_do_not_fit_are_named(rec, tmp_path, options, error):
    with pytest.raises(PlanError, match=error):
        plan(rec, tmp_path, **options).fitted(looked(rec))


def test_the_gate_compares_at_least():
    gate(Score(0.99, 0.1, 100, 1.0), 0.99, "m on v")
    with pytest.raises(TrainError, match=r"m on v: expected an accuracy of at least 0\.99, got 0\.9800;"):
        gate(Score(0.98, 0.1, 100, 1.0), 0.99, "m on v")


# --- the feed ---


def test_every_image_counts_once_in_each_epoch(mx, tmp_path, iterator):
    # The label is the position, so that order and number can be seen.
    path = write_rec(tmp_path / "train.rec", [(float(i), image) for i, (_, image) in enumerate(images(37))])
    data = looked(path)

    def epoch(feed, shuffle=None):
        return [int(label) for batch, n in feed.epoch(shuffle) for label in batch.label[0].asnumpy()[:n]]

    feed = make_feed(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=2)
    orders = [epoch(feed, Shuffle(0, number, 2)) for number in (1, 2, 1)]
    assert epoch(feed) == epoch(feed) == list(range(37))
    assert all(sorted(order) == list(range(37)) for order in orders)
    assert orders[0] == orders[2] != orders[1]


def test_shifts_are_the_same_for_the_same_epoch_and_differ_in_others(mx, rec, iterator):
    def pixels(feed, epoch, shift=2):
        return np.concatenate([batch.data[0].asnumpy() for batch, _ in feed.epoch(Shuffle(3, epoch, shift))])

    feed = make_feed(mx, looked(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=2)
    first = pixels(feed, 1)
    np.testing.assert_array_equal(first, pixels(feed, 1))
    assert (first != pixels(feed, 1, shift=0)).mean() > 0.5
    assert (first != pixels(feed, 2)).mean() > 0.5


def test_pixels_are_centred_and_scaled(mx, rec, iterator):
    label, image = next(images(1))
    feed = make_feed(mx, looked(rec), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    batch, _ = next(feed.epoch())
    np.testing.assert_array_equal(batch.data[0].asnumpy()[0, 0], (image[:, :, 0].astype(np.float32) - 128) / 256)
    assert label == batch.label[0].asnumpy()[0]


def test_a_name_with_mxnets_own_syntax_is_only_a_name(mx, rec, tmp_path, iterator):
    odd = rec.rename(tmp_path / "a;b#c?d.rec")
    rec.with_suffix(".idx").rename(tmp_path / "a;b#c?d.idx")
    feed = make_feed(mx, looked(odd), iterator=iterator, shape=(1, 28, 28), batch_size=16, threads=1)
    assert sum(n for _, n in feed.epoch()) == 70


def test_an_image_that_does_not_decode_is_one_line(mx, tmp_path, iterator):
    samples = [*images(30), (0.0, b"\x89PNG\r\n\x1a\n" + bytes(80))]
    data = looked(write_rec(tmp_path / "train.rec", samples))
    feed = make_feed(mx, data, iterator=iterator, shape=(1, 28, 28), batch_size=8, threads=1)
    said = {"mxnet": "MXNet cannot decode an image \\(.*run 'recordkit verify", "recordkit": "key 30: "}[iterator]
    with pytest.raises((TrainError, ImageError), match=rf"train\.rec: {said}") as info:
        list(feed.epoch())
    assert "\n" not in str(info.value)


# --- the loop ---


def test_three_bars_are_learnt(mx, rec, val, tmp_path, iterator):
    listener = Listener()
    report = train(plan(rec, tmp_path, iterator=iterator, val=val, epochs=4), listener)
    assert report.final is not None
    assert (report.final.accuracy, report.final.n, report.checkpoint) == (1.0, 25, 4)
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


def test_a_resumed_run_ends_like_one_that_was_not_cut_off(mx, rec, tmp_path, monkeypatch, iterator):
    train(plan(rec, tmp_path / "whole", iterator=iterator, epochs=4, checkpoint_every=1))
    learn = fit._Run._learn

    def dies_in_epoch_3(run, module, epoch):
        score = learn(run, module, epoch)
        if epoch == 3:
            raise KeyboardInterrupt
        return score

    monkeypatch.setattr(fit._Run, "_learn", dies_in_epoch_3)
    cut = plan(rec, tmp_path / "cut", iterator=iterator, epochs=4, checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    assert Checkpoints(cut.output).epochs() == [1, 2]
    monkeypatch.undo()
    report = train(plan(rec, tmp_path / "cut", iterator=iterator, epochs=4, checkpoint_every=1, resume=True))
    assert [each.epoch for each in report.epochs] == [3, 4]
    assert_same(params(mx, tmp_path / "whole" / "lenet", 4), params(mx, tmp_path / "cut" / "lenet", 4))


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

    def save_zeros(self, module, epoch):
        save(self, module, epoch)
        stored = mx.nd.load(str(self.params(epoch)))
        mx.nd.save(str(self.params(epoch)), {name: value * 0 for name, value in stored.items()})

    monkeypatch.setattr(Checkpoints, "save", save_zeros)
    report = train(plan(rec, tmp_path, val=val, epochs=4))
    assert report.epochs[-1].val is not None and report.epochs[-1].val.accuracy == 1.0
    # With all parameters 0 every image is taken for class 0: 9 of 25.
    assert report.final is not None and report.final.accuracy == 9 / 25


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

    def spoiled(run, module, epoch):
        score = learn(run, module, epoch)
        arg_params, aux_params = module.get_params()
        module.set_params({**arg_params, "fc2_bias": arg_params["fc2_bias"] * float("nan")}, aux_params)
        return score

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
    with pytest.raises(TrainError, match=r"val\.rec: expected labels below 3 as in .*train\.rec, got 5"):
        train(plan(rec, tmp_path, val=val))


def test_colour_images_and_fewer_than_a_batch_are_fine(mx, tmp_path, iterator):
    rec = write_rec(tmp_path / "train.rec", images(12, channels=3, side=32), encoding="jpg")
    report = train(plan(rec, tmp_path, iterator=iterator, val=rec, epochs=1, batch_size=64))
    assert (report.plan.shape, report.plan.batch_size) == ((3, 32, 32), 12)
    assert report.final is not None and report.final.n == 12


def test_evaluate_reads_any_checkpoint(mx, rec, val, tmp_path):
    report = train(plan(rec, tmp_path, val=val, checkpoint_every=1))
    assert evaluate(tmp_path / "lenet", val)[0] == 2
    for epoch in (1, 2):
        score = evaluate(tmp_path / "lenet", val, epoch=epoch)[1]
        expected = report.epochs[epoch - 1].val
        assert expected is not None
        assert (score.accuracy, score.n) == (expected.accuracy, 25)
        assert score.loss == pytest.approx(expected.loss, rel=1e-4)


def test_a_damaged_checkpoint_is_named(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    Checkpoints(tmp_path / "lenet").params(1).write_bytes(b"junk" * 10)
    with pytest.raises(FormatError, match=r"lenet-0001\.params: expected a checkpoint"):
        evaluate(tmp_path / "lenet", rec)


def test_a_checkpoint_that_does_not_exist_is_a_missing_file(mx, rec, tmp_path):
    train(plan(rec, tmp_path, epochs=1))
    with pytest.raises(FileNotFoundError, match=r"lenet-0009\.params"):
        evaluate(tmp_path / "lenet", rec, epoch=9)


# --- checkpoint files, without MXNet ---


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "m" / "lenet-0001.params"
    write_whole(target, lambda path: path.write_bytes(b"old"))

    def full_disk(path):
        path.write_bytes(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(PublishError, match=r"lenet-0001\.params: No space left on device"):
        write_whole(target, full_disk)
    assert target.read_bytes() == b"old"


def test_the_states_are_there_before_the_params(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(checkpoint_module, "write_whole", lambda path, _write: written.append(path.suffix))
    Checkpoints(tmp_path / "lenet").save(None, 1)
    assert written == [".states", ".params"]


def test_checkpoints_of_other_programs_are_not_removed(tmp_path):
    (tmp_path / "lenet-0001.params").touch()
    with pytest.raises(TrainError, match=r"got checkpoints without lenet-run\.json; choose another --output"):
        Checkpoints(tmp_path / "lenet").clear()
    assert (tmp_path / "lenet-0001.params").exists()


def test_clearing_removes_what_a_killed_run_left_and_nothing_else(tmp_path):
    ours = [
        ".lenet-0002.params.tmp",
        "lenet-0001.params",
        "lenet-0001.states",
        "lenet-run.json",
        "lenet-symbol.json",
    ]
    others = ["lenet.log", "lenet-5-0001.params", "lenet-00001.params"]
    for name in ours + others:
        (tmp_path / name).touch()
    assert Checkpoints(tmp_path / "lenet").clear() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


# --- the commands ---


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_train_logs_loss_and_passes_its_gate(mx, rec, val, tmp_path):
    output = tmp_path / "m" / "lenet"
    result = run(
        train_command,
        rec,
        "--val",
        val,
        "--epochs",
        4,
        "--batch-size",
        16,
        "--output",
        output,
        "--min-accuracy",
        1,
    )
    assert result.exit_code == 0, result.output
    log = (tmp_path / "m" / "lenet.log").read_text()
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d epoch 4: train accuracy .* loss .* img/s\), val accuracy", log, re.M
    )
    assert "epoch 4: train accuracy" in result.output
    assert "lenet-0004.params on" in result.output

    result = run(eval_command, output, val, "--json")
    assert json.loads(result.output)["accuracy"] == 1.0


def test_train_says_what_it_did_as_json(mx, rec, val, tmp_path):
    result = run(train_command, rec, "--val", val, "--epochs", 1, "--output", tmp_path / "lenet", "--json")
    summary = json.loads(result.stdout)
    assert summary["final"]["n"] == 25
    assert [epoch["epoch"] for epoch in summary["epochs"]] == [1]
    assert summary["passed"] is None


def test_a_failed_gate_exits_1_with_one_line(mx, rec, tmp_path):
    wrong = write_rec(tmp_path / "wrong.rec", [((label + 1) % 3, image) for label, image in images(9)])
    arguments = [rec, "--val", wrong, "--epochs", "2", "--output", tmp_path / "lenet", "--min-accuracy", "0.9999"]
    run = subprocess.run(
        [sys.executable, "-m", "recordkit", "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert re.fullmatch(r"recordkit: .*wrong\.rec: expected an accuracy of at least 0\.9999, got .*\n", run.stderr)


def test_a_gate_without_val_is_the_command_lines_fault(rec):
    result = run(train_command, rec, "--min-accuracy", 0.9)
    assert isinstance(result.exception, PlanError)
    assert str(result.exception) == "--min-accuracy: expected a file to measure on, got none; give --val"


def test_a_malformed_shape_is_the_command_lines_fault(rec):
    result = run(train_command, rec, "--data-shape", "28x28")
    assert result.exit_code == 2
    assert "expected C,H,W as in 1,28,28, got '28x28'" in result.output


def test_ctrl_c_says_how_to_go_on(mx, rec, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fit._Run, "_learn", interrupted)
    with pytest.raises(click.Abort):
        train_command.main([str(rec), "--output", str(tmp_path / "lenet")], standalone_mode=False)
    assert "go on with --resume" in (tmp_path / "lenet.log").read_text()
