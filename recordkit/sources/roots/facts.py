"""Sizes and ETags of many objects by name, in about 130 bytes each and what the names take."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from recordkit.storage.remote.client.facts import ObjectFacts


class FactTable:
    """Facts by name. An object of Python for each of them would take twice the memory.

    Examples
    --------
    >>> table = FactTable()
    >>> table.add("cat/1.jpg", ObjectFacts(3, '"9001"'))
    >>> table["cat/1.jpg"], table.part(["cat/1.jpg"])["cat/1.jpg"].size, "dog" in table
    (ObjectFacts(size=3, etag='"9001"'), 3, False)
    """

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._sizes = array("Q")
        self._ends = array("Q", [0])  # of the ETags, one behind the other
        self._etags = bytearray()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __getitem__(self, name: str) -> ObjectFacts:
        row = self._rows[name]
        etag = self._etags[self._ends[row] : self._ends[row + 1]].decode()
        return ObjectFacts(self._sizes[row], etag or None)

    def add(self, name: str, facts: ObjectFacts) -> None:
        """Add the facts of an object of another name."""
        self._rows[name] = len(self._rows)
        self._sizes.append(facts.size)
        self._etags += (facts.etag or "").encode()
        self._ends.append(len(self._etags))

    def part(self, names: Iterable[str]) -> FactTable:
        """Return a table of these names alone."""
        table = FactTable()
        for name in names:
            table.add(name, self[name])
        return table
