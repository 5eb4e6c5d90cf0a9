"""Objects say in one line what one would ask; notebooks show pictures of samples and batches, and tables of reports."""

import re

import images
import numpy as np
import pytest

import recordkit as rk
from recordkit.loading.batch import Batch

CROP = [rk.Resize(20), rk.CenterCrop(16)]


@pytest.fixture
def rec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "a.rec", [images.every_format()["jpg"]] * 12)
    return "a.rec"


def one_batch(rec, **options):
    return next(iter(rk.Loader(rec, **{"batch_size": 12, "transforms": CROP, **options})))


def test_a_loader(rec):
    loader = rk.Loader(rec, batch_size=5, transforms=CROP, shuffle=True, threads=2, engine="python")
    samples, engine = "12 samples, shuffled in 3 batches of uint8 (5, 16, 16, 3)", "2 threads of the python engine"
    assert repr(loader) == f"<Loader of {samples}, labels float32: epoch 0, {engine}: a.rec>"
    list(loader)
    assert ": epoch 1," in repr(loader)
    assert "<Loader of 12 samples in 1 batch of float32 (12, 3, 16, 16), labels float32: epoch 0, 1 thread of" in repr(
        rk.Loader(rec, batch_size=12, transforms=[*CROP, rk.Normalize(1, 2)], layout="NCHW", threads=1)
    )


def test_a_batch(rec):
    batch = one_batch(rec, batch_size=5)
    data, label = "data uint8 (5, 16, 16, 3)", "label float32 (5,): 0, 1, 2, 3, 4"
    assert repr(batch) == f"<Batch of 5 samples: {data}, {label}; keys 0, 1, 2, 3, 4>"
    *_, last = rk.Loader(rec, batch_size=7, transforms=CROP, last_batch="pad")
    assert repr(last).startswith("<Batch of 7 samples, 2 of them padding: data")
    assert last._repr_html_().count("(padding)<") == 2


def test_labels_of_any_kind(rec):
    batch = one_batch(rec)
    for label, text in (
        (np.array([[0.5, 1], [2, 3]] * 6, np.float32), "label float32 (12, 2): 0.5, 1, 2, 3, 0.5, 1, ..."),
        ([np.arange(n) for n in range(12)], "label of any number: (none), (0), (0, 1)"),
        (np.array([np.nan] * 12), "label float64 (12,): nan, nan"),
    ):
        shown = Batch(batch.data, label, batch.key, batch.index, 12)
        assert text in repr(shown) and shown._repr_html_().count("<img") == 10


def test_a_sample(rec):
    with rk.RecordDataset(rec) as dataset:
        assert re.fullmatch(r"<Sample: key 3, label 3, jpg of \d+ x \d+ pixels, [\d,]+ bytes>", repr(dataset[3]))
        html = dataset[3]._repr_html_()
    assert html.count("<img") == 1 and "&lt;Sample: key 3" in html


@pytest.mark.parametrize("payload", [b"", b"junk", images.huge_png()])
def test_a_broken_sample(tmp_path, payload):
    with rk.RecordDataset(images.write(tmp_path / "a.rec", [payload])) as dataset:
        assert repr(dataset[0]).startswith("<Sample: key 0") and "<img" not in dataset[0]._repr_html_()


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("steps", [[], [rk.Normalize(128, 64)], [lambda image: image > 7]])
def test_a_notebook_shows_the_images_of_a_batch(rec, layout, channels, steps):
    batch = one_batch(rec, layout=layout, channels=channels, transforms=[*CROP, *steps])
    html = batch._repr_html_()
    assert html.count("<img") == 10 and "and 2 more" in html and "1: 1<" in html
    assert ("black is" in html) == bool(steps)


@pytest.mark.parametrize(
    "data", [np.zeros((12, 7)), np.zeros((12, 3, 4)), np.zeros((0, 4, 4, 3)), np.zeros((2, 9, 9, 9))]
)
def test_a_batch_without_images_is_its_description(data):
    n = len(data)
    batch = Batch(data, np.zeros(n), np.arange(n, dtype=np.uint64), np.arange(n), n)
    assert "<img" not in batch._repr_html_() and "Batch of" in batch._repr_html_()


def test_a_batch_of_numbers_that_are_none(rec):
    batch = one_batch(rec, transforms=[*CROP, lambda image: np.full((16, 16, 3), np.nan)])
    with np.errstate(all="raise"):
        assert batch._repr_html_().count("<img") == 10


def test_an_iterator_of_mxnet(rec):
    batches = rk.ImageRecordIter(path_imgrec=rec, data_shape=(3, 16, 16), batch_size=5, resize=20)
    label = "softmax_label float32 (5,)"
    assert repr(batches) == f"<ImageRecordIter of 12 samples in 3 batches: data float32 (5, 3, 16, 16), {label}: a.rec>"


def test_a_plan_names_what_is_not_the_default():
    assert repr(rk.PackPlan()) == "PackPlan()"
    plan = rk.PackPlan(resize=256, encoding="png", checksums=False)
    assert repr(plan) == "PackPlan(resize=256, encoding='png', checksums=False)"
    assert eval(repr(plan), {"PackPlan": rk.PackPlan}) == plan


def test_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a", "<b>&"):
        (tmp_path / "photos" / name).mkdir()
        (tmp_path / "photos" / name / "1.jpg").write_bytes(images.every_format()["jpg"])
    for n in range(7):
        (tmp_path / "photos" / "<b>&" / f"bad{n}.jpg").write_bytes(b"junk")
    report = rk.pack("photos", "out", plan=rk.PackPlan(on_error="skip"))
    assert re.fullmatch(r"<PackReport: ok, 2 images packed, 7 left out, [\d.]+ s: out.rec>", repr(report))
    html = report._repr_html_()
    assert "<table" in html and "<b>&" not in html and html.count("&lt;b&gt;&amp;/bad") == 5
    assert "out.failed.tsv has all 7 images that were left out" in html


def test_the_first_page():
    text = rk.__doc__
    assert len(text.splitlines()) < 40 and "rk.pack(" in text and "help(rk.Loader)" in text
    for name in set(rk.__all__) - {"__version__"} - set(rk.transforms.__all__):
        assert f"`{name}`" in text
