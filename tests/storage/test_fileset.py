"""Reading the files of a dataset, also if its publishing was interrupted."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from storage.faults import recover

from recordkit.errors import FormatError
from recordkit.formats import json_file
from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.storage.names import SUFFIXES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_set_is_found_by_its_prefix_or_by_any_of_its_files(suffix, tmp_path):
    for name in ("a", f"a{suffix}"):
        files = Fileset(tmp_path / name)
        assert files.prefix == tmp_path / "a"
        assert [files.path(name) for name in SUFFIXES] == [tmp_path / f"a{name}" for name in SUFFIXES]


def test_a_record_file_without_a_suffix_is_found_unless_there_is_one_with_it(tmp_path):
    (tmp_path / "a.rec_0").touch()
    assert Fileset(tmp_path / "a.rec_0").path(".rec") == tmp_path / "a.rec_0"
    assert Fileset(tmp_path / "a.rec_0").path(".idx") == tmp_path / "a.rec_0.idx"
    (tmp_path / "a.rec_0.rec").touch()
    assert Fileset(tmp_path / "a.rec_0").path(".rec") == tmp_path / "a.rec_0.rec"


def test_dots_in_a_prefix_are_part_of_it(tmp_path):
    assert Fileset(tmp_path / "train.v2").path(".rec") == tmp_path / "train.v2.rec"
    assert Fileset(str(tmp_path / "train.v2.idx")).path(".rec") == tmp_path / "train.v2.rec"


@pytest.mark.parametrize("path", [".", "/", ""])
def test_a_folder_without_a_name_is_refused(path):
    with pytest.raises(FormatError, match=r"expected a \.rec file or its prefix, got a folder"):
        Fileset(path).path(".rec")


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"{", "Expecting property name.*"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff.*"),
        (b"[1]", "a JSON list"),
        (b"null", "a JSON NoneType"),
        (b"[" * 100_000, "one nested too deeply"),
    ],
)
def test_a_description_that_is_not_a_json_object_is_named(content, got, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.json: expected a JSON object, got {got}; remove it, or"):
        Fileset(tmp_path / "a").description()


def test_a_description_that_is_too_large_or_a_folder_is_not_read(tmp_path):
    with open(tmp_path / "a.json", "wb") as file:
        file.truncate(json_file.MAX_BYTES + 1)
    with pytest.raises(FormatError, match="expected a JSON object of at most 16777216 bytes, got 16777217 bytes; rem"):
        Fileset(tmp_path / "a").description()
    (tmp_path / "b.json").mkdir()
    with pytest.raises(IsADirectoryError):
        Fileset(tmp_path / "b").description()


def test_classes_are_names_and_labels(tmp_path):
    (tmp_path / "a.json").write_text('{"classes": {"cat": 0, "dog": 1}}')
    assert Fileset(tmp_path / "a").classes() == {"cat": 0, "dog": 1}


@pytest.mark.parametrize("classes", ['{"a": [1]}', '{"a": 1.5}', '["a"]', '{"a": true}'])
def test_classes_that_are_not_names_and_whole_numbers_are_an_error(classes, tmp_path):
    (tmp_path / "a.json").write_text(f'{{"classes": {classes}}}')
    with pytest.raises(FormatError) as caught:
        Fileset(tmp_path / "a").classes()
    assert str(caught.value) == (
        f"{tmp_path / 'a.json'}: expected classes as names and whole numbers; remove it, or pack "
        "again to another prefix"
    )


def test_sets_of_other_tools_have_no_description_and_no_exact_labels(tmp_path):
    assert Fileset(tmp_path / "a").description() == {} and Fileset(tmp_path / "a").classes() is None
    assert Fileset(tmp_path / "a").exact_labels() is None


@pytest.fixture
def records(tmp_path):
    """A file of 96 bytes, in which 3 records may be."""
    (tmp_path / "a.rec").write_bytes(bytes(96))


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("labels", [[5, -(2**63)], [[1, 2], [3, 4]], []])
def test_exact_labels_come_back_as_int64(labels, tmp_path):
    np.save(tmp_path / "a.labels.npy", np.array(labels, np.int64))
    got = Fileset(tmp_path / "a").exact_labels()
    assert (got.dtype, got.tolist()) == (np.int64, labels)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", r"an array in \.npy form, got an empty file"),
        (b"\x93NUMPY", r"the header of a \.npy file, got damage: EOF: reading magic string.*"),
        (b"junk" * 9, r"an array in \.npy form, got text"),
        (b'{"a": 1}', r"an array in \.npy form, got json"),
    ],
)
def test_exact_labels_that_are_not_an_npy_file_are_an_error(content, problem, tmp_path):
    (tmp_path / "a.labels.npy").write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.labels\.npy: expected {problem}$"):
        Fileset(tmp_path / "a").exact_labels()


@pytest.mark.usefixtures("records")
def test_exact_labels_that_are_an_npz_file_are_an_error(tmp_path):
    np.savez(tmp_path / "labels.npz", np.arange(3))
    with open(tmp_path / "a.rec", "wb") as file:
        file.truncate(1000)
    (tmp_path / "labels.npz").rename(tmp_path / "a.labels.npy")
    with pytest.raises(FormatError, match=r"a\.labels\.npy: expected an array in \.npy form, got npz$"):
        Fileset(tmp_path / "a").exact_labels()


@pytest.mark.usefixtures("records")
def test_exact_labels_that_the_records_cannot_have_are_refused_by_their_size(tmp_path):
    np.save(tmp_path / "a.labels.npy", np.zeros(2 * 96 // 8 + 4096 // 8))
    with pytest.raises(FormatError, match="expected the exact labels of these records of at most 4288 bytes, got 4416"):
        Fileset(tmp_path / "a").exact_labels()


@pytest.mark.usefixtures("records")
def test_no_flipped_bit_in_the_head_of_exact_labels_escapes_as_another_error(tmp_path):
    np.save(tmp_path / "a.labels.npy", np.arange(3))
    whole = (tmp_path / "a.labels.npy").read_bytes()
    for bit in range(128 * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "a.labels.npy").write_bytes(damaged)
        try:
            Fileset(tmp_path / "a").exact_labels()
        except FormatError as error:
            assert "a.labels.npy: expected" in str(error)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((), np.int64), np.zeros((1, 1, 1), np.int64)])
def test_exact_labels_of_another_type_or_rank_are_an_error(array, tmp_path):
    np.save(tmp_path / "a.labels.npy", array)
    with pytest.raises(FormatError) as caught:
        Fileset(tmp_path / "a").exact_labels()
    path, got = tmp_path / "a.labels.npy", f"{array.dtype} of rank {array.ndim}"
    assert str(caught.value) == f"{path}: expected int64 of rank 1 or 2, got {got}"


@pytest.mark.usefixtures("records")
def test_pickled_exact_labels_are_not_run(tmp_path):
    np.save(tmp_path / "a.labels.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(FormatError, match="expected an array of numbers, got pickled objects"):
        Fileset(tmp_path / "a").exact_labels()


def committed_but_not_moved(folder):
    """Write an old set with exact labels and a new one without, as if killed right after the commit."""
    np.save(folder / "a.labels.npy", np.zeros(3, np.int64))
    (folder / "a.json").write_text('{"set": "old"}')
    staging = folder / ".a.staging"
    staging.mkdir()
    (staging / "a.rec").write_text("new")
    (staging / "commit").write_text(json.dumps({"publish": ["a.rec"], "remove": ["a.labels.npy", "a.json"]}))


def test_no_old_file_is_read_with_a_set_that_is_being_moved(tmp_path):
    committed_but_not_moved(tmp_path)
    files = Fileset(tmp_path / "a.rec")
    assert files.path(".rec").read_text() == "new"
    assert files.exact_labels() is None and files.description() == {}


def test_files_that_move_while_a_set_is_open_are_found_at_their_final_names(tmp_path):
    committed_but_not_moved(tmp_path)
    files = Fileset(tmp_path / "a")
    recover(tmp_path / "a")
    assert files.path(".rec") == tmp_path / "a.rec" and files.exact_labels() is None


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
@pytest.mark.parametrize("name", ["a", "b"])
def test_other_files_named_staging_do_not_disturb_readers(make, name, tmp_path):
    make(tmp_path / f".{name}.staging")
    (tmp_path / "a.rec").touch()
    assert Fileset(tmp_path / "a").path(".rec") == tmp_path / "a.rec"


def test_a_fingerprint_is_the_files_sha256(tmp_path):
    content = bytes(range(256)) * 9000  # more than one read
    (tmp_path / "a").write_bytes(content)
    assert fingerprint(tmp_path / "a") == hashlib.sha256(content).hexdigest()
