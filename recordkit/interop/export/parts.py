"""Exports in parts: files that tasks write apart, each of the samples of one source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.interop.export.labels import LabelFacts
from recordkit.sample import Source

SPLIT = "train"
"""Name of the split of a single source."""


class PartOptions(NamedTuple):
    """The facts about all parts that each of them needs. They are small and can be pickled.

    Attributes
    ----------
    facts : LabelFacts
        Those of all samples, without `first_labels`.
    classes : dict of str to int, or None
    schema : object
        Of a format that has one for all its files.
    """

    facts: LabelFacts
    classes: dict[str, int] | None
    schema: Any = None


class PartWriter(Protocol):
    """Writes the files of a format, each of which has the samples of one part.

    Attributes
    ----------
    file_bytes : int
        Bytes that count against the size of a file besides those of its samples.
    """

    file_bytes: int

    def options(self, facts: LabelFacts, classes: dict[str, int] | None) -> PartOptions:
        """Return what the parts need, from the facts about all samples.

        Raises
        ------
        SourceError
            The format cannot hold the labels.
        """

    def notes(self, source: Source, facts: LabelFacts) -> tuple[str, ...]:
        """Return the notes of the report."""

    def sizes(self, record_bytes: NDArray[np.int64], options: PartOptions) -> NDArray[np.int64]:
        """Return for each sample the most bytes that count against the size of a file, from those of its record."""

    def file_name(self, number: int, n_files: int) -> str:
        """Return the name of a file."""

    def write(self, path: Path, source: Source, options: PartOptions, *, threads: int, memory: int) -> int:
        """Write a file, and return the total size of its images.

        Raises
        ------
        SourceError, FormatError
            An image cannot be read.
        """

    def index(self, lengths: Mapping[str, int], classes: dict[str, int] | None) -> tuple[str, bytes] | None:
        """Return name and content of the file that lists the others, from their numbers of samples; None without."""
