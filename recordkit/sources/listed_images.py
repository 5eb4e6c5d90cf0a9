"""The base of sources that list the images of a folder."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from recordkit.errors import FormatError, ImageError
from recordkit.formats import lst
from recordkit.sample import BadEntry, Entry
from recordkit.sources.roots.local import LocalReader, Reader


class ListedImages:
    """Keys, labels and names of images; the base of the sources, which add the images.

    Parameters
    ----------
    root : str
        The folder that the names start from.
    reader : Reader, optional
        It reads the images; by default those of a folder of this machine.
    """

    order = "walked"
    pixels = False

    def __init__(self, root: str, reader: Reader | None = None) -> None:
        self.root = root
        self._reader: Reader = reader or LocalReader(root)
        self.classes: dict[str, int] | None = None
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self._keys = array("Q")
        self._names: list[str] = []
        self._labels: list[float] = []

    def __len__(self) -> int:
        return len(self._names)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, label and relative path of the images at `indices`."""
        return [Entry(self._keys[index], (self._labels[index],), self._names[index]) for index in indices]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the label of the images at `indices`."""
        return [(self._labels[index],) for index in indices]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images of some entries."""
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return self._reader.first_contents(entries, max_bytes)

    def reader(self, indices: Sequence[int]) -> Reader:
        """See `recordkit.sample.PortableSource`."""
        return self._reader.part([self._names[index] for index in indices])

    def _add(self, key: int, label: float, name: str) -> None:
        try:
            lst.check_path(name)
        except FormatError as error:
            self.bad.append(BadEntry(name, error.text()))
            return
        self._keys.append(key)
        self._labels.append(label)
        self._names.append(name)
