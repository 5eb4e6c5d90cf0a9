"""`recordkit.cluster.write`: a Ray dataset of images becomes shards."""

import numpy as np
import pytest
from conftest import gradient

import recordkit as rk
import recordkit.cluster
from recordkit.codec import decode, encode
from recordkit.errors import PublishError, SourceError

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def photos(n, first=0):
    return [encode(gradient(20 + number % 7, 30), "jpg") for number in range(first, first + n)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".rec", ".idx", ".lst")}


def rows_of(prefix):
    with rk.RecordDataset(prefix) as dataset:
        return [(sample.key, sample.label, bytes(sample.payload)) for sample in dataset[range(len(dataset))]]


def test_shards_depend_on_rows_and_not_on_blocks(ray, tmp_path):
    images = photos(10)
    rows = pa.table({"image": images, "label": [n % 3 for n in range(10)], "class": [f"c{n % 3}" for n in range(10)]})
    for name, n_blocks in (("one", 1), ("four", 4)):
        (tmp_path / name).mkdir()
        dataset = ray.data.from_arrow(rows).repartition(n_blocks)
        report = rk.cluster.write(dataset, tmp_path / name / "out", plan=rk.PackPlan(shards=3))
        assert report.ok
        assert [set_report.n_packed for set_report in report.sets] == [4, 4, 2]
    assert contents(tmp_path / "one") == contents(tmp_path / "four")
    assert rows_of(tmp_path / "one" / "out") == [(n, n % 3, images[n]) for n in range(10)]
    with rk.RecordDataset(tmp_path / "one" / "out") as dataset:
        assert dataset.classes == {"c0": 0, "c1": 1, "c2": 2}


def test_dataset_that_was_read_is_written_the_same(ray, tmp_path, tiny_folder):
    rk.pack(tiny_folder, tmp_path / "pets", plan=rk.PackPlan(shards=2))
    dataset = rk.cluster.read(tmp_path / "pets.manifest.json", classes=True)
    (tmp_path / "copy").mkdir()
    rk.cluster.write(dataset, tmp_path / "copy" / "pets", plan=rk.PackPlan(shards=2))
    for number in range(2):
        name = f"pets_{number}.rec"
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / name).read_bytes()
    with rk.RecordDataset(tmp_path / "copy" / "pets") as copy, rk.RecordDataset(tmp_path / "pets") as original:
        assert copy.classes == original.classes


@pytest.mark.parametrize("shapes", [[(6, 5, 3)] * 4, [(6, 5)] * 4, [(6 + n, 5, 3) for n in range(4)]])
def test_arrays_are_encoded(ray, tmp_path, shapes):
    arrays = [np.random.default_rng(n).integers(0, 256, shape, np.uint8) for n, shape in enumerate(shapes)]
    dataset = ray.data.from_items([{"image": array, "label": n / 2} for n, array in enumerate(arrays)])
    rk.cluster.write(dataset, tmp_path / "out", plan=rk.PackPlan(encoding="png"))
    channels = 1 if len(shapes[0]) == 2 else 3
    got = [(label, decode(payload, channels=channels)) for _, label, payload in rows_of(tmp_path / "out")]
    for n, (label, image) in enumerate(got):
        assert label == n / 2
        assert np.array_equal(image, arrays[n].reshape(image.shape))


def test_keys_and_several_labels_are_kept(ray, tmp_path):
    images = photos(3)
    labels = pa.array([[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]], pa.list_(pa.float32()))
    rows = pa.table({"key": pa.array([2**64 - 1, 5, 7], pa.uint64()), "label": labels, "image": images})
    rk.cluster.write(ray.data.from_arrow(rows), tmp_path / "out")
    with rk.RecordDataset(tmp_path / "out") as dataset:
        assert dataset.keys.tolist() == [2**64 - 1, 5, 7]
        assert dataset.ragged_labels()[0].tolist() == [1, 2, 3, 4, 5, 6]


def test_second_call_writes_only_missing_shards(ray, tmp_path):
    dataset = ray.data.from_arrow(pa.table({"image": photos(6), "label": [0] * 6}))
    rk.cluster.write(dataset, tmp_path / "out", plan=rk.PackPlan(shards=3))
    expected = contents(tmp_path)
    (tmp_path / "out_1.json").unlink()
    (tmp_path / "out.manifest.json").unlink()
    report = rk.cluster.write(dataset, tmp_path / "out", plan=rk.PackPlan(shards=3))
    assert report.n_reused == 2
    assert contents(tmp_path) == expected


def test_other_images_of_the_same_keys_are_refused(ray, tmp_path):
    plan = rk.PackPlan(shards=2)
    rk.cluster.write(ray.data.from_arrow(pa.table({"image": photos(4), "label": [0] * 4})), tmp_path / "out", plan=plan)
    other = ray.data.from_arrow(pa.table({"image": photos(4, first=1), "label": [0] * 4}))
    with pytest.raises(PublishError, match="content"):
        rk.cluster.write(other, tmp_path / "out", plan=plan)


def test_bad_image_is_counted_and_named(ray, tmp_path):
    good = photos(2)
    dataset = ray.data.from_arrow(pa.table({"image": [good[0], None, b"nothing", good[1]], "label": [0, 1, 2, 3]}))
    report = rk.cluster.write(dataset, tmp_path / "out")
    assert not report.ok
    assert [(failure.key, failure.name) for failure in report.sets[0].failures] == [(1, "row 1"), (2, "row 2")]
    assert [row[0] for row in rows_of(tmp_path / "out")] == [0, 3]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"image": [b"a"]}, "expected a column 'label', got image"),
        ({"label": [1]}, "expected a column 'image', got label"),
        ({"image": [b"a"], "label": ["cat"]}, "expected numbers as the column 'label'"),
        ({"image": [b"a"], "label": [1], "key": [0.5]}, "expected whole numbers from 0 on as the column 'key'"),
        ({"image": [b"a", b"b"], "label": [1, 1], "key": [7, 7]}, "key 7: expected each number once"),
        ({"image": [b"a", b"b"], "label": [1, 2], "class": ["cat", "cat"]}, "one whole label for the class 'cat'"),
    ],
)
def test_columns_of_another_kind_are_refused(ray, tmp_path, columns, text):
    with pytest.raises(SourceError, match=text):
        rk.cluster.write(ray.data.from_arrow(pa.table(columns)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_dataset_without_rows_is_refused(ray, tmp_path):
    rows = pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())})
    with pytest.raises(SourceError, match="no rows"):
        rk.cluster.write(ray.data.from_arrow(rows), tmp_path / "out")
