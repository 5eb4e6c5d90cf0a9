"""A .lst file and the folder its paths start from, as a source."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recordkit.errors import FormatError, ImageError, SourceError
from recordkit.formats.lst import ListFile
from recordkit.sample import BadEntry, Entry
from recordkit.sources.files import read_images

# So many paths are looked for before anything is packed: a wrong root shows in the first few.
_PROBED_PATHS = 100


class ListSource:
    """The images that a .lst file names, in its order.

    Rows are read when they are needed, so memory is 24 bytes a row. Threads may share one.

    Parameters
    ----------
    path : str or Path
        The .lst file.
    root : str or Path, optional
        The folder its paths start from; by default the one the list is in.
    label_width : int, optional
        Split rows as the native im2rec does; see `recordkit.formats.lst.parse`.
    classes : mapping of str to int, optional
        Names of the labels, to be kept with what is packed.
    part : (int, int), default (0, 1)
        One stretch of the list only; see `recordkit.formats.lst.ListFile`.
    lenient : bool, default False
        As im2rec: leave bad rows out (they are in `bad`) and accept a key that comes twice.

    Raises
    ------
    FormatError
        A row cannot be read.
    SourceError
        A key comes twice, there are no rows, or none of the first 100 files exists.
    """

    order = "listed"
    pixels = False

    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        *,
        label_width: int | None = None,
        part: tuple[int, int] = (0, 1),
        classes: Mapping[str, int] | None = None,
        lenient: bool = False,
    ) -> None:
        self.path = Path(path)
        self.classes = None if classes is None else dict(classes)
        self.root = os.fspath(Path(path).parent if root is None else root)
        self._list = ListFile(path, label_width=label_width, part=part, lenient=lenient)
        self.notes: list[str] = []
        self.bad = [BadEntry(os.fspath(path), error.problem, error.line) for error in self._list.bad]
        if not lenient:
            self._check_keys()
            if not len(self):
                raise SourceError(path=str(path), expected="rows of KEY, LABEL and PATH", got="none")
        self._check_root()

    def close(self) -> None:
        """Close the list. A second call does nothing."""
        self._list.close()

    def __len__(self) -> int:
        return len(self._list)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, labels and path of the rows at some positions."""
        return [Entry(row.key, row.labels, row.path) for row in self._list.rows(indices)]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the rows at some positions."""
        return [row.labels for row in self._list.rows(indices)]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images that entries name."""
        return read_images([self._find(entry.name) for entry in entries])

    def _find(self, name: str) -> str:
        path = os.path.join(self.root, name)  # noqa: PTH118
        # MXNet's tools strip blanks around a path; a name that really has them comes first.
        if name != name.strip() and not os.path.exists(path):  # noqa: PTH110
            return os.path.join(self.root, name.strip())  # noqa: PTH118
        return path

    def _check_keys(self) -> None:
        keys = np.frombuffer(self._list.keys, np.uint64) if len(self) else np.empty(0, np.uint64)
        ordered = np.sort(keys)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if twice.size:
            first, second = np.flatnonzero(keys == twice[0])[:2]
            raise SourceError(
                path=str(self.path),
                expected="each KEY once",
                got=f"{twice[0]} in rows {first + 1} and {second + 1}",
                advice="readers would only ever find the last",
            )

    def _check_root(self) -> None:
        n = min(len(self), _PROBED_PATHS)
        names = [row.path for row in self._list.rows(range(n))]
        if n and not any(os.path.exists(self._find(name)) for name in names):  # noqa: PTH110
            raise SourceError(
                f"none of the first {n} images exists, for example {self._find(names[0])!r}",
                path=str(self.path),
                advice="is `root` right?",
            )


def read_classes(path: str | Path) -> dict[str, int]:
    r"""Read a class map: PREFIX.json of an earlier pack, a JSON object or list, or a name a line.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    classes : dict of str to int

    Raises
    ------
    FormatError
        It is none of these.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("cat\ndog\n")
    ...     file.flush()
    ...     read_classes(file.name)
    {'cat': 0, 'dog': 1}
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        found = json.loads(text) if text.lstrip()[:1] in ("{", "[") else text.rstrip().splitlines()
    except (ValueError, RecursionError) as error:
        raise FormatError(path=os.fspath(path), expected="class names", got=error) from None
    if isinstance(found, dict) and isinstance(found.get("classes"), (dict, list)):
        found = found["classes"]
    if isinstance(found, list):
        names = [str(name).strip() for name in found]
        if "" in names:
            raise FormatError(
                path=os.fspath(path), expected="class names", got=f"a blank one (number {names.index('')})"
            )
        found = {name: number for number, name in enumerate(names)}
        if len(found) < len(names):
            twice = next(name for name in found if names.count(name) > 1)
            raise FormatError(path=os.fspath(path), expected="each class name once", got=f"{twice!r} again")
    if not (isinstance(found, dict) and found and all(type(number) is int for number in found.values())):
        raise FormatError("expected a class name and a whole number each", path=os.fspath(path))
    return found
