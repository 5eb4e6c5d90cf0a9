"""Files and contents that are neither .rec files nor images."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from recordkit import RecordDataset
from recordkit.errors import FormatError
from recordkit.formats.frame import RecordReader, pack
from recordkit.formats.signatures import detect, find_other_format
from recordkit.upkeep import head, inspect, verify


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("cat/0.jpg"), io.BytesIO())
    return file.getvalue()


def archive(save):
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def zip_of_text(file):
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("a.txt", "a")


def tfrecord(*lengths):
    return b"".join(struct.pack("<Q", length) + bytes(4) + b"x" * length + bytes(4) for length in lengths)


CONTENTS = {
    "npy": archive(lambda file: np.save(file, np.zeros(3))),
    "npz": archive(lambda file: np.savez(file, a=np.zeros(3))),
    "zip": archive(zip_of_text),
    "tar": tar(),
    "gzip": gzip.compress(bytes(100)),
    "pickle": pickle.dumps(([b"jpeg"] * 4, [True, False]), protocol=4),
    "json": json.dumps({"images": [1, 2, 3]}).encode(),
    "text": b"<!DOCTYPE html><html>404</html>",
    "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n",
    "bytes": bytes(range(200)),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_contents_are_detected(kind):
    assert detect(CONTENTS[kind]) == kind


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles_of_every_binary_protocol_are_detected(protocol):
    assert detect(pickle.dumps([b"jpeg"], protocol=protocol)) == "pickle"


def test_a_character_cut_at_the_end_of_the_look_is_text():
    assert detect("é".encode() * 300) == "text"
    assert detect(b"a" + "é".encode() * 300) == "text"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (CONTENTS["tar"], r"expected a \.rec file, got a tar archive; unpack it; if it has images, pack"),
        (CONTENTS["text"], r"got a text that begins with '<!DOCTYPE html><html>404</html'; was it downloaded"),
        (CONTENTS["git-lfs pointer"], "got a pointer of Git LFS .*; get the file itself with 'git lfs pull'"),
        (CONTENTS["pickle"], r"got a pickle; if .*, 'recordkit info' describes it"),
        (tfrecord(20), "got a TFRecord file of TensorFlow$"),
        (tfrecord(20, 3, 5), "got a TFRecord file of TensorFlow$"),
    ],
)
@pytest.mark.parametrize("read", [RecordReader, RecordDataset, inspect, head, verify])
def test_a_file_of_another_format_is_one_clear_error(tmp_path, content, error, read):
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=error):
        read(path)


@pytest.mark.parametrize("suffix", [".idx", ".lst"])
def test_an_index_or_list_in_place_of_a_rec_file_is_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("0\t0\ta.jpg\n1\t812\tb.jpg\n")
    with pytest.raises(FormatError, match=r"got a text .*; give the \.rec file, not its index or list$"):
        RecordReader(path)


@pytest.mark.parametrize(
    "content", [b"", b"short text", bytes(100), b"".join(pack(b"one")), bytes(8) + b"".join(pack(b"one")), b"\xfe" * 99]
)
def test_other_bytes_may_be_a_damaged_rec_file(tmp_path, content):
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    assert find_other_format(path) is None


def test_bytes_that_only_begin_like_a_tfrecord_may_be_a_damaged_rec_file(tmp_path):
    path = tmp_path / "a.rec"
    for content in (tfrecord(20)[:-1], tfrecord(20, 3)[:-1], tfrecord(20, 0), tfrecord(20) + bytes(9)):
        path.write_bytes(content)
        assert find_other_format(path) is None
    path.write_bytes(tfrecord(1, 1))
    assert find_other_format(path).kind == "tfrecord"
