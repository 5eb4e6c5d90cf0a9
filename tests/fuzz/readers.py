"""Fuzz targets for the readers that are written in Python: files of a set, lists, arrays, pickles and image headers.

Each target accepts any bytes, and only errors of recordkit may escape. `bin/fuzz` runs a target with atheris, which
follows the coverage; `test_readers.py` runs all of them on their seeds and on mutations of the seeds.

Usage: python tests/fuzz/readers.py TARGET [options of libFuzzer, folders of inputs]
"""

import contextlib
import gzip
import io
import os
import pickle
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["recordkit"])
else:
    instrumented = contextlib.nullcontext()

with instrumented:
    from images import every_format

    from recordkit import native
    from recordkit.dataset.records import open_record_file
    from recordkit.dataset.whole_records import find_whole_records
    from recordkit.errors import RecordkitError
    from recordkit.formats import idx, netpbm, tar, ubyte
    from recordkit.formats.frame import RecordReader
    from recordkit.formats.frame import pack as frame
    from recordkit.formats.images import deep_png, image_header
    from recordkit.formats.insightface.verification_pairs import read_pairs
    from recordkit.formats.irheader import IRHeader, unpack
    from recordkit.formats.irheader import pack as pack_header
    from recordkit.formats.lst import ListFile
    from recordkit.formats.numpy_files import npy, npz
    from recordkit.record_iter import ndarray_file
    from recordkit.sources.classes import read_classes
    from recordkit.storage.checksums import read_checksums
    from recordkit.storage.commit import pack_commit, unpack_commit
    from recordkit.storage.fileset import Fileset

_FOLDER = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
_RECORDS = b"".join(piece for key in range(3) for piece in frame(pack_header(IRHeader(3.0, key), b"\xff\xd8\xff")))
_CHECKSUMS = np.array([zlib.crc32(pack_header(IRHeader(3.0, key), b"\xff\xd8\xff")) for key in range(3)], np.uint32)
_RECORD = b"".join(frame(pack_header(IRHeader(3.0, 7), b"\xff\xd8\xff")))


def _file(name, content):
    path = Path(_FOLDER.name, name)
    path.write_bytes(content)
    return path


def _records(content):
    reader = RecordReader(_file("a.rec", content))
    try:
        for _, record in reader.scan(on_damage=lambda *_: None):
            unpack(record)
    finally:
        reader.close()


def _whole_records(content):
    """Find the whole records of a damaged file alone, with an index and with checksums; both engines find the same."""
    path = _file("whole.rec", content)
    index = None, np.array([0, 36, 72], np.uint64)
    for companions in ((None, None), (index, None), (index, _CHECKSUMS)):
        found = []
        for name in ("native", "python"):
            if name == "native" and not native.available():
                continue
            with mock.patch.object(native, "available", lambda is_native=name == "native": is_native):
                file = open_record_file(path)
            try:
                whole = find_whole_records(path, file, *companions)
            finally:
                file.close()
            assert whole.spans.begins.tolist() == sorted(whole.spans.begins.tolist())
            positions = None if whole.positions is None else whole.positions.tolist()
            found.append((whole.offsets.tolist(), whole.ids.tolist(), positions, whole.lost))
        assert all(each == found[0] for each in found)


def _archive_members(content):
    members = list(tar.read_members(lambda size, offset: content[offset : offset + size], len(content)))
    assert all(member.offset + member.size <= len(content) for member in members)


def _list(content):
    for width in (None, "auto", 2):
        with ListFile(_file("a.lst", content), label_width=width, lenient=True) as rows:
            rows.rows(range(len(rows)))


def _description(content):
    _file("set.rec", _RECORD)
    _file("set.json", content)
    files = Fileset(Path(_FOLDER.name, "set"))
    files.description()
    files.classes()
    files.exact_labels()


def _checksums(content):
    _file("crc.rec", _RECORD)
    _file("crc.crc", content)
    read_checksums(Fileset(Path(_FOLDER.name, "crc")))


def _headers(content):
    for kind in ("jpg", "png", "gif", "bmp", "tiff", "webp", "pnm"):
        image_header.read(content, kind)
        image_header.has_several_pictures(content, kind)


def _array(shape):
    file = io.BytesIO()
    np.save(file, np.arange(np.prod(shape)).reshape(shape))
    return file.getvalue()


def _archive():
    file = io.BytesIO()
    np.savez_compressed(file, arr_0=np.arange(5, dtype=np.uint8))
    return file.getvalue()


def _tar(archive_format):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=archive_format) as archive:
        for name in ("7.cls", "folder/" * 20 + "é.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    return file.getvalue()[:8192].rstrip(b"\0") + bytes(1024 + 500)


_IMAGES = every_format()
_TAR, _PAX = _tar(tarfile.GNU_FORMAT), _tar(tarfile.PAX_FORMAT)
_UBYTE = ubyte.pack(np.arange(12, dtype=np.uint8).reshape(3, 4))
_PAIRS = pickle.dumps(([b"\xff\xd8\xff", b"\xff\xd8\xff"], [True]), protocol=2)

# Each target, and its seeds.
TARGETS = {
    "py-records": (_records, [_RECORD * 2, _RECORD[:20]]),
    "py-whole-records": (_whole_records, [_RECORDS, _RECORDS[:40] + _RECORDS[72:], _RECORDS[5:80] + _RECORDS]),
    "py-tar": (_archive_members, [_TAR, _TAR[:-1024], _PAX]),
    "py-idx": (lambda content: idx.read(_file("a.idx", content)), [b"0\t0\n1\t48\n", b" 7 9 \r\n\n"]),
    "py-lst": (_list, [b"0\t1\tcat/0.jpg\n1\t0.5\t2\tb.jpg\n", b"0 1 2 a b.jpg\n"]),
    "py-json": (
        _description,
        [b'{"format": "recordkit", "classes": {"cat": 0}, "rec": {"bytes": 36}}', b'{"a": [1e9]}'],
    ),
    "py-commit": (
        lambda content: unpack_commit(Path(_FOLDER.name, ".a.staging"), content),
        [pack_commit(Path(_FOLDER.name, ".a.staging"), ["a.rec", "a.idx"], ["a.crc"])],
    ),
    "py-crc": (_checksums, [bytes(4), bytes(7)]),
    "py-classes": (lambda content: read_classes(_file("a.classes.json", content)), [b'{"cat": 0}', b'["cat"]']),
    "py-npy": (lambda content: npy.read(_file("a.npy", content)), [_array((3,)), _array((2, 2))]),
    "py-npz": (lambda content: npz.read(_file("a.npz", content)), [_archive()]),
    "py-ubyte": (lambda content: ubyte.read(_file("a-idx2-ubyte", content)), [_UBYTE, gzip.compress(_UBYTE)]),
    "py-netpbm": (netpbm.unpack, [b"P5 2 2 255\n1234", b"P6\n# x\n1 1 65535\n123456"]),
    "py-deep-png": (deep_png.decode, [deep_png.encode(np.arange(24, dtype=np.uint16).reshape(2, 4, 3))]),
    "py-ndarray": (ndarray_file.unpack, [ndarray_file.pack({"mean": np.ones((2, 3), np.float32)})]),
    "py-pairs": (lambda content: read_pairs(_file("a.bin", content)), [_PAIRS]),
    "py-headers": (_headers, [*_IMAGES.values(), b"MM\0\x2b" + b"\xff" * 60, b"RI\x2bF" + b"\xff" * 60]),
}


def run(name, content):
    """Run a target; errors of recordkit are its right answer to damage."""
    with contextlib.suppress(RecordkitError):
        TARGETS[name][0](content)


if __name__ == "__main__":
    target, *options = sys.argv[1:]
    corpus = Path(options[-1])
    for number, seed in enumerate(TARGETS[target][1]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], lambda content: run(target, content))
    atheris.Fuzz()
