"""The survey of a file, and the plan resolved for it."""

import pytest
from training.bars import images, plan, survey_for_mxnet, write_rec

from recordkit.errors import PlanError, TrainError, TruncatedError
from recordkit.training.data.iterators import resolve_iterator
from recordkit.training.data.survey import LabelFacts, survey
from recordkit.training.evaluation import evaluate
from recordkit.training.fit import train
from recordkit.training.optimizer import Optimizer
from recordkit.training.plan import TrainPlan
from recordkit.training.predict import Predictor
from recordkit.training.resolve import resolve
from recordkit.upkeep import verify


def test_the_survey_knows_size_classes_and_border(rec):
    data = survey_for_mxnet(rec)
    assert (len(data), data.labels, data.image_shape) == (70, (LabelFacts(2.0, None, None),), (1, 28, 28))
    assert 0 < data.border < 60


def test_a_gray_image_among_the_first_does_not_make_the_file_gray(tmp_path):
    samples = [*images(1), *images(1, channels=3)]
    assert survey_for_mxnet(write_rec(tmp_path / "mixed.rec", samples)).image_shape == (3, 28, 28)


def test_a_prefix_names_the_file_too(rec):
    assert survey_for_mxnet(rec.with_suffix("")).path == rec


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        ([(0.0, b"")], r"bad\.rec: byte 0: expected an image, got empty bytes"),
        ([(0.0, b"\x93NUMPY\x01\0")], r"bad\.rec: byte 0: expected an image, got npy; run 'recordkit verify"),
        (
            [*images(1), ((0.0, 1.0), b"\xff\xd8\xff")],
            r"bad\.rec: key \d+: expected 1 label as in the first record, got 2",
        ),
        ([(0.0, b"\xff\xd8\xff")], r"bad\.rec: key 0: .*that do not decode.*run 'recordkit verify"),
        ([], r"expected images, got an empty file"),
    ],
)
def test_records_that_cannot_be_trained_on_are_named(tmp_path, samples, error):
    with pytest.raises(TrainError, match=error):
        survey_for_mxnet(write_rec(tmp_path / "bad.rec", samples))


def test_the_survey_says_which_labels_number_no_classes(tmp_path):
    image = next(images(1))[1]
    labels = [(3.0, 1.5), (0.0, float("nan")), (-1.0, float("inf"))]
    data = survey_for_mxnet(write_rec(tmp_path / "two.rec", [(label, image) for label in labels]))
    assert data.labels[0] == LabelFacts(3.0, (2, -1.0), None)
    assert (data.labels[1].highest, data.labels[1].not_class) == (1.5, (0, 1.5))
    assert data.labels[1].not_finite[0] == 1


def test_raw_records_are_refused_before_mxnet_sees_them(tmp_path):
    path = write_rec(tmp_path / "raw.rec", images(2), encoding="raw")
    with pytest.raises(
        TrainError,
        match=r"expected an image that MXNet decodes .*, got raw; give iterator=.recordkit., or pack",
    ):
        survey_for_mxnet(path)


def test_recordkits_iterator_reads_raw_records_too(mx, tmp_path):
    rec = write_rec(tmp_path / "raw.rec", images(30), encoding="raw")
    report = train(plan(rec, tmp_path, val=rec, iterator="recordkit"))
    assert report.final is not None and report.final.score.n == 30


def test_auto_is_recordkits_iterator_if_the_native_engine_is_built(monkeypatch):
    for built, name in ((True, "recordkit"), (False, "mxnet")):
        monkeypatch.setattr("recordkit.native.available", lambda built=built: built)
        assert resolve_iterator("auto") == name
    assert resolve_iterator("mxnet") == "mxnet"


def test_an_unknown_iterator_is_named(rec, tmp_path):
    with pytest.raises(PlanError, match="iterator: expected one of auto, recordkit, mxnet, gluon, got 'dali'"):
        train(plan(rec, tmp_path, iterator="dali"))


def test_a_truncated_file_is_an_error_and_not_an_abort(rec):
    with open(rec, "r+b") as file:
        file.truncate(rec.stat().st_size - 40)
    with pytest.raises(TruncatedError, match=r"train\.rec: byte \d+: expected"):
        survey_for_mxnet(rec)


def test_defaults_make_600_updates_or_5_epochs(rec, tmp_path):
    resolved = resolve(TrainPlan(rec, tmp_path / "m"), survey_for_mxnet(rec))
    assert (resolved.batch_size, resolved.epochs, resolved.checkpoint_every) == (32, 100, 10)
    assert (resolved.shape, resolved.augment.shift) == ((1, 28, 28), 2)


def test_small_images_are_scaled_to_the_net_and_not_shifted(tmp_path):
    data = survey_for_mxnet(write_rec(tmp_path / "small.rec", images(6, side=8)))
    resolved = resolve(TrainPlan(data.path, tmp_path / "m"), data)
    assert (resolved.shape, resolved.augment.shift) == ((1, 28, 28), 0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"schedule": "ste"}, r"schedule: expected one of cosine, one-cycle, step, factor, constant, got 'ste'"),
        (
            {"schedule": "step"},
            r"schedule: expected step_epochs with step, after which the rate falls, got none",
        ),
        ({"step_epochs": (1,)}, r"step_epochs: expected the schedule step with it, got cosine"),
        ({"name": "sdg"}, r"optimizer: expected one of sgd, adam, got 'sdg'"),
        ({"api": "symbol"}, r"api: expected one of module, gluon, got 'symbol'"),
        ({"loss": "hinge"}, r"loss: expected one of softmax, sigmoid, got 'hinge'"),
        ({"network": "lenet"}, r"or a file FILE\.py, got 'lenet'; MXNet's lenet is book"),
        ({"network": "vgg"}, r"network: expected book, four-conv, article, six-conv, or a file FILE\.py, got 'vgg'"),
        ({"shape": (2, 28, 28)}, r"shape: expected 1 or 3 channels and sides of at least 16, got 2,28,28"),
        ({"shape": (1, 28, 15)}, r"shape: expected 1 or 3 channels and sides of at least 16, got 1,28,15"),
    ],
)
def test_options_that_do_not_fit_are_named(rec, tmp_path, options, error):
    with pytest.raises(PlanError, match=error):
        resolve(plan(rec, tmp_path, **options), survey_for_mxnet(rec))


@pytest.mark.parametrize("name", ["lr", "momentum", "wd", "factor"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_numbers_out_of_range_are_refused(name, value):
    with pytest.raises(PlanError, match=f"{name}: expected a number from 0 .*, got"):
        Optimizer(**{name: value})


def test_images_of_different_sizes_need_a_shape(tmp_path):
    rec = tmp_path / "sizes.rec"
    large = [(1.0, image) for _, image in images(2, side=40)]
    data = survey_for_mxnet(write_rec(rec, [*images(2), *large]))
    assert data.sizes == ((28, 28), (40, 40)) and data.side is None
    with pytest.raises(PlanError, match=r"expected images of one size, got 28 x 28 and 40 x 40 .*give shape"):
        resolve(TrainPlan(rec, tmp_path / "m"), data)
    assert resolve(TrainPlan(rec, tmp_path / "m", shape=(1, 28, 28)), data).shape == (1, 28, 28)


def write_faces(path, width=1, n=30):
    """A file of InsightFace's layout: the header, `n` images of 3 identities with `width` labels each, 3 identities."""
    n_each = n // 3
    rows = sorted(images(n), key=lambda row: row[0])
    samples = [((n + 1.0, n + 4.0), b"")]
    samples += [(label if width == 1 else (label,) + (7.5,) * (width - 1), image) for label, image in rows]
    samples += [((1.0 + n_each * identity, 1.0 + n_each * (identity + 1)), b"") for identity in range(3)]
    return write_rec(path, samples)


@pytest.mark.parametrize("width", [1, 2])
def test_a_file_of_insightface_is_trained_and_evaluated_on_its_images_alone(mx, tmp_path, width):
    rec, val = write_faces(tmp_path / "faces.rec", width), write_faces(tmp_path / "val.rec")
    data = survey(rec, iterator="recordkit")
    assert (len(data), data.labels, data.label_width) == (30, (LabelFacts(2.0, None, None),), width)
    report = train(plan(rec, tmp_path, val=val, epochs=4, iterator="recordkit"))
    assert report.final.score.accuracy > 0.9
    assert evaluate(tmp_path / "lenet", rec).metrics.score.n == 30
    predictions = list(Predictor(tmp_path / "lenet").predict([rec]))
    assert [prediction.true_labels for prediction in predictions] == [(n // 10,) for n in range(30)]


@pytest.mark.parametrize("iterator", ["mxnet", "gluon"])
def test_mxnets_iterators_cannot_read_insightfaces_files(tmp_path, iterator):
    rec = write_faces(tmp_path / "faces.rec")
    with pytest.raises(TrainError, match=r"InsightFace's header or identity; give iterator=.recordkit."):
        survey(rec, iterator=iterator)


def test_auto_reads_insightfaces_files_by_recordkits_iterator_without_the_native_engine(rec, tmp_path, no_native):
    faces = write_faces(tmp_path / "faces.rec")
    assert resolve_iterator("auto", rec) == "mxnet"
    assert resolve_iterator("auto", rec, faces) == "recordkit"
    assert resolve_iterator("auto", tmp_path / "missing.rec", None) == "mxnet"


def test_records_without_an_image_are_no_metadata_without_insightfaces_header(tmp_path):
    samples = [*images(2), ((1.0, 2.0), b"")]
    rec = write_rec(tmp_path / "bad.rec", samples)
    with pytest.raises(TrainError, match=r"byte \d+: expected an image, .* no header .* verify") as error:
        survey(rec, iterator="recordkit")
    (problem,) = verify(rec).problems  # the advice of the error helps
    assert problem.offset == error.value.offset
