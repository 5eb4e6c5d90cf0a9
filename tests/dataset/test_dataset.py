"""`RecordDataset`: samples by index and by key, their labels, and sharing by threads and processes."""

import json
import multiprocessing
import os
import pickle
import shutil
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import every_format, exif, picture, pixels, save

import recordkit
from recordkit.codec import encode
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.sample import Sample
from recordkit.errors import FormatError, ImageError, NotFoundError, PlanError, TruncatedError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack


@pytest.fixture(params=["core", "no core"], autouse=True)
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def write(prefix, labels, keys=None):
    """Write PREFIX.rec and PREFIX.idx with payloads that contain their keys; return the offsets."""
    keys = range(len(labels)) if keys is None else keys
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [
            writer.write(pack(IRHeader(label, key), payload(key))) for key, label in zip(keys, labels, strict=True)
        ]
    prefix.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))
    return offsets


def payload(key):
    return b"image" * (key % 5) + str(key).encode() + b"\n#\xd7\xce" * (key % 3)


@pytest.fixture
def ten(tmp_path):
    """Ten samples, keys 100 to 109, label a tenth of the key."""
    write(tmp_path / "ten", [key / 10 for key in range(100, 110)], range(100, 110))
    with RecordDataset(tmp_path / "ten.rec") as dataset:
        yield dataset


@pytest.fixture
def three_files(tmp_path):
    """Shards of 3, 0 and 4 samples with keys 0 to 6, opened by a pattern."""
    for name, keys in (("s_0", range(3)), ("s_1", range(0)), ("s_2", range(3, 7))):
        write(tmp_path / name, list(map(float, keys)), keys)
    with RecordDataset(tmp_path / "s_*.rec") as dataset:
        yield dataset


def keys_of(samples):
    return [sample.key for sample in samples]


def test_a_sample_is_key_label_and_payload(ten):
    sample = ten[3]
    assert (sample.key, sample.label, bytes(sample.payload)) == (103, float(np.float32(10.3)), payload(103))
    assert type(sample.key) is int and type(sample.label) is float


def test_the_image_of_a_sample_is_its_pixels_upright_with_one_channel_if_gray():
    for channels, want in ((1, (24, 33, 1)), (3, (24, 33, 3)), (4, (24, 33, 3))):
        stored = pixels(channels=channels)
        image = Sample(0, 0.0, memoryview(encode(stored, "png"))).image
        assert image.shape == want and (image == stored[:, :, :3]).all()
    assert Sample(0, 0.0, memoryview(save(picture(pixels()), "JPEG", exif=exif(6)))).image.shape == (33, 24, 3)


def test_the_image_of_a_damaged_sample_is_an_error_with_its_key():
    for content in (b"none", every_format()["png"][:60]):
        with pytest.raises(ImageError, match="^key 7: expected an image, got"):
            _ = Sample(7, 0.0, memoryview(content)).image


@pytest.mark.parametrize("index", [9, -1, np.int32(9), np.uint8(9), np.array(9)])
def test_an_index_is_any_whole_number(ten, index):
    assert ten[index].key == 109


@pytest.mark.parametrize("index", [10, -11, np.int64(10), [0, 10], [-11], np.array([0, 10])])
def test_an_index_out_of_range_is_refused(ten, index):
    with pytest.raises(IndexError, match=r"expected (an index|indices) from -10 to 9, got -?1[01]; by_key"):
        ten[index]


@pytest.mark.parametrize("index", [1.5, "1", [0.5], [[0]], [True, False], None])
def test_other_types_of_index_are_refused(ten, index):
    with pytest.raises(IndexError, match="expected indices as a list of whole numbers, got"):
        ten[index]


def test_several_samples_come_in_the_order_of_their_indices(ten):
    samples = ten[[7, 0, -1, 7]]
    assert keys_of(samples) == [107, 100, 109, 107]
    assert [bytes(sample.payload) for sample in samples] == [payload(key) for key in keys_of(samples)]
    assert keys_of(ten[np.array([2, 1])]) == [102, 101] and ten[[]] == []


def test_iterating_gives_every_sample(ten):
    assert keys_of(ten) == list(range(100, 110))


def test_slices_and_masks_are_datasets_that_share_the_files(ten):
    assert keys_of(ten[2:8:3]) == [102, 105] and ten[::-1][0].key == 109
    odd = ten[ten.keys % 2 == 1]
    assert odd.keys.tolist() == [101, 103, 105, 107, 109] and len(odd[:0]) == 0
    part = odd[1:4]
    assert (keys_of(part[[-1, 0]]), part.by_key(105).key, len(part)) == ([107, 103], 105, 3)
    assert part.labels.tolist() == ten.labels[[3, 5, 7]].tolist()
    with pytest.raises(KeyError, match=r"key 101: no sample has it, keys are from 103 to 107"):
        part.by_key(101)
    assert part._table is ten._table


def test_a_subset_has_its_own_order(ten):
    assert keys_of(ten.subset([5, -1, 0])) == [105, 109, 100]
    assert ten.subset([5, 0]).offsets.tolist() == ten.offsets[[5, 0]].tolist()


def test_a_packed_set_opens_with_its_classes_and_without_a_warning(tiny_folder, tmp_path):
    recordkit.pack(tiny_folder, tmp_path / "out", plan=recordkit.PackPlan(seed=3))
    with RecordDataset(tmp_path / "out") as dataset:
        assert (len(dataset), dataset.classes) == (12, {"cat": 0, "dog": 1, "owl": 2})
        assert np.bincount(dataset.labels.astype(int)).tolist() == [4, 4, 4]
        assert all(bytes(sample.payload[:3]) == b"\xff\xd8\xff" for sample in dataset)


def test_by_key_takes_keys_and_never_indices(ten):
    assert ten.by_key(104).key == ten.by_key(np.uint64(104)).key == 104
    with pytest.raises(
        KeyError, match=r"key 4: no sample has it, keys are from 100 to 109; ds\[i\] takes an index, 0 to 9"
    ):
        ten.by_key(4)
    with pytest.raises(KeyError, match="key -1"):
        ten.by_key(-1)


@given(st.data())
def test_by_key_undoes_keys(tmp_path_factory, data):
    prefix = tmp_path_factory.mktemp("keys") / "a"
    keys = data.draw(st.lists(st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=20))
    write(prefix, [1.0] * len(keys), keys)
    with RecordDataset(prefix) as dataset:
        assert dataset.keys.tolist() == keys and dataset.keys.dtype == np.uint64
        assert [dataset.by_key(key).key for key in keys] == keys
        rows = data.draw(st.lists(st.integers(-len(keys), len(keys) - 1), max_size=30))
        assert keys_of(dataset[rows]) == [keys[row] for row in rows] == dataset.subset(rows).keys.tolist()


def test_the_samples_of_several_files_are_concatenated(three_files):
    assert len(three_files) == 7 and three_files.keys.tolist() == list(range(7))
    assert [path.name for path in three_files.files] == ["s_0.rec", "s_1.rec", "s_2.rec"]
    assert keys_of(three_files[[6, 0, 3, 2]]) == [6, 0, 3, 2]
    assert three_files.file_indices(range(7)).tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert three_files[::-1].file_indices([0, -1]).tolist() == [2, 0]
    assert three_files.labels.tolist() == list(range(7))
    assert three_files.subset([6, 0, 3, 2]).labels.tolist() == [6, 0, 3, 2]
    assert three_files.by_key(5).key == 5 and three_files._table.keys is None


def test_files_are_given_by_path_prefix_pattern_or_a_list_of_them(tmp_path, three_files):
    for path in (str(tmp_path / "s_2"), tmp_path / "s_2.rec", [tmp_path / "s_2"], [str(tmp_path / "s_[2-9]*")]):
        with RecordDataset(path) as dataset:
            assert dataset.keys.tolist() == [3, 4, 5, 6]
    with RecordDataset([tmp_path / "s_2.rec", str(tmp_path / "s_[01]*")]) as dataset:
        assert dataset.keys.tolist() == [3, 4, 5, 6, 0, 1, 2]
        assert [dataset.by_key(key).key for key in range(7)] == list(range(7))


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    write(tmp_path / "a[1]", [1.0])
    with RecordDataset(tmp_path / "a[1].rec") as dataset:
        assert len(dataset) == 1


def test_missing_files_are_named(tmp_path):
    (tmp_path / "nine.rec").touch()
    with pytest.raises(NotFoundError, match=r"none\.rec: expected a .*; did you mean .*nine\.rec\?") as caught:
        RecordDataset(tmp_path / "none")
    assert caught.value.filename == str(tmp_path / "none.rec")
    with pytest.raises(NotFoundError, match="expected .rec files that fit the pattern, got none"):
        RecordDataset(tmp_path / "none_*")
    with pytest.raises(PlanError, match=r"path: expected a \.rec file or more, got an empty list"):
        RecordDataset([])


def test_a_key_of_several_samples_is_ambiguous(tmp_path):
    write(tmp_path / "a", [1.0, 2.0])
    write(tmp_path / "b", [1.0])
    with RecordDataset([tmp_path / "a", tmp_path / "b"]) as dataset:
        assert dataset.by_key(1).key == 1
        with pytest.raises(KeyError, match=r"key 0: 2 samples have it, in .*a\.rec, .*b\.rec; use an index: ds\[0\]"):
            dataset.by_key(0)


def test_labels_come_as_one_array(tmp_path):
    for name, labels, want in (
        ("one", [1.5, -2.0], [1.5, -2.0]),
        ("vector of one", [(3.0,), (4.0,)], [3.0, 4.0]),
        ("mixed", [(3.0,), 4.0], [3.0, 4.0]),
        ("two", [(1.0, 2.0), (3.0, 4.0)], [[1.0, 2.0], [3.0, 4.0]]),
        ("none", [], []),
    ):
        write(tmp_path / name, labels)
        with RecordDataset(tmp_path / name) as dataset:
            got = dataset.labels
            assert (got.dtype, got.tolist()) == (np.float32, want)
            assert [np.asarray(sample.label).tolist() for sample in dataset] == want
            assert not got.flags.writeable and dataset.labels.base is got.base


def test_labels_are_read_without_the_images(tmp_path):
    write(tmp_path / "a", [1.0, 2.0])
    content = bytearray((tmp_path / "a.rec").read_bytes())
    with RecordDataset(tmp_path / "a") as dataset:
        content[-4:] = b"else"
        (tmp_path / "a.rec").write_bytes(content)
        assert dataset.labels.tolist() == [1.0, 2.0]


def test_ragged_labels_are_values_and_bounds(tmp_path):
    write(tmp_path / "a", [1.0, (2.0, 3.0, 4.0), (5.0,)], [7, 8, 9])
    with RecordDataset(tmp_path / "a") as dataset:
        values, bounds = dataset.ragged_labels()
        assert (values.tolist(), bounds.tolist()) == ([1, 2, 3, 4, 5], [0, 1, 4, 5])
        assert dataset[1].label.tolist() == [2, 3, 4] and dataset[1].label.dtype == np.float32
        with pytest.raises(
            FormatError, match=r"a\.rec: key 8: expected 1 label as in the first sample, got 3; ragged_labels"
        ):
            _ = dataset.labels
        assert dataset[[0, 2]][1].label == 5.0 and dataset[::2].labels.tolist() == [1.0, 5.0]


def test_exact_labels_are_int64(tmp_path):
    exact = np.array([2**24 + 1, 2**53 + 1, -5])
    write(tmp_path / "a", exact.astype(float).tolist())
    np.save(tmp_path / "a.labels.npy", exact)
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.labels.dtype == np.int64 and dataset.labels.tolist() == exact.tolist()
        assert dataset[1].label == 2**53 + 1 and type(dataset[1].label) is int
        assert dataset[::-1].labels.tolist() == exact[::-1].tolist()
    np.save(tmp_path / "a.labels.npy", np.stack([exact, exact + 1], 1))
    with RecordDataset([tmp_path / "a", tmp_path / "a.rec"]) as dataset:
        assert dataset.labels.shape == (6, 2) and dataset[[4]][0].label.tolist() == [2**53 + 1, 2**53 + 2]


def test_exact_labels_that_do_not_fit_are_refused(tmp_path):
    write(tmp_path / "a", [1.0, 2.0])
    write(tmp_path / "b", [1.0, 2.0])
    np.save(tmp_path / "a.labels.npy", np.array([1, 2, 3]))
    with pytest.raises(FormatError, match=r"a\.labels\.npy: expected 2 rows, one per record, got 3; remove it"):
        RecordDataset(tmp_path / "a")
    np.save(tmp_path / "a.labels.npy", np.array([1, 2]))
    with pytest.raises(
        FormatError, match=r"b\.labels\.npy: expected exact labels, which other files .* got none; pack"
    ):
        RecordDataset([tmp_path / "a", tmp_path / "b"])
    np.save(tmp_path / "b.labels.npy", np.array([[1, 2], [3, 4]]))
    with pytest.raises(FormatError, match=r"b\.labels\.npy: expected as many labels per record as the first file"):
        RecordDataset([tmp_path / "a", tmp_path / "b"])


def test_only_the_images_of_insightface_files_are_samples(tmp_path):
    keys, images = [1, 2, 3, 0, 4, 5], 3
    labels = [(0.0, 1.0), (0.0, 1.0), (1.0, 1.0), (4.0, 6.0), (1.0, 3.0), (3.0, 4.0)]
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [
            writer.write(pack(IRHeader(label, key), b"jpeg" if n < images else b""))
            for n, (key, label) in enumerate(zip(keys, labels, strict=True))
        ]
    (tmp_path / "a.idx").write_bytes(idx.lines(keys, offsets))
    np.save(tmp_path / "a.labels.npy", np.arange(6) * 10)
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.keys.tolist() == [1, 2, 3] and dataset.labels.tolist() == [0, 10, 20]
        assert all(sample.payload for sample in dataset)


def test_classes_must_be_the_same_in_all_files(tmp_path):
    for name, classes in (("a", {"cat": 0}), ("b", {"cat": 0}), ("c", {"dog": 0})):
        write(tmp_path / name, [0.0])
        (tmp_path / f"{name}.json").write_text(json.dumps({"classes": classes}))
    write(tmp_path / "d", [0.0])
    with RecordDataset([tmp_path / name for name in "abd"]) as dataset:
        assert dataset.classes == {"cat": 0}
    with RecordDataset(tmp_path / "d") as dataset:
        assert dataset.classes is None
    with (
        RecordDataset([tmp_path / "a", tmp_path / "c"]) as dataset,
        pytest.raises(FormatError, match=r"c\.json: expected the classes of .*a\.json, got others; 'recordkit merge'"),
    ):
        _ = dataset.classes


def test_the_fingerprint_tells_datasets_apart(tmp_path, ten):
    other = tmp_path / "copy"
    other.mkdir()
    shutil.copy(tmp_path / "ten.rec", other / "x.rec")
    shutil.copy(tmp_path / "ten.idx", other / "x.idx")
    write(tmp_path / "more", [0.0] * 11)
    prints = [ten.fingerprint, ten[1:].fingerprint, ten[::-1].fingerprint]
    with (
        RecordDataset(other / "x") as same,
        RecordDataset(tmp_path / "more") as more,
        RecordDataset([other / "x"] * 2) as two,
    ):
        assert same.fingerprint == ten.fingerprint and len(ten.fingerprint) == 32
        assert len({*prints, more.fingerprint, two.fingerprint}) == 5
    write(tmp_path / "empty", [])
    with RecordDataset(tmp_path / "empty") as empty:
        assert len(empty.fingerprint) == 32


def test_a_damaged_record_is_named_with_its_offset(tmp_path):
    offsets = write(tmp_path / "a", [0.0] * 100)
    content = bytearray((tmp_path / "a.rec").read_bytes())
    content[offsets[50]] ^= 1
    (tmp_path / "a.rec").write_bytes(content)
    with RecordDataset(tmp_path / "a") as dataset:
        for read in (lambda: dataset[50], lambda: dataset[[3, 50]], lambda: dataset.labels, lambda: dataset.by_key(50)):
            with pytest.raises(
                FormatError, match=rf"a\.rec: byte {offsets[50]}: expected magic .* run 'recordkit verify"
            ):
                read()
        assert dataset[51].key == 51


def test_a_record_without_a_header_is_named_with_its_offset(tmp_path):
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(pack(IRHeader(1.0, n), b"")) if n != 50 else writer.write(b"short") for n in range(100)]
    (tmp_path / "a.idx").write_bytes(idx.lines(list(range(100)), offsets))
    with RecordDataset(tmp_path / "a") as dataset:
        for read in (lambda: dataset[50], lambda: dataset[[50]], lambda: dataset.labels):
            with pytest.raises(
                TruncatedError, match=rf"a\.rec: byte {offsets[50]}: expected a 24-byte image header, got 5"
            ):
                read()


OPENERS = [
    RecordDataset,
    lambda path: recordkit.Loader(path, batch_size=1),
    lambda path: recordkit.ImageRecordIter(path_imgrec=f"{path}.rec", data_shape=(3, 8, 8), batch_size=1),
]


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_missing_file_is_an_error_of_recordkit_for_every_reader(tmp_path, open_it):
    with pytest.raises(NotFoundError, match=r"none\.rec: expected a \.rec file, got nothing of that name"):
        open_it(tmp_path / "none")


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_warning_names_the_line_that_opened_the_dataset(tmp_path, open_it):
    with open(tmp_path / "a.rec", "wb") as file:
        RecordWriter(file).write(pack(IRHeader(1.0, 0), encode(np.zeros((8, 8, 3), np.uint8), "raw")))
    with pytest.warns(UserWarning, match="the index does not exist") as caught:
        open_it(tmp_path / "a").close()
    assert caught[0].filename == __file__


def test_closing_closes_the_files_also_when_opening_fails(tmp_path, ten):
    n_open = len(os.listdir("/proc/self/fd"))
    dataset = RecordDataset(tmp_path / "ten")
    part = dataset[2:]
    dataset.close()
    dataset.close()
    with pytest.raises(ValueError, match="closed"):
        part[0]
    with pytest.raises(FileNotFoundError):
        RecordDataset([tmp_path / "ten", tmp_path / "none"])
    assert len(os.listdir("/proc/self/fd")) == n_open


def test_a_pickled_dataset_opens_its_files_again(ten, tmp_path):
    copy = pickle.loads(pickle.dumps(ten[3:]))
    assert keys_of(copy) == list(range(103, 110)) and copy.fingerprint == ten[3:].fingerprint
    copy.close()
    assert ten[0].key == 100
    saved = pickle.dumps(ten)
    write(tmp_path / "ten", [0.0] * 11)
    with pytest.raises(
        FormatError, match=r"ten\.rec: expected the \d+ bytes of the file that was pickled, got \d+; open it"
    ):
        pickle.loads(saved)


def read_all(dataset, order):
    """Read every sample twice; return the number of intact payloads plus the number of samples."""
    return sum(bytes(dataset[int(n)].payload) == payload(int(dataset.keys[n])) for n in order) + len(dataset[order])


def run_child(dataset, seed, results):
    results.put(read_all(dataset, np.random.default_rng(seed).permutation(len(dataset))))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_at_the_same_time(tmp_path, method):
    write(tmp_path / "a", [0.0] * 200)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    with RecordDataset(tmp_path / "a") as dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads about
        children = [context.Process(target=run_child, args=(dataset, seed, results)) for seed in range(3)]
        for child in children:
            child.start()
        assert read_all(dataset, np.arange(200)) == 400
        assert [results.get(timeout=300) for _ in children] == [400] * 3
        for child in children:
            child.join(300)
    assert [child.exitcode for child in children] == [0, 0, 0]
    results.close()
    results.join_thread()


def test_threads_read_at_the_same_time(tmp_path):
    write(tmp_path / "a", [0.0] * 200)
    counts = []
    with RecordDataset(tmp_path / "a") as dataset:
        threads = [
            threading.Thread(
                target=lambda seed=seed: counts.append(read_all(dataset, np.random.default_rng(seed).permutation(200)))
            )
            for seed in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [400] * 4
