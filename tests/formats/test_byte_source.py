"""Sources of bytes: local files, and those that are registered for a path."""

import os
from pathlib import Path

import pytest

from recordkit.dataset.records import open_record_file
from recordkit.errors import FormatError, NotFoundError, RemoteError
from recordkit.formats.byte_source import LocalFile, open_source, register, registered
from recordkit.formats.frame import RecordReader, pack
from recordkit.formats.signatures import find_other_format


@pytest.fixture
def registered_path(tmp_path):
    """A path at which there is no file; its registration ends with the test."""
    path = tmp_path / "mirror" / "a.rec"
    yield path
    register(path, None)


class Elsewhere(LocalFile):
    """A file under the name of an object."""

    def __init__(self, path):
        super().__init__(path)
        self.name = "s3://bucket/a.rec"
        self.n_closed = 0

    def close(self):
        super().close()
        self.n_closed += 1


def test_a_registered_path_opens_its_source_by_any_form_of_the_path(registered_path, tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(b"content")
    register(registered_path, lambda: Elsewhere(tmp_path / "a.bin"))
    monkeypatch.chdir(tmp_path)
    for path in (registered_path, str(registered_path), "mirror/a.rec", Path("mirror/../mirror/a.rec")):
        assert registered(path) is not None
        source = open_source(path)
        assert (source.name, source.size, source.pread(100, 3)) == ("s3://bucket/a.rec", 7, b"tent")
        source.close()
    assert registered("a.bin") is None
    register("mirror/a.rec", None)
    with pytest.raises(FileNotFoundError):
        open_source(registered_path)


def test_records_are_read_from_the_registered_source_and_errors_have_its_name(registered_path, tmp_path, no_native):
    (tmp_path / "a.rec").write_bytes(b"".join(pack(b"one")) + b"".join(pack(b"two")) + b"damage!!")
    sources = []

    def open_it():
        sources.append(Elsewhere(tmp_path / "a.rec"))
        return sources[-1]

    register(registered_path, open_it)
    with RecordReader(registered_path) as reader:
        assert (reader.path, reader.read(12)) == ("s3://bucket/a.rec", (b"two", 24))
    file = open_record_file(registered_path)
    assert file.read(0) == (b"one", 12)
    with pytest.raises(FormatError, match=r"^s3://bucket/a\.rec: byte 24: .*run 'recordkit verify s3://bucket/a\.rec'"):
        file.read(24)
    file.close()
    assert [source.n_closed for source in sources] == [1, 1]


def test_a_source_of_another_format_is_refused_and_closed(registered_path, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    sources = [Elsewhere(tmp_path / "a.zip") for _ in range(2)]
    waiting = iter(sources)
    register(registered_path, lambda: next(waiting))
    assert find_other_format(registered_path).kind == "zip"
    with pytest.raises(FormatError, match=r"^s3://bucket/a\.rec: expected a \.rec file, got a zip archive"):
        open_record_file(registered_path)
    assert [source.n_closed for source in sources] == [1, 1]


@pytest.mark.parametrize("kind", [NotFoundError, RemoteError])
def test_an_error_of_opening_a_source_is_raised_as_it_is(registered_path, kind):
    error = kind(path="s3://bucket/a.rec", expected="an object", got="none")

    def open_it():
        raise error

    register(registered_path, open_it)
    for open_reader in (RecordReader, open_record_file):
        with pytest.raises(kind) as caught:
            open_reader(registered_path)
        assert caught.value is error


def test_a_closed_file_is_not_read(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"content")
    source = LocalFile(tmp_path / "a.bin")
    os.truncate(tmp_path / "a.bin", 4)
    assert source.size == 4
    source.close()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.pread(1, 0)
