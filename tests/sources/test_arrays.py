"""Images and labels in memory are packed without files."""

import numpy as np
import pytest

import recordkit as rk
from recordkit import codec
from recordkit.errors import FormatError, PlanError, SourceError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(6, 9, 7), (6, 9, 7, 1), (6, 9, 7, 3), (6, 9, 7, 4)])
@pytest.mark.parametrize("as_pair", [tuple, list])
def test_pixels_and_labels_come_back(tmp_path, engine, shape, as_pair):
    images, labels = RNG.integers(0, 256, shape, np.uint8), [5, 4, 3, 2, 1, 0]
    report = rk.pack(as_pair([images, labels]), tmp_path / "a", engine=engine)
    with rk.RecordDataset(tmp_path / "a") as dataset:
        assert report.ok and dataset.labels.tolist() == labels and dataset.keys.tolist() == list(range(6))
        decoded = np.stack([codec.decode(sample.payload, channels="keep") for sample in dataset[range(6)]])
    assert np.array_equal(decoded, images.reshape(decoded.shape))


def test_several_labels_and_a_plan(tmp_path):
    images = RNG.integers(0, 256, (8, 9, 7), np.uint8)
    plan = rk.PackPlan(val_ratio=0.5, encoding="raw")
    report = rk.pack((images, np.arange(16).reshape(8, 2)), tmp_path / "a", plan=plan)
    assert report.warnings == ()  # those about the labels of QMNIST are for files
    with rk.RecordDataset([tmp_path / "a_train.rec", tmp_path / "a_val.rec"]) as dataset:
        assert sorted(dataset.labels.tolist()) == [[2 * n, 2 * n + 1] for n in range(8)]


def test_a_mapping_makes_a_set_for_each_name(tmp_path):
    pairs = {name: (RNG.integers(0, 256, (n, 9, 7), np.uint8), np.arange(n)) for name, n in (("train", 3), ("test", 2))}
    report = rk.pack(pairs, tmp_path / "a")
    assert [(each.prefix.name, each.n_packed) for each in report.sets] == [("a_train", 3), ("a_test", 2)]


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ((np.zeros((2, 9, 7), np.uint8),), PlanError, r"source: expected a pair \(images, labels\), got 1 item"),
        (
            (np.zeros((2, 9, 7)), [1, 2]),
            FormatError,
            r"uint8 of shape \(n, H, W\) .*, got float64 of shape \(2, 9, 7\); pixels from",
        ),
        (
            (np.zeros((2, 9), np.uint8), [1, 2]),
            FormatError,
            r"images: expected images, .*, got uint8 of shape \(2, 9\)$",
        ),
        ((np.zeros((2, 3, 9, 7), np.uint8), [1, 2]), FormatError, r"come last: images\.transpose\(0, 2, 3, 1\)$"),
        ((np.zeros((2, 9, 7), np.uint8), [0.5, 1]), FormatError, "labels: expected labels, whole .*, got float64"),
        ((np.zeros((2, 9, 7), np.uint8), [1]), SourceError, "images: expected as many labels as images, got 1 label"),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, error, message):
    with pytest.raises(error, match=message):
        rk.pack(arrays, tmp_path / "a")
    assert not list(tmp_path.iterdir())
