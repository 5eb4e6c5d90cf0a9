"""PREFIX.crc: one flipped bit of a record is noticed by `check=True`, on both engines, and its key and offset named."""

import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

import recordkit as rk
from recordkit.codec import encode
from recordkit.errors import FormatError, NotFoundError, PlanError
from recordkit.formats import idx
from recordkit.formats.frame import RecordReader
from recordkit.sources import ListSource
from recordkit.storage.checksums import read_checksums
from recordkit.storage.fileset import Fileset

N = 40

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def packed(tmp_path):
    """A set of 40 raw images, with keys 10, 11 ... and labels of three numbers."""
    rows = []
    for key in range(10, 10 + N):
        pixels = np.random.default_rng(key).integers(0, 256, (6, 6, 1), dtype=np.uint8)
        (tmp_path / f"{key}.pgm").write_bytes(encode(pixels, "raw"))
        rows.append(f"{key}\t{key / 4}\t1\t{key}\t{key}.pgm\n")
    (tmp_path / "in.lst").write_text("".join(rows))
    rk.pack(ListSource(tmp_path / "in.lst", tmp_path), tmp_path / "a", plan=rk.PackPlan(any_file=True))
    return tmp_path / "a.rec"


def offset_of(path, row):
    return int(idx.read(path.with_suffix(".idx")).offsets[row])


def flip(path, byte, bit=0):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def load(path, **options):
    return list(rk.Loader(path, **{"batch_size": 8, "channels": 1, "check": True, **options}))


def test_the_file_has_the_crc_of_each_record_in_file_order(packed):
    with RecordReader(packed) as reader:
        want = [zlib.crc32(record) for record in reader]
    assert packed.with_suffix(".crc").read_bytes() == np.array(want, "<u4").tobytes()
    assert read_checksums(Fileset(packed)).tolist() == want


@pytest.mark.parametrize("part", ["header", "labels", "payload"])
def test_a_flipped_bit_is_an_error_with_path_key_and_offset(packed, engine, part):
    begin = offset_of(packed, 21)
    flip(packed, begin + 8 + {"header": 17, "labels": 26, "payload": 50}[part], 2)
    assert len(load(packed, engine=engine, check=False)) == 5
    with pytest.raises(
        FormatError, match=rf"a.rec: byte {begin}: key 31: expected CRC-32 [0-9a-f]{{8}}, got [0-9a-f]{{8}}"
    ):
        load(packed, engine=engine)
    skipping = rk.Loader(packed, batch_size=8, channels=1, check=True, engine=engine, on_error="skip")
    assert [key for batch in skipping for key in batch.key.tolist()] == [*range(10, 31), *range(32, 50)]
    ((key, path, reason),) = skipping.bad_samples
    assert (key, path) == (31, packed) and "expected CRC-32" in reason


@pytest.mark.parametrize("core", ["require_native", "no_native"])
def test_samples_and_labels_of_a_dataset_are_checked(packed, request, core):
    request.getfixturevalue(core)
    begin = offset_of(packed, 21)
    flip(packed, begin + 8 + 26)  # a label
    with rk.RecordDataset(packed, check=True) as dataset:
        assert [sample.key for sample in dataset[[20, 22]]] == [30, 32] and dataset[22:].labels.shape == (18, 3)
        for read in (
            lambda: dataset[21],
            lambda: dataset[[20, 21]],
            lambda: dataset.by_key(31),
            lambda: dataset.labels,
        ):
            with pytest.raises(FormatError, match=rf"a.rec: byte {begin}: key 31: expected CRC-32"):
                read()
        copy = pickle.loads(pickle.dumps(dataset[20:]))
        with copy, pytest.raises(FormatError, match="key 31: expected CRC-32"):
            copy[1]


def test_every_flipped_bit_of_a_record_is_an_error_or_changes_nothing(packed, engine):
    content, begin, end = packed.read_bytes(), offset_of(packed, 21), offset_of(packed, 22)
    want = [(sample.key, sample.label.tolist(), bytes(sample.payload)) for sample in rk.RecordDataset(packed)]
    for byte in range(begin, end):
        packed.write_bytes(content)
        flip(packed, byte, byte % 8)
        try:
            with rk.RecordDataset(packed, check=True) as dataset:
                got = [(sample.key, sample.label.tolist(), bytes(sample.payload)) for sample in dataset]
        except FormatError:
            continue
        assert got == want, byte


def test_a_changed_index_is_not_used(packed):
    lines = packed.with_suffix(".idx").read_bytes()
    packed.with_suffix(".idx").write_bytes(lines.replace(b"\n16\t", b"\n77\t"))
    assert rk.RecordDataset(packed).keys[6] == 77  # a line that the check of some lines passes by
    with pytest.warns(
        UserWarning, match=r"a.idx: expected \d+ bytes of SHA-256 .*; scanned .*; run 'recordkit reindex"
    ):
        dataset = rk.RecordDataset(packed, check=True)
    assert dataset.keys.tolist() == list(range(10, 50))


def test_the_keys_of_a_file_without_an_index_come_from_checked_headers(packed):
    begin = offset_of(packed, 21)
    packed.with_suffix(".idx").unlink()
    flip(packed, begin + 8 + 8)  # the id
    with pytest.raises(FormatError, match=rf"byte {begin}: key 30: expected CRC-32"):
        rk.RecordDataset(packed, check=True)
    with pytest.warns(UserWarning, match="1 place, and 39 records left"):
        dataset = rk.RecordDataset(packed, check=True, on_error="skip")
    assert dataset.keys.tolist() == [*range(10, 31), *range(32, 50)]
    assert [(lost.path, lost.offset) for lost in dataset.lost] == [(packed, begin)]
    assert len(dataset.labels) == 39


def test_checksums_of_another_set_are_refused(packed):
    crc, content = packed.with_suffix(".crc"), packed.with_suffix(".crc").read_bytes()
    for wrong in (content[:-4], content[4:] + content[:4], b"", content[:-1]):
        crc.write_bytes(wrong)
        with pytest.raises(FormatError, match=r"a.crc: expected 160 bytes of SHA-256 .*, as in .*a.json, got"):
            rk.RecordDataset(packed, check=True)
    packed.with_suffix(".json").unlink()
    for wrong, text in (
        (content[:-4], "expected 40 checksums, one per record, got 39"),
        (b"123", "4 bytes per record"),
    ):
        crc.write_bytes(wrong)
        with pytest.raises(FormatError, match=text):
            rk.RecordDataset(packed, check=True)
    assert len(rk.RecordDataset(packed)) == N  # they are not read without `check`


def test_a_changed_description_is_refused(tiny_folder, tmp_path):
    rk.pack(tiny_folder, tmp_path / "a")
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace('"dog": 1', '"dog": 0'))
    assert rk.RecordDataset(tmp_path / "a").classes == {"cat": 0, "dog": 0, "owl": 2}
    with pytest.raises(
        FormatError, match=r"a.json: expected \w{32}, the id of the facts in it, got \w{32}; run 'recordkit"
    ):
        rk.RecordDataset(tmp_path / "a", check=True)


def test_a_set_without_checksums_says_how_to_make_them(packed):
    packed.with_suffix(".crc").unlink()
    with pytest.raises(
        NotFoundError, match=r"a.crc: expected the checksums .*; run 'recordkit reindex --checksums .*a.rec'"
    ):
        load(packed)


def test_a_dataset_without_checksums_cannot_be_loaded_with_check(packed):
    with pytest.raises(PlanError, match="^check: expected a dataset with checksums, got .*; open it with check$"):
        load(rk.RecordDataset(packed))
    assert len(load(rk.RecordDataset(packed, check=True))) == 5


def test_a_pack_without_checksums_removes_those_of_the_set_before(tiny_folder, tmp_path, engine):
    rk.pack(tiny_folder, tmp_path / "a", engine=engine)
    facts = json.loads((tmp_path / "a.json").read_text())
    assert facts["crc"]["bytes"] == 48 and (tmp_path / "a.crc").stat().st_size == 48
    rk.pack(tiny_folder, tmp_path / "a", plan=rk.PackPlan(checksums=False), engine=engine)
    assert "crc" not in json.loads((tmp_path / "a.json").read_text()) and not (tmp_path / "a.crc").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_loader_with_transforms_in_python_checks_too(packed, engine, channels):
    flip(packed, offset_of(packed, 5) + 60)
    steps = [lambda image, _draws: image]
    with pytest.raises(FormatError, match="key 15: expected CRC-32"):
        load(packed, engine=engine, transforms=steps, channels=channels)


def test_checksums_of_files_are_concatenated(packed, tmp_path):
    for path in list(tmp_path.glob("a.*")):
        Path(tmp_path, path.name.replace("a.", "b.")).write_bytes(path.read_bytes())
    flip(tmp_path / "b.rec", offset_of(packed, 21) + 60)
    dataset = rk.RecordDataset([packed, tmp_path / "b.rec"], check=True)
    assert len(dataset[:61].labels) == 61
    with pytest.raises(FormatError, match=r"b.rec: byte \d+: key 31: expected CRC-32"):
        dataset[61]
    (tmp_path / "b.crc").unlink()
    with pytest.raises(NotFoundError, match="b.crc"):
        rk.RecordDataset([packed, tmp_path / "b.rec"], check=True)


def test_records_behind_a_hundred_damaged_ones_are_loaded(tmp_path):
    (tmp_path / "a.pgm").write_bytes(encode(np.zeros((6, 6, 1), np.uint8), "raw"))
    (tmp_path / "in.lst").write_text("".join(f"{key}\t1\ta.pgm\n" for key in range(130)))
    rk.pack(ListSource(tmp_path / "in.lst", tmp_path), tmp_path / "a", plan=rk.PackPlan(any_file=True))
    for row in range(120):
        flip(tmp_path / "a.rec", offset_of(tmp_path / "a.rec", row) + 12)
    (batch,) = load(tmp_path / "a.rec", batch_size=130, on_error="skip")
    assert len(batch.data) == 10
