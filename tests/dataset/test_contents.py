"""Files without images: text, arrays and other bytes, with and without image headers."""

import io
import json

import numpy as np
import pytest

from recordkit import Loader, RecordDataset
from recordkit.codec import encode
from recordkit.dataset.contents import OtherRecords, find_other_records
from recordkit.errors import FormatError, ImageError
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack
from recordkit.recordio import MXRecordIO
from recordkit.storage.fileset import Fileset
from recordkit.transforms import CenterCrop

IMAGE = encode(np.zeros((2, 2, 3), np.uint8), "png")
TEXTS = [b"record_%d" % number for number in range(5)]


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_header(payload, label=1.0):
    return pack(IRHeader(label, 7), payload)


def write(path, records):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)
    return path


@pytest.mark.parametrize(
    ("records", "kinds", "has_headers"),
    [
        (TEXTS, {"text": 5}, False),
        ([json.dumps({"id": number, "text": "a" * 30}).encode() for number in range(3)], {"json": 3}, False),
        ([npy(np.zeros(3))] * 2, {"npy": 2}, False),
        ([IMAGE] * 3, {"png": 3}, False),
        ([b"\xfe" * 40, b"\xfe" * 5, bytes(30)], {"unknown": 3}, False),
        ([with_header(npy(np.zeros(3)))] * 2, {"npy": 2}, True),
        ([with_header(b"\x01\x02\x03"), b"short"], {"unknown": 1, "text": 1}, False),  # half have no header
    ],
)
def test_records_that_are_no_images_are_named(tmp_path, records, kinds, has_headers):
    path = write(tmp_path / "a.rec", records)
    assert find_other_records(Fileset(path)) == OtherRecords(len(records), kinds, has_headers)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [with_header(IMAGE)],
        [*TEXTS, with_header(IMAGE)],  # some are images, so the others are damaged
        [b"\xff\xff\xff\xff" + with_header(IMAGE)[4:]],  # a damaged number of labels
        [with_header(b"\x01\x02\x03")] * 3,  # perhaps damaged images
        [with_header(b"\x01\x02\x03")] * 3 + [b"short"],
        [with_header(b"", label=(1.0, 3.0))],  # InsightFace's metadata
    ],
)
def test_files_with_images_that_may_be_damaged_are_not_excused(tmp_path, records):
    assert find_other_records(Fileset(write(tmp_path / "a.rec", records))) is None


def test_a_file_that_recordkit_packed_is_damaged_whatever_its_records_are(tmp_path):
    path = write(tmp_path / "a.rec", TEXTS)
    path.with_suffix(".json").write_text(json.dumps({"rec": {"bytes": 80}, "records": 5}))
    assert find_other_records(Fileset(path)) is None


def test_the_records_of_a_described_set_are_not_looked_at_one_by_one(tmp_path, monkeypatch):
    path = write(tmp_path / "a.rec", [with_header(b"\x01\x02\x03")] * 3)
    path.with_suffix(".json").write_text(json.dumps({"rec": {"bytes": 108}, "records": 3}))
    monkeypatch.setattr("recordkit.dataset.contents.content_kind", None)
    assert find_other_records(Fileset(path)) is None


def test_no_more_records_are_read_than_asked_for(tmp_path):
    files = Fileset(write(tmp_path / "a.rec", [*TEXTS, with_header(IMAGE)]))
    assert find_other_records(files, limit=2) == OtherRecords(2, {"text": 2}, False)
    assert find_other_records(files) is None


def test_a_damage_ends_the_look(tmp_path):
    path = write(tmp_path / "a.rec", TEXTS)
    path.write_bytes(path.read_bytes()[:-4])
    assert find_other_records(Fileset(path)) == OtherRecords(4, {"text": 4}, False)


@pytest.mark.parametrize("core", ["native", "python"])
@pytest.mark.parametrize("read", [RecordDataset, lambda path: Loader(path, batch_size=2)])
def test_a_reader_of_images_says_what_the_records_are_and_what_reads_them(tmp_path, request, core, read):
    request.getfixturevalue("require_native" if core == "native" else "no_native")
    path = write(tmp_path / "a.rec", TEXTS)
    with pytest.raises(
        FormatError,
        match=r"a\.rec: expected records with an image header, got plain bytes \(text\); recordkit\.recordio\.MXRecord",
    ):
        read(path)
    with MXRecordIO(path, "r") as reader:  # the advice helps
        assert reader.read() == TEXTS[0]


def test_the_loader_says_that_a_record_is_an_array(tmp_path, engine):
    path = write(tmp_path / "a.rec", [with_header(npy(np.zeros(3)))] * 2)
    with (
        pytest.warns(UserWarning, match="the index does not exist"),
        Loader(path, batch_size=2, transforms=[CenterCrop(2)], engine=engine) as loader,
        pytest.raises(ImageError, match=r"a\.rec: key 0: expected an image, .* do not decode \(npy, no image format\)"),
    ):
        next(iter(loader))
