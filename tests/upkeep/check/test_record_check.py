"""Both engines of `verify` find the same faults, whatever is damaged."""

import contextlib
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from recordkit import native
from recordkit.dataset.records import open_record_file
from recordkit.formats import irheader
from recordkit.formats.frame import RecordWriter
from recordkit.memory import MemoryBudget
from recordkit.upkeep import verify
from recordkit.upkeep.check.native import NativeCheck
from recordkit.upkeep.check.record_check import PythonCheck
from tests.images import any_png, every_format, huge_jpeg, huge_png, many_scans, noise, picture, png_chunk, save
from tests.pixel_kinds import jpeg_kinds, png_kinds


def write(path, records):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        return np.array([writer.write(record) for record in records], np.uint64)


def image_record(key, payload, label=1.0):
    return irheader.pack(irheader.IRHeader(label, key), payload)


def damaged_images():
    """Images of all formats: whole, cut, with changed bytes, with bytes behind them, and hostile ones."""
    rng = np.random.default_rng(7)
    images = [*every_format().values(), save(picture(noise(40, 40)), "JPEG"), save(picture(noise(40, 40)), "PNG")]
    damaged = [huge_png(), huge_jpeg(), many_scans(150), b"?", b"\xff\xd8\xff", b"P5\n4 3\n255\n", bytes(30)]
    for image in images:
        damaged += [image, image + b"\0", image + b"tail", image[:-1], image[: len(image) // 2]]
        for _ in range(12):
            changed = bytearray(image)
            for at in rng.integers(len(image), size=int(rng.integers(1, 4))):
                changed[at] = rng.integers(256)
            damaged.append(bytes(changed))
    return damaged


@contextlib.contextmanager
def both_engines(path, *, decode=True, stopped=None):
    stopped = stopped or bytearray(1)
    file, budget = open_record_file(path), MemoryBudget(1 << 30, 1) if decode else None
    with contextlib.closing(file), contextlib.closing(PythonCheck(path, budget, stopped)) as reference:
        yield reference, NativeCheck(file, reference, budget, stopped)


def same(path, offsets, *, decode=True):
    """Check the records with both engines, and return the result, which must be the same."""
    with both_engines(path, decode=decode) as engines:
        first, second = (engine.check(offsets) for engine in engines)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    return first


def test_images_that_do_not_decode_are_the_same(require_native, tmp_path):
    payloads = damaged_images()
    offsets = write(tmp_path / "a.rec", [image_record(key, payload) for key, payload in enumerate(payloads)])
    found = same(tmp_path / "a.rec", offsets)
    assert len(payloads) / 4 < len(found.faults) < len(payloads)
    assert all("decode" in reason or "expected" in reason for _, _, reason in found.faults)
    assert same(tmp_path / "a.rec", offsets, decode=False).faults == []


def test_images_of_all_kinds_are_the_same(require_native, tmp_path):
    payloads = [file for kinds in (jpeg_kinds(), png_kinds()) for files in kinds.values() for file in files]
    offsets = write(tmp_path / "a.rec", [image_record(key, payload) for key, payload in enumerate(payloads)])
    same(tmp_path / "a.rec", offsets)


def test_the_core_alone_finds_usual_images_good(require_native, tmp_path, monkeypatch):
    """No pixels are made for them. Otherwise each would be decoded again by the reference engine."""
    image, rng = picture(noise(100, 130)), np.random.default_rng(7)
    options = [{}, {"subsampling": 0}, {"quality": 100}, {"optimize": True}, {"progressive": True}]
    options += [{"restart_marker_blocks": 3}, {"quality": 1}]
    payloads = [save(image, "JPEG", **each) for each in options]
    payloads += [save(image.convert(mode), "JPEG") for mode in ("L", "CMYK")]
    payloads += [any_png(rng, color, 8, width=20, height=30, interlaced=color == 6) for color in (0, 2, 3, 4, 6)]
    payloads += [save(image.quantize(8), "PNG"), b"P5\n4 3\n255\n" + bytes(range(12))]
    offsets = write(tmp_path / "a.rec", [image_record(key, payload) for key, payload in enumerate(payloads)])
    with both_engines(tmp_path / "a.rec") as (reference, check):
        examined = []
        monkeypatch.setattr(reference, "examine", lambda row, *_: examined.append(row))
        assert check.check(offsets).faults == [] and examined == []


@pytest.mark.parametrize("encoding", ["JPEG", "PNG"])
def test_a_changed_bit_anywhere_is_the_same(require_native, tmp_path, encoding):
    """Damage in entropy-coded data, in checksums, in filters, and in the tables of both."""
    options = {"restart_marker_blocks": 3, "optimize": True} if encoding == "JPEG" else {}
    image = save(picture(noise(24, 40)), encoding, **options)
    payloads = [image[:at] + bytes([image[at] ^ 1 << at % 8]) + image[at + 1 :] for at in range(2, len(image))]
    offsets = write(tmp_path / "a.rec", [image_record(key, payload) for key, payload in enumerate(payloads)])
    assert len(same(tmp_path / "a.rec", offsets).faults) > 20


def test_a_pixel_beyond_the_palette_is_the_same(require_native, tmp_path):
    image = any_png(np.random.default_rng(7), 3, 8, width=20, height=30)
    begin = image.index(b"PLTE") - 4
    end = begin + 12 + 3 * 256
    short = png_chunk(b"PLTE", image[begin + 8 : begin + 8 + 3 * 200])
    offsets = write(tmp_path / "a.rec", [image_record(0, image[:begin] + short + image[end:])])
    same(tmp_path / "a.rec", offsets)


def test_damaged_headers_labels_and_frames_are_the_same(require_native, tmp_path):
    records = [
        image_record(5, b"image", (1.0, 2.0, 3.0)),
        b"short",
        image_record(6, b"image", float("nan")),
        image_record(7, b""),
        image_record(8, b"", (1.0, float("inf"))),
        image_record(0, b"", (3.0, 4.0)),
        (99).to_bytes(4, "little") + bytes(40),
        image_record(9, b"image"),
    ]
    path = tmp_path / "a.rec"
    offsets = write(path, records)
    with open(path, "r+b") as file:
        file.seek(int(offsets[7]))
        file.write(b"????")
    found = same(path, offsets, decode=False)
    assert [(row, offset - int(offsets[row])) for row, offset, _ in found.faults] == [
        (n, 0) for n in (1, 2, 3, 4, 6, 7)
    ]
    assert (found.metadata_rows, found.has_face_header) == ([4, 5], True)
    assert found.is_readable.tolist() == [True, False, True, True, True, True, False, False]
    assert [end - begin for begin, end in pairwise(found.bounds.tolist())] == [3, 0, 1, 1, 2, 2, 0, 0]


def test_a_record_that_another_process_repairs_meanwhile_is_a_fault(require_native, tmp_path, monkeypatch):
    """The core could not read it, and the reference engine can."""
    offsets = write(tmp_path / "a.rec", [image_record(1, b"image")])
    columns = np.zeros(1, np.uint64), np.empty(0, np.float32), np.zeros(2, np.uint64), np.zeros(1, np.uint32)
    core = SimpleNamespace(check_records=lambda *_: (*columns, np.array([1], np.uint8)))
    with both_engines(tmp_path / "a.rec", decode=False) as (_, check):
        monkeypatch.setattr(native, "load", lambda: core)
        ((row, offset, reason),) = check.check(offsets).faults
    assert (row, offset) == (0, 0) and reason.startswith("expected the file to keep its records")


@pytest.mark.parametrize("threads", [1, 3])
def test_faults_are_in_file_order_for_any_number_of_threads(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(import_module("recordkit.upkeep.check.verify"), "_BLOCK_RECORDS", 3)
    records = [image_record(key, b"" if key % 2 else b"image") for key in range(20)]
    offsets = write(tmp_path / "a.rec", records).tolist()
    with open(tmp_path / "a.rec", "r+b") as file:
        for row in (4, 10):
            file.seek(offsets[row])
            file.write(b"????")
    found = [problem.offset for problem in verify(tmp_path / "a.rec", threads=threads).problems]
    assert found == [offset for row, offset in enumerate(offsets) if row % 2 or row in (4, 10)]


def test_the_check_of_a_stopped_work_ends(tmp_path, engine):
    offsets = write(tmp_path / "a.rec", [image_record(key, b"image") for key in range(9)])
    with both_engines(tmp_path / "a.rec", decode=False, stopped=bytearray(b"\1")) as engines:
        assert not engines[engine == "native"].check(offsets).is_readable.any()
