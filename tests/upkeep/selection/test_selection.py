"""The samples that conditions select, alone and together, by both engines."""

import numpy as np
import pytest
from images import picture, pixels, save, write

from recordkit import RecordDataset
from recordkit.errors import FormatError, NotFoundError, PlanError
from recordkit.formats import idx
from recordkit.formats.frame import RecordWriter
from recordkit.formats.irheader import IRHeader, pack
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.selection import SampleTable, Selection

LABELS = [3.0, 1.0, 3.0, 2.0, 1.0, 3.0, 3.0, 0.5]
KEYS = [10, 11, 12, 20, 21, 5, 6, 7]


@pytest.fixture(autouse=True, params=["python", "native"])
def each_engine(request):
    """Read records by each engine."""
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


def make(path, labels, keys=None, payloads=None):
    """Write a .rec file and its index."""
    keys = range(len(labels)) if keys is None else keys
    payloads = [b"x" * number for number in range(len(labels))] if payloads is None else payloads
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        rows = zip(labels, keys, payloads, strict=True)
        offsets = [writer.write(pack(IRHeader(label, key), payload)) for label, key, payload in rows]
    path.with_suffix(".idx").write_bytes(idx.lines(list(keys), offsets))
    return path


@pytest.fixture
def rec(tmp_path):
    return make(tmp_path / "a.rec", LABELS, KEYS)


def rows(path, **options):
    with RecordDataset(path) as dataset:
        return Selection(**options).rows(dataset).tolist()


def test_a_class_without_records_is_an_error_that_names_the_others(rec):
    rec.with_suffix(".json").write_text('{"classes": {"cat": 1, "dog": 2, "emu": 9}}')
    with pytest.raises(PlanError, match="classes with records, as cat, dog, got emu, label 9, without any"):
        rows(rec, classes=["emu"])
    rec.with_suffix(".json").write_text('{"classes": {"emu": 9}}')
    with pytest.raises(PlanError, match="classes with records, got emu"):
        rows(rec, classes=["emu"])


def test_without_conditions_all_samples_are_selected(rec):
    assert rows(rec) == list(range(8))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"keys": "10:13"}, [0, 1, 2]),
        ({"keys": "20, 5:7"}, [3, 5, 6]),
        ({"keys": ":7,21:"}, [4, 5, 6]),
        ({"keys": [7, 10]}, [0, 7]),
        ({"labels": [3, 0.5]}, [0, 2, 5, 6, 7]),
        ({"where": "label == 3"}, [0, 2, 5, 6]),
        ({"where": "bytes % 2"}, None),
        ({"where": "bytes % 2 == 0 and not label == 3"}, [4]),
        ({"where": "1 < label <= 2 or key in [5, -1]"}, [3, 5]),
        ({"where": "key // 10 - 1 == 0 and (label * 2 != 2)"}, [0, 2]),
        ({"where": "label0 not in (3, 1)"}, [3, 7]),
        ({"where": "label == 0.5 and n_labels == 1"}, [7]),
        ({"where": "True and key / 2 > 10"}, [4]),
        ({"every": 3}, [0, 3, 6]),
        ({"every": 3, "start": 1}, [1, 4, 7]),
        ({"first_per_class": 2}, [0, 1, 2, 3, 4, 7]),
        ({"first": 2}, [0, 1]),
        ({"first": 99}, list(range(8))),
        ({"labels": [3], "every": 2, "first": 1, "start": 1}, [2]),
        ({"labels": [3, 1], "where": "key < 12", "first_per_class": 1}, [0, 1]),
    ],
)
def test_conditions_select_what_they_say(rec, options, expected):
    if expected is None:
        with pytest.raises(PlanError, match="where: expected a condition"):
            rows(rec, **options)
    else:
        assert rows(rec, **options) == expected


def test_a_sample_is_drawn_by_the_seed_and_keeps_its_order(rec):
    drawn = {tuple(rows(rec, sample=4, seed=seed)) for seed in range(20)}
    assert len(drawn) > 10 and all(list(each) == sorted(set(each)) and len(each) == 4 for each in drawn)
    assert rows(rec, sample=4, seed=7) == rows(rec, sample=4, seed=7)
    assert rows(rec, sample=3, seed=0, labels=[3]) == [0, 2, 5]


def test_a_list_gives_the_order(rec, tmp_path):
    (tmp_path / "a.lst").write_text("7\t0\ta.jpg\n10\t0\tb.jpg\n21\t0\tc.jpg\n")
    assert rows(rec, listed=tmp_path / "a.lst") == [7, 0, 4]
    assert rows(rec, listed=tmp_path / "a.lst", keys="10:30") == [0, 4]


def test_keys_come_from_a_file(rec, tmp_path):
    (tmp_path / "keys.txt").write_text("21\n\n10\r\n")
    assert rows(rec, keys=tmp_path / "keys.txt") == [0, 4]
    (tmp_path / "keys.txt").write_text("21\ncat\n")
    with pytest.raises(FormatError, match="keys.txt: line 2: expected a whole number"):
        rows(rec, keys=tmp_path / "keys.txt")
    with pytest.raises(NotFoundError):
        rows(rec, keys=tmp_path / "key.txt")


def test_classes_are_names_of_the_map(tiny_folder, tmp_path):
    import recordkit as rk

    rk.pack(tiny_folder, tmp_path / "a", engine="python")
    with RecordDataset(tmp_path / "a") as dataset:
        assert set(dataset.labels[Selection(classes=["owl", "cat"]).rows(dataset)].tolist()) == {0, 2}
        assert len(Selection(classes=["owl"], labels=[1]).rows(dataset)) == 8
        with pytest.raises(PlanError, match="expected cat, dog, owl, got cats; did you mean cat?"):
            Selection(classes=["cats"]).rows(dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": "10,13,14"}, "keys: expected keys of the dataset, 5 to 21, got 13 and 1 more, which no record has"),
        ({"keys": [13]}, "got 13, which no record has"),
        ({"keys": "10:9"}, "expected a range with a key or more.*got '10:9'"),
        ({"keys": "1:2:3"}, "expected keys and ranges as 0:1000,1500, got '1:2:3'"),
        ({"keys": "-5"}, "got '-5'"),
        ({"labels": [3, 4]}, "labels: expected 0.5, 1, 2, 3, got 4, which none of the 4 labels is"),
        ({"classes": ["cat"]}, "classes: expected a dataset with class names, got none; give labels"),
        (
            {"where": "label == 7"},
            "no record is selected: expected some of 8 records, got none with 'label == 7'; "
            "the first labels are 0.5, 1, 2, 3$",
        ),
        ({"where": "key == 999"}, "no record is selected: expected some of 8 records, got none with 'key == 999'$"),
        ({"where": "label1 == 7"}, "where: expected 2 labels or more, got 1 in the record with key 10"),
        ({"where": "1 / (label - 2) > 1"}, "expected a divisor that is not 0, got '1 / .label - 2.' at character 1"),
        ({"where": "key * 9223372036854775807 > 1"}, "expected numbers that stay below 2.*63"),
        ({"sample": 9}, "sample: expected 1 to 8 records, got 9"),
        ({"every": 0}, "every: expected 1 or more, got 0"),
        ({"seed": -1}, "seed: expected 0 to 2"),
        ({"start": 8}, "no record is selected"),
    ],
)
def test_what_cannot_be_selected_is_an_error(rec, options, message):
    with pytest.raises(PlanError, match=message):
        rows(rec, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label = 3", "expected ==, got '=' at character 7"),
        ("bytes => 1300", "expected >=, got '=>' at character 7"),
        ("key > 1 && key < 3", "expected and, got '&&' at character 9"),
        ("label == 3 kye", "expected a condition as .*, got 'kye' at character 12"),
        ("(key > 3", "got '[(]' was never closed at character 1"),
        ('key > 3 and class == "cat"', "got 'class' at character 13; an expression has no class names: give them as"),
        ("class_name == 3", "got 'class_name' at character 1; an expression has no class names"),
        ("", "got invalid syntax at the end"),
        ("key ==", "got .* at (character|the end)"),
        ("__import__('os')", "expected names, numbers.*got \"__import__.'os'.\" at character 1"),
        ("label == 3 and keyy > 1", "expected label, label1, key, .*got 'keyy' at character 16"),
        ("label == 'cat'", "expected a number below 2.*63, got \"'cat'\" at character 10; .* give them as classes"),
        ("label ** 9 > 1", "at character 1"),
        ("key.real > 1", "got 'key.real' at character 1"),
        ("[k for k in key] == 1", "character 1"),
        ("label in [key]", "expected in .* with numbers, got '.key.' at character 10"),
        ("label in 3", "got '3' at character 10"),
        ("label == " + "9" * 1500, "expected a number below 2..63, got '9{57}[.]{3}' at character 10"),
        ("label is 3", "expected a comparison as"),
        ("1 + (key > 3) > 1", "expected a number, got 'key > 3' at character 6"),
        ("key and label > 1", "expected a comparison, got 'key' at character 1"),
        ("9223372036854775808 > key", "expected a number below"),
        ("1e999 > key", "expected a number below"),
        ("(" * 900 + "key" + ")" * 900 + "> 1", "expected a condition"),
        ("not " * 100 + "key > 1", "expected at most 50 levels"),
        ("key > 1 or " * 300 + "key > 1", "at most 2000 characters"),
        ("key > 1\0", "expected a condition"),
        ("'ü' == label", "got \"'ü'\" at character 1"),
    ],
)
def test_another_text_is_no_expression(text, message):
    with pytest.raises(PlanError, match=message):
        Selection(where=text)


def test_labels_that_a_record_does_not_have_are_asked_for_where_it_has_them_only(tmp_path):
    rec = make(tmp_path / "a.rec", [1.0, (1.0, 4.0), (2.0, 4.0, 6.0), 5.0])
    assert rows(rec, where="n_labels > 1 and label1 == 4") == [1, 2]
    assert rows(rec, where="n_labels < 2 or label1 == 4 and label == 2") == [0, 2, 3]


def test_bytes_are_those_of_the_payload_of_any_record(tmp_path):
    magic = bytes.fromhex("0a23d7ce")  # at a multiple of 4 it divides a record into parts
    payloads = [b"", b"abc", magic + b"12345", b"12" * 5000, b"\0" + magic]
    rec = make(tmp_path / "a.rec", [1.0, (1.0, 2.0), 3.0, (5.0,), 1.0], payloads=payloads)
    with RecordDataset(rec) as dataset:
        sizes = SampleTable(dataset).payload_sizes(np.arange(5)[::-1])
    assert sizes.tolist() == [len(payload) for payload in payloads][::-1]


def test_sizes_of_images_are_read_for_the_samples_that_need_them(tmp_path):
    images = [
        save(picture(pixels(10, 20)), "PNG"),
        b"no image",
        save(picture(pixels(30, 5)), "JPEG"),
        b"P5\n7 9\n255\n",
    ]
    rec = write(tmp_path / "a.rec", images, [0.0, 1.0, 0.0, 0.0])
    assert rows(rec, where="label == 0 and width > 6") == [0, 3]
    assert rows(rec, where="label == 0 and height in [30, 9]") == [2, 3]
    with pytest.raises(FormatError, match="a.rec: byte .*: key 1: expected an image whose header says its size"):
        rows(rec, where="width > 6")


def test_the_rows_of_several_inputs_are_counted_on(tmp_path):
    first, second = make(tmp_path / "a.rec", [1.0, 2.0]), make(tmp_path / "b.rec", [2.0, (1.0, 3.0)])
    with Inputs([first, second]) as inputs:
        assert Selection(labels=[2]).rows(inputs).tolist() == [1, 2]
        assert Selection(keys="1").rows(inputs).tolist() == [1, 3]
        assert Selection(where="n_labels == 2 and label1 == 3 and bytes == 1").rows(inputs).tolist() == [3]


def test_a_list_needs_keys_of_one_record_each(tmp_path):
    rec = make(tmp_path / "a.rec", [1.0, 2.0, 3.0], [4, 5, 4])
    for text, message in [
        ("5\t0\ta\n9\t0\tb\n", "a.lst: expected keys of the dataset, 4 to 5, got 9, which no record has"),
        ("4\t0\ta\n", "a.lst: expected keys that one record has each, got 4, which 2 records have"),
        ("5\t0\ta\n5\t0\ta\n", "a.lst: expected each key once, got 5 again"),
    ]:
        (tmp_path / "a.lst").write_text(text)
        with pytest.raises(PlanError, match=message):
            rows(rec, listed=tmp_path / "a.lst")


def test_exact_labels_are_compared_exactly(tmp_path):
    rec = make(tmp_path / "a.rec", [float(2**53), float(2**53), 3.0])
    np.save(tmp_path / "a.labels.npy", np.array([2**53, 2**53 + 1, 3]))
    assert rows(rec, where=f"label == {2**53 + 1}") == [1]
    assert rows(rec, labels=[2**53 + 1]) == [1]
    with pytest.raises(PlanError, match="got 3.5, which none of the 3 labels is"):
        rows(rec, labels=[3.5])


def test_a_damaged_record_is_an_error(rec):
    content = bytearray(rec.read_bytes())
    content[40:44] = b"\x09\0\0\0"  # the number of labels of the second record, whose head is at byte 32
    rec.write_bytes(content)
    with pytest.raises(FormatError, match="a.rec: byte 32: expected an image header and its labels, got 25 bytes"):
        rows(rec, where="bytes > 1")


def test_one_value_need_not_be_a_list(rec):
    (rec.parent / "a.json").write_text('{"classes": {"cat": 1}}')
    with RecordDataset(rec) as dataset:
        for one, several in (
            (Selection(classes="cat"), Selection(classes=["cat"])),
            (Selection(labels=3), Selection(labels=np.array([3]))),
            (Selection(keys=5), Selection(keys=[5])),
        ):
            assert one.rows(dataset).tolist() == several.rows(dataset).tolist()
            assert one.as_json() == several.as_json() and not one.is_empty
    assert not Selection(labels=0).is_empty and not Selection(keys=0).is_empty
