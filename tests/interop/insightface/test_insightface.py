"""InsightFace's face datasets: written as its own builder does, read with what is wrong in them, and back."""

import contextlib
import json
import os

import numpy as np
import pytest

import recordkit as rk
from recordkit import codec
from recordkit.errors import PublishError, SourceError
from recordkit.formats.insightface import faces
from recordkit.interop.insightface import arrangement, is_insightface, read_insightface, write_insightface
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack, unpack
from recordkit.sources import open_source
from recordkit.upkeep import verify


def face(level, size=(112, 112), kind="png"):
    return codec.encode(np.full((*size, 3), level, np.uint8), kind)


def write_rec(prefix, records):
    """Write (key, label or labels, payload) of each record."""
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, label, payload in records:
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), payload))
    return rk.RecordDataset(f"{prefix}.rec")


def contents(path):
    with rk.RecordDataset(path) as dataset:
        return [(sample.key, sample.label, bytes(sample.payload)) for sample in dataset]


@pytest.fixture
def people(tmp_path):
    """A folder of 3 people with 1, 2 and 3 images."""
    for number, name in enumerate(("alice", "bob", "carol")):
        (tmp_path / "people" / name).mkdir(parents=True)
        for image in range(number + 1):
            (tmp_path / "people" / name / f"{image}.png").write_bytes(face(40 * number + image))
    return tmp_path / "people"


@pytest.fixture(params=["native", "python"], autouse=True)
def both_engines(request):
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


def test_the_files_are_those_of_insightfaces_builder(people, tmp_path):
    """The records that ``RecBuilder`` writes: images, identities, and the header with id2 1."""
    report = write_insightface(open_source(people), tmp_path / "faces")
    folder = tmp_path / "faces"
    images = sorted(people.rglob("*.png"))
    with MXIndexedRecordIO(f"{tmp_path}/x.idx", f"{tmp_path}/x.rec", "w") as writer:
        for key, (label, path) in enumerate(zip([0, 1, 1, 2, 2, 2], images, strict=True), 1):
            writer.write_idx(key, pack(IRHeader(0, label, key, 0), path.read_bytes()))
        for key, keys in [(7, (1, 2)), (8, (2, 4)), (9, (4, 7))]:
            writer.write_idx(key, pack(IRHeader(0, keys, key, 0), b""))
        writer.write_idx(0, pack(IRHeader(0, (7, 10), 0, 1), b""))
    for suffix in (".rec", ".idx"):
        assert (folder / f"train{suffix}").read_bytes() == (tmp_path / f"x{suffix}").read_bytes()
    assert (folder / "property").read_text() == "3,112,112\n"
    assert (folder / "train.lst").read_text().splitlines()[1] == "2\t1.000000\tbob/0.png"
    (done,) = report.sets
    assert (done.n_images, done.n_classes, done.n_identities, done.notes) == (6, 3, 3, ())
    assert verify(folder / "train.rec").ok
    assert rk.RecordDataset(folder / "train.rec").classes == {"alice": 0, "bob": 1, "carol": 2}
    assert rk.RecordDataset(folder / "train.rec", check=True)[0].key == 1


def test_a_dataset_that_is_read_and_written_again_is_the_same(people, tmp_path):
    write_insightface(open_source(people), tmp_path / "a")
    source = read_insightface(tmp_path / "a")
    assert source.notes == [] and source.classes == {"alice": 0, "bob": 1, "carol": 2}
    report = write_insightface(source, tmp_path / "b")
    assert report.sets[0].notes == ()
    for name in ("train.rec", "train.idx", "train.crc", "property"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert rk.pack(source, tmp_path / "plain", plan=rk.PackPlan(shuffle=False)).ok
    assert contents(tmp_path / "plain.rec") == contents(tmp_path / "a" / "train.rec")
    assert not rk.RecordDataset(tmp_path / "plain").has_metadata


def test_images_of_one_identity_come_together_in_their_order(tmp_path):
    records = [(5, 2.0, face(1)), (9, 0.0, face(2)), (7, 2.0, face(3)), (8, 0.0, face(4))]
    notes = []
    write_insightface(write_rec(tmp_path / "a", records), tmp_path / "faces", on_note=notes.append)
    assert contents(tmp_path / "faces" / "train.rec") == [
        (1, 0.0, face(2)), (2, 0.0, face(4)), (3, 2.0, face(1)), (4, 2.0, face(3)),
    ]  # fmt: skip
    assert (tmp_path / "faces" / "property").read_text() == "3,112,112\n"
    assert notes == [
        f"{tmp_path / 'faces'}: labels are 0 to 2, and 1 number of these has no image; "
        "'recordkit relabel' gives images the numbers that are free",
        f"{tmp_path / 'faces'}: the keys are numbered anew, from 1 on in the order of the labels",
    ]
    assert not (tmp_path / "faces" / "train.lst").exists()  # a .rec file has no names of images


def test_wrong_ranges_are_counted_and_written_anew_from_the_labels(tmp_path):
    """The ends of ranges are moved as rounding moved them in Glint360K, and one range is no range."""
    images = [(1, (4.0, 1.0), face(1)), (2, (5.0, 1.0), face(2)), (3, (5.0, 1.0), face(3)), (4, (9.0, 1.0), face(4))]
    ranges = [(5, (1.0, 3.0), b""), (6, (2.0, 4.0), b""), (7, (float("nan"), 1e30), b""), (0, (5.0, 8.0), b"")]
    write_rec(tmp_path / "train", images + ranges).close()
    (tmp_path / "property").write_text("3,112,112\n")
    for index in ("kept", "missing"):
        if index == "missing":
            (tmp_path / "train.idx").unlink()
        with (
            pytest.warns(UserWarning, match="the index does not exist")
            if index == "missing"
            else contextlib.nullcontext()
        ):
            source = read_insightface(tmp_path)
        assert source.notes == [
            "images have several labels; the first is the identity",
            "2 of 3 identity records name other images than all those of one label; the labels of the images are taken",
            "property says 3 classes, and the largest label is 9",
        ]
    report = write_insightface(source, tmp_path / "fixed")
    assert "the first of up to 2 labels is the identity, and the others are left out" in report.sets[0].notes
    fixed = read_insightface(tmp_path / "fixed")
    assert fixed.notes == [] and [entry.labels for entry in fixed.entries(range(4))] == [(4,), (5,), (5,), (9,)]


def test_a_shuffled_dataset_has_images_alone_with_keys_from_0(people, tmp_path):
    write_insightface(open_source(people), tmp_path / "a")
    report = write_insightface(read_insightface(tmp_path / "a"), tmp_path / "b", shuffle_seed=3)
    dataset = rk.RecordDataset(tmp_path / "b" / "train.rec")
    assert dataset.keys.tolist() == [0, 1, 2, 3, 4, 5] and not dataset.has_metadata
    assert dataset.labels.tolist() != sorted(dataset.labels.tolist())
    pairs = {(sample.label, bytes(sample.payload)) for sample in dataset}
    assert pairs == {(label, payload) for _, label, payload in contents(tmp_path / "a" / "train.rec")}
    with MXIndexedRecordIO(f"{tmp_path}/b/train.idx", f"{tmp_path}/b/train.rec", "r") as reader:
        assert unpack(reader.read_idx(0))[0].flag == 0  # by which InsightFace's readers know a file without identities
    assert (tmp_path / "b" / "property").read_text() == "3,112,112\n" and verify(tmp_path / "b" / "train.rec").ok
    assert report.sets[0].notes == ("the keys are numbered anew, from 0 on in the new order",)
    again = write_insightface(read_insightface(tmp_path / "b"), tmp_path / "c", shuffle_seed=3)
    assert again.n_images == 6


@pytest.mark.parametrize("label", [-1.0, 0.5, float("nan"), float("inf"), 2.0**24])
def test_a_label_that_is_no_identity_is_refused_before_anything_is_written(tmp_path, label):
    dataset = write_rec(tmp_path / "a", [(0, 0.0, face(1)), (7, label, face(2))])
    with pytest.raises(SourceError, match="key 7: expected the number of an identity, 0 to 16777215, got the label"):
        write_insightface(dataset, tmp_path / "faces")
    assert not (tmp_path / "faces").exists()


def test_exact_labels_beyond_float32_are_refused(tmp_path, tiny_folder):
    (tmp_path / "a.lst").write_text("0\t16777217\tcat/0.jpg\n")
    rk.pack(open_source(tmp_path / "a.lst", root=tiny_folder), tmp_path / "a", plan=rk.PackPlan(exact_labels=True))
    with pytest.raises(SourceError, match="got the label 16777217"):
        write_insightface(rk.RecordDataset(tmp_path / "a"), tmp_path / "faces")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (face(2, (112, 96)), r"expected an image of 112 x 112 pixels as a.rec: sample 0, got 112 x 96"),
        (face(2, kind="raw"), r"expected a JPEG, PNG or BMP image, which InsightFace's readers decode, got raw"),
        (face(2)[:12], r"key 1: expected a JPEG, PNG or BMP image, .* got png"),
        (b"text", r"a.rec: sample 1: key 1: "),
    ],
)
def test_images_that_training_code_cannot_batch_are_refused(tmp_path, payload, text):
    dataset = write_rec(tmp_path / "a", [(0, 0.0, face(1)), (1, 0.0, payload)])
    with pytest.raises(SourceError, match=text):
        write_insightface(dataset, tmp_path / "faces")
    assert os.listdir(tmp_path) and not [name for name in os.listdir(tmp_path) if "faces" in name]


def test_another_size_is_a_note(tmp_path):
    dataset = write_rec(tmp_path / "a", [(1, 0.0, face(1, (32, 24)))])
    notes = []
    report = write_insightface(dataset, tmp_path / "faces", on_note=notes.append)
    assert (tmp_path / "faces" / "property").read_text() == "1,32,24\n"
    assert report.sets[0].notes == ("images are 32 x 24, and InsightFace's networks take 112 x 112",)
    assert notes == [f"{tmp_path / 'faces'}: {report.sets[0].notes[0]}"]


def test_a_folder_with_files_and_several_sets_are_refused(people, tmp_path):
    source = open_source(people)
    with pytest.raises(PublishError, match="expected no file, got the folder of a file that is read"):
        write_insightface(source, people)
    with pytest.raises(SourceError, match="expected one set, because the format holds one, got 2: train, val"):
        write_insightface({"train": source, "val": source}, tmp_path / "faces")


def test_what_rounding_costs_is_said_before_it_happens():
    """Files of more than 2**24 records, by their bounds alone."""
    even = np.arange(1, 2**24 + 9, 2)  # first keys 1, 3, 5, ... and the end, which is odd
    (note,) = arrangement._rounding_notes(even)
    n_lost = sum(
        (int(end) - int(first)) - (labels[1] - labels[0])
        for first, end in zip(even[-8:-1], even[-7:], strict=True)
        for labels in [faces.identity_header(0, int(first), int(end)).labels]
    )
    assert f"readers of the record with key 0 miss 1 image, those of the identity records miss {n_lost:g} image" in note
    assert arrangement._rounding_notes(np.array([1, 2**23, 2**24 - 9])) == []


def test_commands_convert_both_ways(people, tmp_path, cli):
    code, out, error = cli("export", people, tmp_path / "faces", "--to", "insightface", "--dry-run")
    assert code == 0 and "6 images would be written" in out and not (tmp_path / "faces").exists(), error
    code, out, error = cli("export", people, tmp_path / "faces", "--to", "insightface", "--json")
    assert code == 0 and json.loads(out)["sets"][0]["n_identities"] == 3, error
    assert is_insightface(tmp_path / "faces") and is_insightface(tmp_path / "faces" / "train.rec")
    code, out, error = cli("import", tmp_path / "faces", tmp_path / "plain")
    assert code == 0 and len(rk.RecordDataset(tmp_path / "plain")) == 6, error
    assert not is_insightface(tmp_path / "plain.rec")
    code, out, error = cli("export", tmp_path / "faces", tmp_path / "again", "--name", "{class}/{key}")
    assert code == 0 and (tmp_path / "again" / "bob" / "2.png").exists(), error
    code, out, error = cli("export", people, tmp_path / "x", "--to", "insightface", "--shuffle-seed", 1)
    assert code == 0 and not rk.RecordDataset(tmp_path / "x" / "train.rec").has_metadata, error
    code, _, error = cli("export", people, tmp_path / "y", "--shuffle-seed", 1)
    assert code == 2 and "--shuffle-seed" in error


def test_a_hostile_property_file_is_a_note(people, tmp_path):
    write_insightface(open_source(people), tmp_path / "a")
    for content in (b"\x1b[2J,1,1", b"9" * 100_000, b""):
        (tmp_path / "a" / "property").write_bytes(content)
        (note,) = read_insightface(tmp_path / "a").notes
        assert note.endswith("the file is not needed") and "\x1b" not in note
