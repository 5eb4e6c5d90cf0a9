"""Offsets and keys of the samples of a .rec file, with and without a matching .idx file."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import headers

from recordkit import native
from recordkit.dataset.index import index_file
from recordkit.dataset.records import _PythonRecordFile, open_record_file
from recordkit.errors import FormatError, TruncatedError
from recordkit.formats import idx
from recordkit.formats.byte_source import LocalFile
from recordkit.formats.frame import MAGIC_BYTES, RecordWriter
from recordkit.formats.insightface import faces
from recordkit.formats.irheader import IRHeader, pack
from recordkit.storage.fileset import Fileset

JPEG = b"\xff\xd8\xffjpeg"


@pytest.fixture(params=["core", "no core"])
def reader(request):
    """Run each test with the native core and without it."""
    request.getfixturevalue("require_native" if request.param == "core" else "no_native")


def write(prefix, records, keys=None):
    """Write PREFIX.rec and PREFIX.idx; return the offsets. The keys are 0 to n - 1 by default."""
    with open(f"{prefix}.rec", "wb") as file:
        writer = RecordWriter(file)
        offsets = [writer.write(record) for record in records]
    keys = range(len(records)) if keys is None else keys
    prefix.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))
    return offsets


def images(keys, size=0):
    return [pack(IRHeader(float(key % 7), key), JPEG + bytes(size + key % 3)) for key in keys]


def find(prefix):
    files = Fileset(prefix)
    records = open_record_file(files.path(".rec"))
    try:
        index = index_file(files, records)
    finally:
        records.close()
    index.warn()
    return index


def damage(path, offset):
    """Overwrite the magic of a record."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"????")


def keys_of(index):
    return list(range(len(index.offsets))) if index.keys is None else index.keys.tolist()


@pytest.mark.usefixtures("reader")
class TestIndex:
    def test_keys_that_count_from_0_need_no_memory(self, tmp_path):
        offsets = write(tmp_path / "a", images(range(100)))
        index = find(tmp_path / "a")
        assert index.keys is None and index.offsets.tolist() == offsets and index.offsets.dtype == np.uint64
        assert (index.n_records, index.record_indices) == (100, None)

    def test_keys_that_do_not_count_from_0_are_kept(self, tmp_path):
        keys = [5, 2**64 - 1, 0, 7]
        write(tmp_path / "a", images(keys), keys)
        assert find(tmp_path / "a").keys.tolist() == keys

    def test_samples_are_in_file_order_for_any_order_of_the_index(self, tmp_path):
        offsets = write(tmp_path / "a", images(range(50)))
        order = np.random.default_rng(0).permutation(50)
        (tmp_path / "a.idx").write_bytes(idx.lines(order.tolist(), [offsets[n] for n in order]))
        index = find(tmp_path / "a")
        assert index.keys is None and index.offsets.tolist() == offsets

    def test_keys_that_count_from_0_are_accepted_although_the_ids_differ(self, tmp_path):
        write(tmp_path / "a", images([30, 10, 20]), [0, 1, 2])
        assert find(tmp_path / "a").keys is None

    def test_records_that_all_have_id_0_get_the_keys_of_the_index(self, tmp_path):
        write(tmp_path / "a", images([0, 0, 0]), [7, 8, 9])
        assert find(tmp_path / "a").keys.tolist() == [7, 8, 9]

    def test_without_an_index_the_file_is_scanned_with_a_warning(self, tmp_path):
        offsets = write(tmp_path / "a", images([3, 1, 2]), [3, 1, 2])
        (tmp_path / "a.idx").unlink()
        with pytest.warns(
            UserWarning, match=r"a\.idx: the index does not exist; scanned .*a\.rec instead; run 'recordkit reindex"
        ):
            index = find(tmp_path / "a")
        assert index.keys.tolist() == [3, 1, 2] and index.offsets.tolist() == offsets

    @pytest.mark.parametrize(("ids", "keys"), [([0, 0, 0], [0, 1, 2]), ([4, 5, 4], [4, 5, 4]), ([9], [9])])
    def test_an_id_that_all_records_have_is_no_key(self, tmp_path, ids, keys):
        write(tmp_path / "a", images(ids))
        (tmp_path / "a.idx").unlink()
        with pytest.warns(UserWarning, match="the index does not exist"):
            assert keys_of(find(tmp_path / "a")) == keys

    def test_an_empty_file_has_no_samples(self, tmp_path):
        write(tmp_path / "a", [])
        assert len(find(tmp_path / "a").offsets) == 0

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda keys, offsets: ([], []), r"expected the records of a file of \d+ bytes, got no line"),
            (
                lambda keys, offsets: (keys[:-1], offsets[:-1]),
                r"expected the next record at byte \d+",
            ),
            (lambda keys, offsets: (keys[1:], offsets[1:]), "expected the first record at byte 0, got"),
            (
                lambda keys, offsets: (keys[:7] + keys[8:], offsets[:7] + offsets[8:]),
                r"expected the next record at byte \d+, got \d+",
            ),
            (
                lambda keys, offsets: ([*keys, 99], [*offsets, 10**9]),
                r"expected offsets below \d+, the size of the file, got 1000000000",
            ),
            (lambda keys, offsets: ([*keys, 99], [*offsets, offsets[3]]), r"expected each offset once, got \d+ twice"),
            (
                lambda keys, offsets: (keys, [*offsets[:-1], offsets[-1] - 4]),
                r"expected (a|the next) record at byte \d+, got",
            ),
            (
                lambda keys, offsets: (keys, [offset + 4 * (offset > 0) for offset in offsets]),
                r"expected (a|the next) record at byte \d+, got",
            ),
            (
                lambda keys, offsets: (keys[::-1], offsets),
                "expected the ids of the records as keys, got others in 20 of 20",
            ),
        ],
    )
    def test_an_index_that_does_not_match_is_replaced_by_a_scan_with_a_warning(self, tmp_path, spoil, reason):
        keys = list(range(10, 30))
        offsets = write(tmp_path / "a", images(keys), keys)
        (tmp_path / "a.idx").write_bytes(idx.lines(*spoil(keys, offsets)))
        with pytest.warns(UserWarning, match=rf"a\.idx: {reason}.*; scanned .*a\.rec instead; run 'recordkit reindex"):
            index = find(tmp_path / "a")
        assert index.offsets.tolist() == offsets and index.keys.tolist() == keys

    @pytest.mark.parametrize("text", ["0 0\nx\t1\n", "1\n", "\xff\xfe"])
    def test_a_warning_about_an_unreadable_index_has_the_line(self, tmp_path, text):
        offsets = write(tmp_path / "a", images(range(3)))
        (tmp_path / "a.idx").write_text(text, encoding="latin-1")
        with pytest.warns(UserWarning, match=r"a\.idx: line \d: expected KEY and OFFSET.*; scanned"):
            assert find(tmp_path / "a").offsets.tolist() == offsets

    def test_the_number_of_lines_must_be_that_of_the_packed_records(self, tmp_path):
        keys = list(range(1000, 2000))
        offsets = write(tmp_path / "a", images(keys), keys)
        size = (tmp_path / "a.rec").stat().st_size
        (tmp_path / "a.json").write_text(f'{{"records": 1000, "rec": {{"bytes": {size}}}}}')
        (tmp_path / "a.idx").write_bytes(idx.lines(keys[:500] + keys[501:], offsets[:500] + offsets[501:]))
        with pytest.warns(UserWarning, match=r"a\.idx: expected 1000 lines, one for each packed record, got 999"):
            assert len(find(tmp_path / "a").offsets) == 1000

    def test_damage_found_by_a_scan_is_an_error_with_its_offset(self, tmp_path):
        write(tmp_path / "a", images(range(9)))
        (tmp_path / "a.rec").write_bytes((tmp_path / "a.rec").read_bytes()[:-4])
        with warnings.catch_warnings(), pytest.raises(TruncatedError, match=r"a\.rec: byte \d+: expected \d+ bytes"):
            find(tmp_path / "a")

    @pytest.mark.parametrize("n_records", [3, 20])
    def test_one_damaged_record_is_a_warning_and_the_index_stays(self, tmp_path, n_records):
        offsets = write(tmp_path / "a", images(range(5, 5 + n_records)), range(5, 5 + n_records))
        damage(tmp_path / "a.rec", offsets[1])
        with pytest.warns(UserWarning, match=rf"a\.rec: byte {offsets[1]}: expected magic .*run 'recordkit verify"):
            index = find(tmp_path / "a")
        assert index.offsets.tolist() == offsets and keys_of(index) == list(range(5, 5 + n_records))

    def test_many_damaged_records_mean_that_the_index_does_not_match(self, tmp_path):
        offsets = write(tmp_path / "a", images(range(20)))
        for offset in offsets[4:8]:
            damage(tmp_path / "a.rec", offset)
        with pytest.raises(FormatError, match=rf"a\.rec: byte {offsets[4]}: expected magic"):
            find(tmp_path / "a")

    @given(st.data())
    def test_the_samples_do_not_depend_on_the_index(self, tmp_path_factory, data):
        prefix = tmp_path_factory.mktemp("same") / "a"
        keys = data.draw(st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=50))
        write(prefix, images(keys), keys)
        with_index = find(prefix)
        prefix.with_suffix(".idx").unlink()
        with pytest.warns(UserWarning, match="the index does not exist"):
            without = find(prefix)
        assert with_index.offsets.tolist() == without.offsets.tolist()
        assert keys_of(with_index) == keys_of(without) == keys


def face_records(n_images, identities, *, labels=lambda key: (float(key % 2), 0.0)):
    """Images 1 to n, then the header, then the identities, as face2rec2.py writes them; and their keys."""
    first = n_images + 1
    keys = [*range(1, first), 0, *range(first, first + len(identities))]
    records = [pack(IRHeader(labels(key), key), JPEG) for key in range(1, first)]
    records.append(pack(IRHeader((float(first), float(first + len(identities))), 0), b""))
    records += [pack(IRHeader(tuple(map(float, span)), first + n), b"") for n, span in enumerate(identities)]
    return records, keys


@pytest.mark.usefixtures("reader")
class TestInsightFace:
    @pytest.mark.parametrize("labels", [lambda key: (float(key % 2), 0.0), float])
    @pytest.mark.parametrize("with_index", [True, False])
    @pytest.mark.parametrize("where", ["between", "last", "first"])
    def test_header_and_identities_are_left_out(self, tmp_path, labels, with_index, where):
        records, keys = face_records(6, [(1, 4), (4, 7)], labels=labels)
        if where != "between":
            at = len(records) if where == "last" else 0
            header = records.pop(6)
            records.insert(at, header)
            keys.insert(at, keys.pop(6))
        offsets = write(tmp_path / "a", records, keys)
        if not with_index:
            (tmp_path / "a.idx").unlink()
        with warnings.catch_warnings():
            warnings.simplefilter("error" if with_index else "ignore")
            index = find(tmp_path / "a")
        assert index.keys.tolist() == [1, 2, 3, 4, 5, 6] and index.n_records == 9
        assert index.offsets.tolist() == [offsets[keys.index(key)] for key in range(1, 7)]
        assert index.record_indices.tolist() == [keys.index(key) for key in range(1, 7)]

    def test_an_index_with_keys_0_1_2_does_not_match_insightface_files(self, tmp_path):
        records, keys = face_records(6, [(1, 4), (4, 7)])
        write(tmp_path / "a", records, range(len(keys)))
        with pytest.warns(UserWarning, match="expected the ids of the records"):
            assert find(tmp_path / "a").keys.tolist() == [1, 2, 3, 4, 5, 6]

    def test_a_header_rounded_by_float32_loses_no_sample(self, tmp_path):
        first = 2**24 + 3  # float32 has 2**24 + 2 and + 4 only
        keys = [*range(first - 4, first), 0, first, first + 1]
        rounded = float(np.float32(first)), float(np.float32(first + 2))
        assert rounded[0] != first
        records = [pack(IRHeader(1.0, key), JPEG) for key in keys[:4]]
        records += [pack(IRHeader(rounded, 0), b"")]
        records += [pack(IRHeader((1.0, 2.0), key), b"") for key in keys[5:]]
        write(tmp_path / "a", records, keys)
        assert find(tmp_path / "a").keys.tolist() == keys[:4]

    @pytest.mark.parametrize(
        "first",
        [
            pack(IRHeader((1.0, 2.0), 0), JPEG),  # an image with two labels
            pack(IRHeader(tuple(map(float, range(237))), 0), JPEG),
            pack(IRHeader((0.5, 2.0), 0), b""),
            pack(IRHeader((3.0, 2.0), 0), b""),
            pack(IRHeader((float("nan"), 2.0), 0), b""),
            pack(IRHeader(0.0, 0), b""),
        ],
    )
    def test_a_record_that_is_not_a_header_of_this_layout_is_a_sample(self, tmp_path, first):
        write(tmp_path / "a", [first, *images([1, 2])])
        index = find(tmp_path / "a")
        assert (index.keys, len(index.offsets)) == (None, 3)

    def test_a_header_names_its_ranges(self):
        assert faces.ranges(IRHeader((7.0, 9.0), 0), b"") == (7, 9)


def outcome(act, *arguments):
    try:
        return [array.tolist() for array in act(*arguments)]
    except FormatError as error:
        return type(error), str(error)


@pytest.mark.usefixtures("require_native")
@given(
    st.lists(st.tuples(headers, st.sampled_from([b"", JPEG, MAGIC_BYTES, b"ab" + MAGIC_BYTES])), max_size=6), st.data()
)
def test_the_core_reads_the_headers_that_its_definition_reads(tmp_path_factory, some, data):
    prefix = tmp_path_factory.mktemp("headers") / "a"
    offsets = write(prefix, [pack(header, payload) for header, payload in some])
    content = bytearray(prefix.with_suffix(".rec").read_bytes())
    if content and data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        prefix.with_suffix(".rec").write_bytes(content)
    asked = np.array(data.draw(st.permutations(offsets)), np.uint64)
    plain = _PythonRecordFile(LocalFile(f"{prefix}.rec"))
    core = native.load().RecordFile(f"{prefix}.rec")
    assert repr(outcome(core.headers, asked)) == repr(outcome(plain.headers, asked))
    plain.close()


def test_headers_that_hold_a_magic_are_read(tmp_path, require_native):
    key = int.from_bytes(MAGIC_BYTES * 2, "little")
    write(tmp_path / "a", [pack(IRHeader((1.0, 2.0), key), JPEG)])
    for records in (_PythonRecordFile(LocalFile(tmp_path / "a.rec")), native.load().RecordFile(tmp_path / "a.rec")):
        keys, labels, bounds = records.headers(np.zeros(1, np.uint64))
        assert (keys.tolist(), labels.tolist(), bounds.tolist()) == ([key], [1.0, 2.0], [0, 2])
        records.close()


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"short", "expected a 24-byte image header, got 5 bytes; run 'recordkit verify"),
        (
            bytes([9]) + bytes(30),
            "expected an image header .*, got 31 bytes, of which .* 9 labels; run 'recordkit verify",
        ),
    ],
)
def test_records_without_an_image_header_are_named_with_their_offset(tmp_path, record, message):
    write(tmp_path / "a", [pack(IRHeader(1.0, 0), JPEG), record])
    records = open_record_file(tmp_path / "a.rec")
    with pytest.raises(TruncatedError, match=rf"a\.rec: byte 40: {message}"):
        records.headers(records.scan())
    records.close()
