"""`recordkit.dataset.parts`: parts of a dataset for other processes."""

import pickle

import numpy as np
import pytest

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import ClosedPart, FileRange, file_ranges, part_of
from recordkit.errors import FormatError, NotFoundError, PlanError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack


def write(prefix, labels, keys=None):
    """Write PREFIX.rec and PREFIX.idx."""
    keys = range(len(labels)) if keys is None else keys
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [
            writer.write(pack(IRHeader(label, key), b"image" * (1 + key % 5)))
            for key, label in zip(keys, labels, strict=True)
        ]
    prefix.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))


@pytest.fixture
def three_files(tmp_path):
    """Shards of 3, 0 and 4 samples with keys 0 to 6, opened by a pattern."""
    for name, keys in (("s_0", range(3)), ("s_1", range(0)), ("s_2", range(3, 7))):
        write(tmp_path / name, list(map(float, keys)), keys)
    with RecordDataset(tmp_path / "s_*.rec") as dataset:
        yield dataset


def test_file_ranges_have_the_files_in_order(three_files):
    sizes = [path.stat().st_size for path in three_files.files]
    assert file_ranges(three_files) == [FileRange(0, 3, sizes[0]), FileRange(3, 3, 0), FileRange(3, 7, sizes[2])]


def test_part_of_a_file_equals_a_slice(three_files):
    for begin, end in ((0, 3), (0, 2), (1, 3), (3, 7), (4, 6)):
        part, expected = part_of(three_files, begin, end), three_files[begin:end]
        copy = pickle.loads(pickle.dumps(part))
        for dataset in (part, copy):
            assert [(s.key, s.label, bytes(s.payload)) for s in dataset[range(end - begin)]] == [
                (s.key, s.label, bytes(s.payload)) for s in expected[range(end - begin)]
            ]
            assert dataset.keys.tolist() == expected.keys.tolist()
            assert dataset.by_key(int(expected.keys[-1])).label == expected[-1].label
            indices = np.arange(end - begin)
            for name in ("offsets", "ends"):
                got, wanted = getattr(dataset.records_at(indices), name), getattr(expected.records_at(indices), name)
                assert got.tolist() == wanted.tolist()
            assert len(dataset.files) == 1
        copy.close()


def test_part_is_pickled_without_the_other_samples(tmp_path):
    write(tmp_path / "many", [0.0] * 5000, range(7, 5007))
    with RecordDataset(tmp_path / "many.rec") as dataset:
        assert len(pickle.dumps(part_of(dataset, 100, 110))) < 3000 < len(pickle.dumps(dataset[100:110]))


def test_part_of_another_file_is_refused_when_it_is_unpickled(tmp_path):
    write(tmp_path / "a", [1.0, 2.0, 3.0])
    with RecordDataset(tmp_path / "a.rec") as dataset:
        pickled = pickle.dumps(part_of(dataset, 1, 3))
    write(tmp_path / "a", [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(FormatError, match="that was pickled"):
        pickle.loads(pickled)


@pytest.mark.parametrize(("begin", "end"), [(2, 4), (0, 8), (3, 3), (-1, 2)])
def test_part_must_be_in_one_file(three_files, begin, end):
    with pytest.raises(PlanError, match=f"got {begin} to {end}"):
        part_of(three_files, begin, end)


def test_subset_has_no_parts(three_files):
    with pytest.raises(PlanError, match="take the part of the whole dataset"):
        part_of(three_files[1:], 0, 1)


def test_closed_part_is_opened_where_it_is_unpickled(three_files, tmp_path):
    part = ClosedPart(three_files, 4, 6)
    assert part.open().keys.tolist() == [4, 5]
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(part))))
    with copy.open() as dataset:
        assert [(sample.key, sample.label) for sample in dataset[[0, 1]]] == [(4, 4.0), (5, 5.0)]
    (tmp_path / "s_2.rec").unlink()
    with pytest.raises(NotFoundError, match=r"s_2\.rec"):
        copy.open()
