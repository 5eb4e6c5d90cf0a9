"""Reading tar shards: one pass over the headers and labels of a shard, then images by their offsets.

Memory: 40 bytes and the name of each image. Nothing is unpacked to the disk.
"""

from __future__ import annotations

import itertools
import os
import re
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, ImageError, SourceError, enumerate_some
from recordkit.formats import json_file, tar
from recordkit.formats.files import not_found, open_file, pread
from recordkit.interop.entries import EntryTable, LabelColumn
from recordkit.interop.split_files import find_files, group_by_split, one_or_all
from recordkit.interop.webdataset.parts import Read, SampleParts, read_label
from recordkit.interop.webdataset.write import INFO
from recordkit.sample import BadEntry, Entry, Source
from recordkit.storage.names import is_file_name

_SUFFIX = ".tar"
# The number at the end of the names of the shards of a split.
_NUMBER = re.compile(r"[-_.]?\d+(-of-\d+)?$")


class _Shard(NamedTuple):
    """A tar file.

    Attributes
    ----------
    path : Path
    n_bytes, mtime_ns : int
        Size and time of the last change, when it was read first.
    """

    path: Path
    n_bytes: int
    mtime_ns: int


class TarSource:
    """The samples of tar shards as a source, in the order of the shards.

    Keys are the numbers that the samples have as names, if all of them are numbers and each is there once, and
    otherwise 0 to n - 1.

    Parameters
    ----------
    paths : sequence of Path
        The shards, uncompressed.
    classes : mapping of str to int, optional
        Names of the labels.
    label_column : str, optional
        Field of the samples' ``.json`` that has the label. By default ``.cls``, or the field `labels` or `label`.

    Raises
    ------
    NotFoundError
        A shard does not exist.
    FormatError
        A shard is damaged, has links or sparse files, or a sample has no image, several, or no label.
    """

    order = "listed"
    pixels = False

    def __init__(
        self, paths: Sequence[Path], *, classes: Mapping[str, int] | None = None, label_column: str | None = None
    ) -> None:
        self.classes = dict(classes) if classes else None
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self._label_column = label_column
        self._shards: list[_Shard] = []
        self._shard_ends = array("q")
        self._offsets, self._sizes, self._names = array("Q"), array("Q"), _Names()
        labels = LabelColumn()
        self.files = list(paths)
        for path in self.files:
            self._index(path, labels)
        self._entries = EntryTable(self._names.numbers(), *labels.arrays())
        if not self._entries.has_keys:
            self.notes.append("the names of the samples are no numbers, each once, so the keys are 0 to n - 1")

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def shard_lengths(self) -> list[int]:
        """Number of samples in each shard."""
        return [end - begin for begin, end in itertools.pairwise([0, *self._shard_ends])]

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and the names of the images, such as ``000007.jpg``, of the samples at `indices`."""
        names = [self._names[index] for index in indices]
        return list(map(Entry, self._entries.keys_at(indices), self.labels(indices), names))

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the samples at `indices`."""
        return self._entries.labels(indices)

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Return the images of some entries.

        Raises
        ------
        FormatError
            A shard has changed since it was opened.
        """
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        indices = self._entries.indices([entry.key for entry in entries])
        if max_bytes is not None:
            totals = np.cumsum([self._sizes[index] for index in indices])
            indices = indices[: int(np.searchsorted(totals, max_bytes, side="right"))]
        shards = np.searchsorted(self._shard_ends, np.array(indices, np.int64), side="right").tolist()
        by_shard: dict[int, list[int]] = defaultdict(list)
        for position, shard in enumerate(shards):
            by_shard[shard].append(position)
        contents: list[bytes | ImageError] = [b""] * len(indices)
        for shard, positions in by_shard.items():
            with _open(self._shards[shard]) as file:
                for position in positions:
                    index = indices[position]
                    contents[position] = pread(file.fileno(), self._sizes[index], self._offsets[index])
        return contents

    def _index(self, path: Path, labels: LabelColumn) -> None:
        try:
            with open_file(path, what="a tar archive") as file:
                status = os.fstat(file.fileno())
                descriptor = file.fileno()

                def read(size: int, offset: int) -> bytes:
                    return pread(descriptor, size, offset)

                def note_missing_end() -> None:
                    self.notes.append(f"{path}: the archive has no end, two blocks of zeros; was it cut short?")

                sample: SampleParts | None = None
                for member in tar.read_members(read, status.st_size, on_missing_end=note_missing_end):
                    if sample is not None and sample.take(member):
                        continue
                    if sample is not None:
                        self._append(sample, read, labels)
                    sample = SampleParts.begin(member)
                if sample is not None:
                    self._append(sample, read, labels)
        except FileNotFoundError:
            raise not_found(path, "a tar archive", suffix=_SUFFIX) from None
        except FormatError as error:
            raise error.located(path=str(path)) from None
        self._shards.append(_Shard(path, status.st_size, status.st_mtime_ns))
        self._shard_ends.append(len(self._offsets))

    def _append(self, sample: SampleParts, read: Read, labels: LabelColumn) -> None:
        image = sample.image()
        try:
            labels.append(read_label(sample, read, self._label_column))
        except OverflowError as error:
            raise FormatError(f"{sample.name}: the label does not fit: {error}") from None
        self._offsets.append(image.offset)
        self._sizes.append(image.size)
        self._names.append(image.name)


def _open(shard: _Shard) -> BinaryIO:
    file = open_file(shard.path)
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != (shard.n_bytes, shard.mtime_ns):
        file.close()
        raise FormatError(path=str(shard.path), expected="the file that was opened", got="one that has changed since")
    return file


class _Names:
    """Names of images in one buffer, because a million texts would take 60 MB."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("Q", [0])

    def append(self, name: str) -> None:
        self._bytes += name.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._bytes))

    def __getitem__(self, index: int) -> str:
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogateescape")

    def numbers(self) -> NDArray[np.uint64] | None:
        """Return the names without suffixes as keys, or None if one is no number of 64 bits."""
        keys = array("Q")
        for index in range(len(self._ends) - 1):
            name = self[index].rpartition("/")[2].partition(".")[0]
            if not (name.isascii() and name.isdigit() and len(name) <= 20 and int(name) < 1 << 64):
                return None
            keys.append(int(name))
        return np.array(keys, np.uint64)


def is_webdataset(path: Path) -> bool:
    """Tell whether a path is a tar file, a pattern of them, their ``_info.json``, or a folder with some."""
    if path.is_dir():
        return (path / INFO).is_file() or any(path.glob(f"*{_SUFFIX}"))
    return path.name == INFO or path.suffix == _SUFFIX


def read_webdataset(path: str | Path, *, label_column: str | None = None) -> Source | dict[str, Source]:
    """Open tar shards.

    Parameters
    ----------
    path : str or Path
        A folder, its ``_info.json``, a .tar file, or a pattern such as ``"train-*.tar"``. For a file or a pattern, and
        without ``_info.json``, the shards whose names differ in the number at the end are a split; their class names
        are in the ``_info.json`` beside them.
    label_column : str, optional
        Field of the samples' ``.json`` that has the label, if it is not in ``.cls``, or the fields `labels` or `label`.

    Returns
    -------
    source : Source, or dict of str to Source
        A dict has a source for each of several splits.

    Raises
    ------
    NotFoundError
        Nothing is at the path, or ``_info.json`` names a shard that is missing.
    FormatError, SourceError
        A file is damaged or has other samples than ``_info.json`` says, or a sample has no image or label.
    """
    path = Path(path)
    if path.is_dir() and (path / INFO).is_file():
        path = path / INFO
    if path.name == INFO:
        return one_or_all(_open_splits(path, label_column))
    splits = group_by_split(find_files(path, _SUFFIX, what="a tar archive"), _NUMBER)
    return one_or_all(
        {
            name: TarSource(shards, classes=_classes_beside(shards), label_column=label_column)
            for name, shards in splits.items()
        }
    )


def _classes_beside(shards: Sequence[Path]) -> dict[str, int] | None:
    """Return the class names that the ``_info.json`` beside some shards has for their split; None if it has none."""
    path = shards[0].with_name(INFO)
    if not path.is_file():
        return None
    splits = json_file.read_object(path, "the splits of a WebDataset").get("splits")
    for name, split in splits.items() if isinstance(splits, dict) else ():
        names = split.get("filenames") if isinstance(split, dict) else None
        if isinstance(names, list) and all(shard.name in names for shard in shards):
            return _classes_of(path, name, split)
    return None


def _open_splits(path: Path, label_column: str | None) -> dict[str, TarSource]:
    splits = json_file.read_object(path, "the splits of a WebDataset").get("splits")
    if not isinstance(splits, dict) or not splits:
        raise FormatError(path=str(path), expected="an object `splits`", got="none")
    if not all(map(_is_file_name, splits)):  # a split becomes the name of a file
        got = enumerate_some([repr(name) for name in splits if not _is_file_name(name)])
        raise FormatError(path=str(path), expected="names of `splits` without folders", got=got)
    return {name: _open_split(path, name, split, label_column) for name, split in splits.items()}


def _open_split(path: Path, name: str, split: object, label_column: str | None) -> TarSource:
    names = split.get("filenames") if isinstance(split, dict) else None
    if not isinstance(split, dict) or not isinstance(names, list) or not names or not all(map(_is_file_name, names)):
        raise FormatError(path=str(path), expected=f"the `filenames` of the split {name!r}, without folders", got=names)
    classes = _classes_of(path, name, split)
    source = TarSource([path.parent / each for each in names], classes=classes, label_column=label_column)
    lengths = split.get("shard_lengths")
    if lengths is not None and lengths != source.shard_lengths:
        got = enumerate_some(source.shard_lengths)
        raise SourceError(path=str(path), expected=f"shards of {name!r} with the `shard_lengths`", got=f"{got} samples")
    return source


def _classes_of(path: Path, name: str, split: Mapping[str, object]) -> dict[str, int] | None:
    classes = split.get("classes")
    if classes is None or (isinstance(classes, dict) and all(type(label) is int for label in classes.values())):
        return classes
    raise FormatError(path=str(path), expected=f"a label for each of the `classes` of {name!r}", got="others")


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and is_file_name(name)
