"""InsightFace's verification sets: to a .rec file and back, with the same images and answers."""

import os
import pickle

import numpy as np
import pytest

import recordkit as rk
from recordkit import codec
from recordkit.errors import FormatError, PublishError, SourceError
from recordkit.formats.insightface.verification_pairs import open_pairs
from recordkit.interop.insightface import is_verification_set, read_verification_set, write_verification_set
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack

IMAGES = [codec.encode(np.full((4, 4, 3), level, np.uint8), "jpg") for level in range(0, 240, 40)]
SAME = [True, False, True]


@pytest.fixture(params=["native", "python"], autouse=True)
def both_engines(request):
    request.getfixturevalue("require_native" if request.param == "native" else "no_native")


def write_rec(prefix, rows):
    with MXIndexedRecordIO(f"{prefix}.idx", f"{prefix}.rec", "w") as writer:
        for key, (labels, image) in enumerate(rows):
            writer.write_idx(key, pack(IRHeader(0, labels, key, 0), image))
    return rk.RecordDataset(prefix)


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("as_arrays", [False, True])
def test_a_set_that_is_imported_and_exported_has_the_same_images_and_answers(tmp_path, protocol, as_arrays, cli):
    images = [np.frombuffer(image, np.uint8).reshape(-1, 1) for image in IMAGES] if as_arrays else IMAGES
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps((images, SAME), protocol=protocol))
    code, out, error = cli("import", tmp_path / "lfw.bin", tmp_path / "lfw")
    assert code == 0 and "6" in out, error
    dataset = rk.RecordDataset(tmp_path / "lfw")
    assert dataset.labels.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0], [2, 1], [2, 1]]
    assert dataset.keys.tolist() == [0, 1, 2, 3, 4, 5]
    code, out, error = cli("export", tmp_path / "lfw.rec", tmp_path / "new" / "again.bin")
    assert code == 0 and "again.bin: 6 images" in out, error
    assert pickle.loads((tmp_path / "new" / "again.bin").read_bytes()) == (IMAGES, SAME)
    assert os.listdir(tmp_path / "new") == ["again.bin"]


def test_pairs_keep_their_order_and_their_images_theirs(tmp_path):
    rows = [((5, 0), IMAGES[0]), ((2, 1), IMAGES[1]), ((5, 0), IMAGES[2]), ((2, 1), IMAGES[3])]
    report = write_verification_set(write_rec(tmp_path / "a", rows), tmp_path / "a.bin")
    assert pickle.loads((tmp_path / "a.bin").read_bytes()) == ([IMAGES[n] for n in (1, 3, 0, 2)], [True, False])
    assert (report.n_images, report.sets[0].details) == (4, "2 pairs, 1 same")


@pytest.mark.parametrize(
    ("labels", "got"),
    [
        ([0.0, 0.0], "got the labels 0"),
        ([(0, 1, 1), (0, 1, 1)], "got the labels 0, 1, 1"),
        ([(0, 2), (0, 2)], "got the labels 0, 2"),
        ([(0, 1), (0, float("nan"))], "got the labels 0, nan"),
        ([(0, 1), (1, 1)], "got 1 image of pair 0"),
        ([(0, 1), (0, 1), (0, 1)], "got 3 images of pair 0"),
        ([(7, 1), (7, 0)], "got 0 and 1 for pair 7"),
    ],
)
def test_labels_that_are_no_pairs_are_refused(tmp_path, labels, got):
    dataset = write_rec(tmp_path / "a", [(label, IMAGES[0]) for label in labels])
    with pytest.raises(SourceError, match=f"^{tmp_path}/a.rec: sample .: key .: expected two labels, .*{got}"):
        write_verification_set(dataset, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_nothing_is_replaced_and_an_error_leaves_nothing(tmp_path):
    (tmp_path / "a.bin").write_bytes(pickle.dumps((IMAGES, SAME)))
    source = read_verification_set(tmp_path / "a.bin")
    with pytest.raises(PublishError, match="expected no file, got the file that is read; choose another name$"):
        write_verification_set(source, tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(b"other")
    with pytest.raises(FormatError, match="bytes that were there, got others"):
        write_verification_set(source, tmp_path / "b.bin", threads=1)
    write_verification_set(read_verification_set_of(tmp_path), tmp_path / "c.bin", dry_run=True)
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "d.bin"]


def read_verification_set_of(folder):
    (folder / "d.bin").write_bytes(pickle.dumps((IMAGES, SAME)))
    return read_verification_set(folder / "d.bin")


def test_a_large_image_is_read_alone(tmp_path):
    large = IMAGES[0] + bytes(3_000_000)
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([large, IMAGES[1]], [True])))
    write_verification_set(read_verification_set(tmp_path / "a.bin"), tmp_path / "b.bin", memory=64_000_000, threads=2)
    assert open_pairs(tmp_path / "b.bin").read([0, 1]) == [large, IMAGES[1]]


class Hostile:
    """An object whose pickle runs a command."""

    def __reduce__(self):
        return os.mkdir, ("called",)


def test_a_file_that_would_run_a_function_is_refused_by_import(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps(([IMAGES[0], Hostile()], [True])))
    assert is_verification_set(tmp_path / "lfw.bin")
    code, _, error = cli("import", "lfw.bin", "out")
    assert code == 1 and "which nothing imports or calls here" in error
    assert os.listdir(tmp_path) == ["lfw.bin"]
