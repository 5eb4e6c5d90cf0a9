"""`inspect` and `head`: summaries of .rec files and of their first records."""

import io
import json
import math

import numpy as np
import pytest

from recordkit import PackPlan, __version__, pack
from recordkit.errors import FormatError, TruncatedError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader, RecordWriter
from recordkit.sources import ListSource
from recordkit.upkeep import head, inspect
from recordkit.upkeep.summary import FacesInfo


@pytest.fixture
def packed(tiny_folder, tmp_path):
    """A set of 12 records at tmp_path/out."""
    pack(tiny_folder, tmp_path / "out", plan=PackPlan(shuffle=False))
    return tmp_path / "out.rec"


def test_info_counts_labels_formats_and_keys(packed):
    info = inspect(packed)
    assert (info.n_records, info.key_range, info.label_width) == (12, (0, 11), (1, 1))
    assert info.labels == {0.0: 4, 1.0: 4, 2.0: 4}
    assert info.formats == {"jpg": 12}
    assert info.first_shape == (20, 30, 3)
    assert info.classes == {"cat": 0, "dog": 1, "owl": 2}
    json.dumps(info.as_json())


def test_info_names_the_command_and_the_sets_that_made_a_set(packed, cli, tmp_path):
    cli("subset", packed, tmp_path / "cats", "--class", "cat")
    assert inspect(tmp_path / "cats").edit["command"] == "subset" and inspect(packed).edit is None
    assert f"made by    recordkit {__version__}: subset of out\n" in cli("info", tmp_path / "cats")[1]
    cli("split", packed, tmp_path / "shards", "--shards", "2")
    assert f"made by    recordkit {__version__}: split of out\n" in cli("info", tmp_path / "shards")[1]
    manifest = tmp_path / "shards.manifest.json"
    assert f"shard of   {manifest}, which has all records\n" in cli("info", tmp_path / "shards_0.rec")[1]
    manifest.write_text("damaged")
    assert "shard of" not in cli("info", tmp_path / "shards_0.rec")[1]
    assert f"made by    recordkit {__version__}\n" in cli("info", packed)[1]


@pytest.mark.parametrize("edit", [3, {}, {"command": "x", "inputs": [3, {}]}, {"command": [], "inputs": []}])
def test_an_edit_of_another_form_does_no_harm(packed, cli, edit):
    path = packed.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "edit": edit}))
    assert cli("info", packed)[0] == 0


@pytest.mark.parametrize(("n", "text"), [(21, "21"), (1001, "more than 1000")])
def test_info_says_how_many_labels_are_not_listed(tmp_path, cli, n, text):
    with open(tmp_path / "a.rec", "wb") as file:
        writer = RecordWriter(file)
        for key in range(n):
            writer.write(irheader.pack(irheader.IRHeader(float(key), key), b"jpeg"))
    (tmp_path / "a.json").write_text('{"classes": {"cat": 0, "dog": 1}}')
    assert f"\n           {text} distinct labels, 2 classes with names\n" in cli("info", tmp_path / "a.rec")[1]


def test_damage_is_an_error_with_its_offset(packed):
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(TruncatedError, match=r"out.rec: byte \d+: expected \d+ bytes and their padding, got"):
        inspect(packed)


def test_info_of_an_empty_file_is_all_zero(tmp_path):
    (tmp_path / "e.rec").touch()
    assert (inspect(tmp_path / "e.rec").n_records, inspect(tmp_path / "e.rec").labels) == (0, {})


def test_head_shows_the_first_records_with_exact_labels(tiny_folder, tmp_path):
    (tmp_path / "a.lst").write_text("7\t17186135\tcat/0.jpg\n8\t3\tdog/1.jpg\n")
    pack(ListSource(tmp_path / "a.lst", tiny_folder), tmp_path / "x", plan=PackPlan(exact_labels=True))
    (record,) = head(tmp_path / "x.rec", 1)
    assert (record.key, record.labels, record.format, record.shape) == (7, (17186135,), "jpg", (20, 30, 3))


def test_head_ignores_damage_after_the_last_record_it_reads(packed):
    packed.write_bytes(packed.read_bytes()[:-40])
    assert len(head(packed, 3)) == 3
    with pytest.raises(FormatError):
        head(packed, 12)


def write(path, *records):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for record in records:
            writer.write(record)
    return path


def test_labels_that_are_not_finite_are_counted_separately(tmp_path):
    labels = (0.5, -0.5, math.nan, math.nan, math.inf)
    path = write(tmp_path / "x.rec", *(irheader.pack(irheader.IRHeader(label, 0), b"\xff\xd8\xff") for label in labels))
    info = inspect(path)
    assert (info.labels, info.label_ranges, info.n_not_finite) == ({-0.5: 1, 0.5: 1}, [(-0.5, 0.5)], 3)
    json.dumps(info.as_json(), allow_nan=False)
    shown = [record.as_json()["labels"] for record in head(path)]
    assert shown == [[0.5], [-0.5], ["nan"], ["nan"], ["inf"]]


def test_each_label_has_its_range(tmp_path, cli):
    labels = [(1.0, 0.25), (3.0, math.nan), (2.0, -7.5, math.inf)]
    path = write(tmp_path / "x.rec", *(irheader.pack(irheader.IRHeader(label, 0), b"\xff\xd8\xff") for label in labels))
    assert inspect(path).label_ranges == [(1, 3), (-7.5, 0.25), None]
    _, out, _ = cli("info", path)
    assert "labels     2 to 3 per record: 1 to 3, -7.5 to 0.25, none finite\n" in out
    assert 'not as many in each record; a Loader takes them with label="pad" or label="list"\n' in out
    assert "records by first label:\n" in out


def test_many_labels_have_the_first_ranges_in_text(tmp_path, cli):
    path = write(tmp_path / "x.rec", irheader.pack(irheader.IRHeader((0.0,) * 1001, 0), b"\xff\xd8\xff"))
    assert len(inspect(path).label_ranges) == 1000
    assert " 0 to 0 and 993 more; --json has up to 1000\n" in cli("info", path)[1]
    assert cli("head", path)[1].endswith(f" {' '.join(['0'] * 8)} and 993 more\n")


@pytest.mark.parametrize("look", [inspect, head])
def test_a_record_too_short_for_its_header_is_an_error_with_its_offset(tmp_path, look):
    path = write(tmp_path / "x.rec", irheader.pack(irheader.IRHeader(1.0, 2), b"\xff\xd8\xff"), b"short")
    with pytest.raises(TruncatedError, match=r"x\.rec: byte 36: expected a 24-byte image header, got 5 bytes"):
        look(path)


def test_progress_adds_up_to_the_size_of_the_file(packed):
    n_bytes = []
    inspect(packed, progress=n_bytes.append)
    assert sum(n_bytes) == packed.stat().st_size


def test_every_record_is_read_in_order(packed):
    with RecordReader(packed) as reader:
        assert [irheader.unpack(record)[0].id for record in reader] == list(range(12))


@pytest.mark.parametrize("header_first", [True, False])
def test_info_counts_images_and_identities_of_insightface_files(tmp_path, header_first, cli):
    header = irheader.pack(irheader.IRHeader((4.0, 6.0), 0), b"")
    images = [irheader.pack(irheader.IRHeader((float(n % 2), 0.0), n), b"\xff\xd8\xff") for n in (1, 2, 3)]
    identities = [irheader.pack(irheader.IRHeader((1.0, 3.0), n), b"") for n in (4, 5)]
    path = write(tmp_path / "x.rec", *([header] * header_first), *images, *identities, *([header] * (not header_first)))
    info = inspect(path)
    assert (info.n_records, info.faces) == (6, FacesInfo(n_images=3, n_identities=2))
    assert (info.key_range, info.label_width, info.labels) == ((0, 5), (2, 2), {0.0: 1, 1.0: 2})
    code, out, _ = cli("info", path)
    assert code == 0
    assert "InsightFace: 3 images are samples; the header and 2 identities are not" in out


def test_info_of_metadata_alone_has_no_labels(tmp_path):
    path = write(tmp_path / "x.rec", irheader.pack(irheader.IRHeader((1.0, 3.0), 7), b""))
    info = inspect(path)
    assert (info.n_records, info.label_width, info.labels, info.faces) == (1, (0, 0), {}, None)


TEXTS = [b"record_%d" % number for number in range(5)]


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_records_of_plain_bytes_are_named_and_not_called_damaged(tmp_path, cli):
    path = write(tmp_path / "x.rec", *TEXTS)
    info = inspect(path)
    assert (info.n_records, info.formats, info.key_range, info.label_width) == (5, {"text": 5}, None, (0, 0))
    code, out, _ = cli("info", path)
    assert code == 0
    assert "content    5 records of plain bytes (text), without an image header; 8 bytes on average\n" in out
    assert "recordkit.recordio.MXRecordIO reads them\n" in out
    assert [(record.key, record.format, record.n_bytes) for record in head(path, 2)] == [(None, "text", 8)] * 2
    assert cli("head", path, "-n", 1)[1].splitlines()[1].split() == ["0", "-", "text", "8", "-"]


def test_arrays_behind_image_headers_have_type_and_shape(tmp_path, cli):
    arrays = [npy(np.zeros((3, 4), np.float32)), npy(np.zeros(2)), b"\x93NUMPY\x01\0\7\0'damage"]
    path = write(tmp_path / "x.rec", *(irheader.pack(irheader.IRHeader(2.0, n), a) for n, a in enumerate(arrays)))
    assert [(record.format, record.dtype, record.shape) for record in head(path)] == [
        ("npy", "float32", (3, 4)),
        ("npy", "float64", (2,)),
        ("npy", None, None),
    ]
    assert "  float32 (3, 4)  2\n" in cli("head", path)[1]
    out = cli("info", path)[1]
    assert "content    3 records of npy behind an image header, no image; " in out
    assert "keys       0 to 2\n" in out and "images " not in out


def test_info_has_the_exact_labels(tiny_folder, tmp_path, cli):
    (tmp_path / "a.lst").write_text("7\t17186135\tcat/0.jpg\n8\t3\tdog/1.jpg\n")
    pack(ListSource(tmp_path / "a.lst", tiny_folder), tmp_path / "x", plan=PackPlan(exact_labels=True))
    info = inspect(tmp_path / "x.rec")
    assert (info.labels, info.label_ranges) == ({3: 1, 17186135: 1}, [(3, 17186135)])
    assert "1 per record, 3 to 17186135\n" in cli("info", tmp_path / "x.rec")[1]


def test_unknown_bytes_behind_image_headers_are_not_called_images(tmp_path, cli):
    path = write(tmp_path / "x.rec", *(irheader.pack(irheader.IRHeader(1.0, n), bytes(9)) for n in range(2)))
    assert "content    no known image format: 2 unknown; 9 bytes on average\n" in cli("info", path)[1]
