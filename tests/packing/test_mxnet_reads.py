"""MXNet's readers read the labels, keys and pixels that recordkit packed."""

import numpy as np
import pytest

from recordkit import PackPlan, pack
from recordkit.codec import decode
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.sources import ListSource


def read_with_mxnet(mx, path, **options):
    """Return copies of the label and pixels of each image, because the iterator reuses its arrays."""
    options = {"preprocess_threads": 1, "verbose": False, "batch_size": 1, **options}
    iterator = mx.io.ImageRecordIter(path_imgrec=str(path), **options)
    return [(batch.label[0].asnumpy()[0].copy(), batch.data[0].asnumpy()[0].copy()) for batch in iterator]


def test_mxnet_reads_three_labels_per_record(mx, tiny_folder, tmp_path, engine):
    labels = [(number, number / 4, -number) for number in range(12)]
    names = sorted(str(path.relative_to(tiny_folder)) for path in tiny_folder.rglob("*.jpg"))
    rows = [f"{key}\t{a}\t{b}\t{c}\t{name}\n" for key, ((a, b, c), name) in enumerate(zip(labels, names, strict=True))]
    (tmp_path / "a.lst").write_text("".join(rows))
    pack(ListSource(tmp_path / "a.lst", tiny_folder), tmp_path / "a", engine=engine)
    got = read_with_mxnet(mx, tmp_path / "a.rec", label_width=3, data_shape=(3, 16, 16))
    assert [tuple(label.tolist()) for label, _ in got] == [tuple(map(float, row)) for row in labels]


@pytest.mark.parametrize("encoding", ["png", "jpg"])
def test_mxnet_reads_the_same_pixels_of_gray_digits(mx, tiny_mnist, tmp_path, engine, encoding):
    pack(tiny_mnist, tmp_path / "m", plan=PackPlan(encoding=encoding), engine=engine)
    with RecordReader(tmp_path / "m_train.rec") as reader:
        expected = [decode(irheader.unpack(record)[1], channels=1)[:, :, 0] for record in reader]
    got = [pixels[0] for _, pixels in read_with_mxnet(mx, tmp_path / "m_train.rec", data_shape=(1, 28, 28))]
    assert np.array_equal(np.stack(expected), np.stack(got))


def test_mxnet_reads_every_key_by_the_index(mx, tiny_folder, tmp_path, engine):
    pack(tiny_folder, tmp_path / "a", engine=engine)
    reader = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "r")
    assert sorted(reader.keys) == list(range(12))
    assert all(mx.recordio.unpack(reader.read_idx(key))[0].id == key for key in reader.keys)
    reader.close()
