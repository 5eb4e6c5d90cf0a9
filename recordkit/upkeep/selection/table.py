"""Facts about the samples of datasets, as columns: keys, labels, sizes of the payloads, sizes of the images.

A column is read when it is first used, and only for the rows that are asked for where it needs a read of each record.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.records import RecordFile
from recordkit.errors import FormatError, PlanError, plural
from recordkit.formats import irheader, netpbm
from recordkit.formats.frame import verify_advice
from recordkit.formats.images import image_header
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.arrays import Labels

# Bytes of records that are read at a time for the headers of their images.
_BLOCK_BYTES = 1 << 23
# Most records that are read at a time.
_BLOCK_SIZE = 1 << 16


class SampleTable:
    """The samples of a dataset, or of the inputs of an edit, as columns.

    Parameters
    ----------
    samples : RecordDataset or Inputs
        The caller closes it.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([4, [9, 1], 4]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     table = SampleTable(dataset)
    ...     table.first_labels(), table.widths, table.payload_sizes(np.arange(3))
    (array([4., 9., 4.], dtype=float32), array([1, 2, 1]), array([4, 4, 4]))
    """

    def __init__(self, samples: RecordDataset | Inputs) -> None:
        self._samples = samples
        self.keys: NDArray[np.uint64] = samples.keys
        self._labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def labels(self) -> Labels:
        """The labels of all samples, read once.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        if self._labels is None:
            samples = self._samples
            self._labels = Labels(*samples.ragged_labels()) if isinstance(samples, RecordDataset) else samples.labels()
        return self._labels

    @property
    def widths(self) -> NDArray[np.int64]:
        """Number of labels of each sample; int64, shape (n,)."""
        return self.labels.widths

    def first_labels(self) -> NDArray[np.float32] | NDArray[np.int64]:
        """Return the first label of each sample; float32 or int64, shape (n,).

        Raises
        ------
        PlanError
            A sample has no label.
        FormatError
            A record is damaged.
        """
        return self.label_column(0, np.arange(len(self)))

    def label_column(self, column: int, rows: NDArray[np.int64]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Return one label of each of some samples.

        Parameters
        ----------
        column : int
            0 is the first label.
        rows : ndarray of int64, shape (m,)

        Returns
        -------
        labels : ndarray of float32 or int64, shape (m,)
            int64 if the labels are exact.

        Raises
        ------
        PlanError
            A sample has fewer labels.
        """
        widths = self.widths[rows]
        if len(short := np.flatnonzero(widths <= column)):
            got = f"{widths[short[0]]} in the record with key {self.keys[rows[short[0]]]}"
            raise PlanError(expected=f"{plural(column + 1, 'label')} or more", got=got)
        labels: NDArray[np.float32] | NDArray[np.int64]
        labels = self.labels.values[self.labels.bounds[:-1][rows] + np.uint64(column)]
        return labels

    @property
    def classes(self) -> dict[str, int] | None:
        """Class name to label; None if no dataset has class names.

        Raises
        ------
        PlanError
            Two datasets have different class names.
        FormatError
            Two files of one dataset have.
        """
        samples = self._samples
        maps = [samples.classes] if isinstance(samples, RecordDataset) else samples.classes
        with_classes = [classes for classes in maps if classes is not None]
        if any(classes != with_classes[0] for classes in with_classes):
            raise PlanError(expected="the same class names in all datasets", got="different ones")
        return with_classes[0] if with_classes else None

    def payload_sizes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of bytes of the payloads of some samples; int64, shape (m,).

        Raises
        ------
        FormatError
            A record is damaged.
        """
        sizes = np.empty(len(rows), np.int64)

        def read(file: RecordFile, _path: Path, offsets: NDArray[np.uint64], positions: NDArray[np.int64]) -> None:
            sizes[positions] = file.payload_sizes(offsets)

        self._each_file(rows, read)
        return sizes

    def image_sizes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return width and height of the images of some samples, in pixels, as stored: before EXIF orientation.

        Returns
        -------
        sizes : ndarray of int64, shape (m, 2)

        Raises
        ------
        FormatError
            A record is damaged, or has no image with a readable header.
        """
        sizes = np.empty((len(rows), 2), np.int64)

        def read(file: RecordFile, path: Path, offsets: NDArray[np.uint64], positions: NDArray[np.int64]) -> None:
            bounds = np.concatenate([[0], np.cumsum(file.payload_sizes(offsets).astype(np.int64))])
            begin = 0
            while begin < len(offsets):
                end = max(begin + 1, int(np.searchsorted(bounds, bounds[begin] + _BLOCK_BYTES, "right")) - 1)
                buffer, ends = file.read_many(offsets[begin:end], 1)
                view, places = memoryview(buffer), ends.tolist()
                for n, offset in enumerate(offsets[begin:end].tolist()):
                    key = int(self.keys[rows[positions[begin + n]]])
                    sizes[positions[begin + n]] = _image_size(view[places[n] : places[n + 1]], path, offset, key)
                begin = end

        self._each_file(rows, read)
        return sizes

    def _each_file(
        self,
        rows: NDArray[np.int64],
        read: Callable[[RecordFile, Path, NDArray[np.uint64], NDArray[np.int64]], None],
    ) -> None:
        """Call `read` with each file, its path, and the offsets and the positions of its rows, in blocks."""
        samples = self._samples
        files: list[RecordFile]
        if isinstance(samples, RecordDataset):
            found = samples.records_at(rows)
            files, paths, numbers, offsets = found.files, samples.files, found.file_indices, found.offsets
        else:
            locations = samples.locations(rows)
            files, paths, numbers, offsets = samples.files, samples.paths, locations.file_numbers, locations.offsets
        for number in np.unique(numbers).tolist():
            positions = np.flatnonzero(numbers == number)
            for begin in range(0, len(positions), _BLOCK_SIZE):
                block = positions[begin : begin + _BLOCK_SIZE]
                read(files[number], paths[number], offsets[block], block)


def _image_size(record: memoryview, path: Path, offset: int, key: int) -> tuple[int, int]:
    _, payload = irheader.unpack_at(record, str(path), offset)
    kind = codec.sniff(payload)
    header = netpbm.size(payload) if kind == "raw" else image_header.read(payload, kind)
    if header is None:
        raise FormatError(
            path=str(path),
            offset=offset,
            key=key,
            expected="an image whose header says its size",
            got="no image" if kind in ("empty", "unknown") else f"a damaged {kind}",
            advice=verify_advice(path, decode=True),
        )
    return header.width, header.height
