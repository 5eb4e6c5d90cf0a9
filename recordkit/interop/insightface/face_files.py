"""The files of a face dataset while they are written: records, index, list, checksums, description and property."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from recordkit import codec
from recordkit.errors import SourceError
from recordkit.formats import frame, idx, irheader, lst
from recordkit.formats.files import flush_to_disk
from recordkit.formats.images import image_header
from recordkit.formats.insightface import property_file
from recordkit.formats.insightface.property_file import FaceProperty
from recordkit.formats.irheader import IRHeader
from recordkit.packing.engine import Engine, Framed
from recordkit.sample import Entry
from recordkit.storage import checksums
from recordkit.storage.set_files import SetFiles, SetNames

PREFIX = "train"
"""The name of the records, which readers expect, without its suffix."""

# Images that the decoder of InsightFace's readers decodes, which is OpenCV in MXNet.
_KINDS = ("jpg", "png", "bmp")
_ADVICE = "pack the images first, scaled and cropped to one size, and export the pack"
# Metadata records that are written together.
_BLOCK_SIZE = 4096


class FaceFiles:
    """The files of a face dataset in a folder, which are closed at the end of a ``with`` block.

    Parameters
    ----------
    folder : Path
        A new folder, not yet published.
    has_list : bool
        Write train.lst, with the names of the images.

    Attributes
    ----------
    size : (int, int) or None
        Height and width of the images, once one is written.
    n_bytes : int
        Total size of the images.
    """

    def __init__(self, folder: Path, *, has_list: bool) -> None:
        self.size: tuple[int, int] | None = None
        self.n_bytes = 0
        self._first_name = ""
        self._head = b""  # of the first JPEG, up to its compressed data; others of its encoder begin with the same
        self._folder = folder
        self._has_list = has_list
        self._n_records = 0
        self._end = 0  # of the .rec file
        self._files = SetFiles(_Creator(folder / PREFIX), SetNames(folder / PREFIX, write_list=has_list))
        self._files.create(".rec", ".idx", *([".lst"] if has_list else []), ".crc")

    def __enter__(self) -> FaceFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def append_images(
        self, keys: Sequence[int], labels: Sequence[int], samples: Sequence[tuple[Entry, bytes]], engine: Engine
    ) -> None:
        """Write the records of some images.

        Parameters
        ----------
        keys, labels : sequence of int
        samples : sequence of (Entry, bytes)
        engine : Engine
            Frames the records.

        Raises
        ------
        SourceError
            An image has another format than InsightFace's readers decode, or another size than the first.
        PublishError
            A file cannot be written.
        """
        for entry, payload in samples:
            self._check_size(entry, payload)
            self.n_bytes += len(payload)
        rows = [(label,) for label in labels]
        self._append(keys, engine.frame(keys, rows, [payload for _, payload in samples]))
        if self._has_list:
            named = zip(keys, rows, samples, strict=True)
            self._files.write(".lst", lst.lines([lst.Row(key, row, entry.name) for key, row, (entry, _) in named]))

    def append_metadata(self, headers: Iterable[IRHeader]) -> None:
        """Write records without an image.

        Raises
        ------
        PublishError
            A file cannot be written.
        """
        headers = iter(headers)
        while block := list(itertools.islice(headers, _BLOCK_SIZE)):
            records = [irheader.pack(header, b"") for header in block]
            frames = [b"".join(frame.pack(record)) for record in records]
            crcs = checksums.pack([zlib.crc32(record) for record in records])
            framed = Framed(b"".join(frames), [len(each) for each in frames], crcs)
            self._append([header.id for header in block], framed)

    def finish(self, n_classes: int, classes: Mapping[str, int] | None) -> None:
        """Write the description and the property file, and flush all files to disk.

        Parameters
        ----------
        n_classes : int
            For the property file.
        classes : mapping of str to int, or None
            Names of the people.

        Raises
        ------
        OSError, PublishError
            A file cannot be written.
        """
        counts = {"records": self._n_records, "failed": 0, "label_width": [1, 1]}
        facts = {"classes": classes, "list": "written" if self._has_list else "none"}
        self._files.finish(counts, facts)
        height, width = self.size or (0, 0)
        with open(self._folder / property_file.NAME, "xb") as file:
            file.write(FaceProperty(n_classes, height, width).pack())
        for path in self._folder.iterdir():
            flush_to_disk(path)

    def _append(self, keys: Sequence[int], framed: Framed) -> None:
        ends = list(itertools.accumulate(framed.sizes, initial=self._end))
        self._files.write(".rec", framed.frames)
        self._files.write(".idx", idx.lines(keys, ends[:-1]))
        self._files.write(".crc", framed.checksums)
        self._end = ends[-1]
        self._n_records += len(keys)

    def _check_size(self, entry: Entry, payload: bytes) -> None:
        if self._head and payload.startswith(self._head):  # walking the segments costs as much as all the rest
            return
        kind = codec.sniff(payload)
        header = image_header.read(payload, kind)
        if kind not in _KINDS or header is None:
            raise SourceError(
                path=entry.name,
                key=entry.key,
                expected="a JPEG, PNG or BMP image, which InsightFace's readers decode",
                got=kind,
                advice=_ADVICE,
            )
        size = header.height, header.width
        if self.size is None:
            self.size, self._first_name = size, entry.name
        elif size != self.size:
            raise SourceError(
                path=entry.name,
                key=entry.key,
                expected=f"an image of {self.size[0]} x {self.size[1]} pixels as {self._first_name}",
                got=f"{size[0]} x {size[1]}",
                advice=_ADVICE,
            )
        if kind == "jpg" and not self._head:
            *_, last = image_header.jpeg_segments(payload)
            self._head = payload[: last.end] if last.marker == image_header.START_OF_SCAN else b""


class _Creator:
    """The part of `recordkit.storage.staging.Staging` that creates files, for a folder that is published as a whole."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def create(self, name: str) -> BinaryIO:
        """Open a new file."""
        return open(self.prefix.with_name(name), "xb")
