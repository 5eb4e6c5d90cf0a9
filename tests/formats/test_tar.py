"""Tar archives: Python's module is the reference, and damaged archives are errors with an offset."""

import io
import tarfile

import pytest

from recordkit.errors import FormatError, TruncatedError
from recordkit.formats import tar


def members(content):
    return list(tar.read_members(lambda size, offset: content[offset : offset + size], len(content)))


def archive(infos, archive_format=tarfile.GNU_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=archive_format) as writer:
        for info in infos:
            writer.addfile(info, io.BytesIO(bytes(info.size)))
    return file.getvalue()


def info(name, size=0, kind=tarfile.REGTYPE):
    item = tarfile.TarInfo(name)
    item.size, item.type = size, kind
    return item


def test_python_reads_the_headers_as_they_are_meant():
    content = tar.pack_header("7.cls", 600) + b"4" * 600 + tar.padding(600) + tar.END
    with tarfile.open(fileobj=io.BytesIO(content)) as reader:
        (item,) = reader.getmembers()
        assert (item.name, item.size, item.mode, item.mtime) == ("7.cls", 600, 0o644, 0)
    assert members(content) == [("7.cls", 512, 600)]


@pytest.mark.parametrize("archive_format", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.jpg", "folder/" * 20 + "b.jpg", "é" * 60])
def test_names_of_all_formats_are_read(archive_format, name):
    if archive_format == tarfile.USTAR_FORMAT and name == "é" * 60:
        pytest.skip("USTAR has no such names")
    content = archive([info("d", kind=tarfile.DIRTYPE), info(name, 3), info("z", 0)], archive_format)
    assert [(item.name, item.size) for item in members(content)] == [(name, 3), ("z", 0)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [(tarfile.SYMTYPE, "a link"), (tarfile.LNKTYPE, "a link"), (tarfile.CHRTYPE, "a device"),
     (tarfile.FIFOTYPE, "a pipe"), (tarfile.GNUTYPE_SPARSE, "a sparse file"), (b"?", "a member of type b'[?]'")],
)  # fmt: skip
def test_links_devices_and_sparse_files_are_refused(kind, text):
    header = bytearray(tar.pack_header("x", 0))
    header[156:157] = kind
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    with pytest.raises(FormatError, match=f"byte 0: expected a file, got {text}: 'x'"):
        members(bytes(header) + tar.END)


def test_sparse_records_of_pax_are_refused():
    item = info("x", 0)
    item.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(FormatError, match="got a sparse file"):
        members(archive([item], tarfile.PAX_FORMAT))


def test_damage_is_an_error_with_an_offset():
    content = archive([info("a", 1000), info("b", 1)])
    with pytest.raises(TruncatedError, match="byte 0: expected a member of 1000 bytes, got 700 bytes to the end"):
        members(content[:1212])
    with pytest.raises(TruncatedError, match="byte 1536: expected a header of 512 bytes, got 100"):
        members(content[:1636])
    with pytest.raises(FormatError, match="byte 1536: expected a header with the checksum"):
        members(content[:1536] + b"x" * 1024)
    assert members(b"") == []


@pytest.mark.parametrize("size", [b"7" * 12, b"\xff" * 12, b"12345678\0abc"])
def test_hostile_sizes_are_errors(size):
    header = bytearray(tar.pack_header("x", 0))
    header[124:136] = size
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    with pytest.raises(FormatError):
        members(bytes(header) + tar.END)


@pytest.mark.parametrize("records", [b"99 path=x\n", b"abc", b"0 path=x\n", b"12 size=-1x\n", b"9999999999 path=x"])
def test_hostile_records_of_pax_are_errors(records):
    header = bytearray(tar.pack_header("x", len(records)))
    header[156:157] = b"x"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    with pytest.raises(FormatError, match="byte 512: expected"):
        members(bytes(header) + records + tar.padding(len(records)) + tar.pack_header("y", 0) + tar.END)


def test_a_name_of_many_bytes_is_refused_before_it_is_read():
    header = bytearray(tar.pack_header("x", 1 << 20))
    header[156:157] = b"L"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    with pytest.raises(FormatError, match="expected a name of at most 65536 bytes"):
        members(bytes(header) + bytes(1 << 20))
