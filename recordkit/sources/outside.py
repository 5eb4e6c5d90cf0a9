"""Paths of a list that lead out of the folder that they start from: absolute ones, and those that climb by ``..``.

A list may come from a stranger, and what it names is packed and given away. Its paths therefore stay below the root
unless the caller allows others. A link below the root is followed wherever it leads, because the owner of the folder
made it; after ``..`` it counts where it leads. An absolute path below the root is inside, however it is written. Any
other path with a ``/`` at its beginning is taken below the root, as lists such as those of Places365 mean it, if at
least one of the first such images is there.
"""

# ruff: noqa: PTH110, PTH113, PTH117, PTH118 (a Path for each of a million rows is slow)
from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from recordkit.errors import ImageError, SourceError, plural
from recordkit.formats.lst import excerpt
from recordkit.sample import Entry
from recordkit.sources.files import find_image, read_images

# Images with a slash at the beginning of their paths that are looked for below the root.
_N_PROBED = 100


class ImageRoot:
    """The folder that the paths of a list start from.

    Parameters
    ----------
    folder : str
        The folder; "" and "/" allow all paths.
    allow_outside : bool
        Allow paths that lead out of the folder.
    """

    def __init__(self, folder: str, *, allow_outside: bool) -> None:
        self.folder = folder
        self._allows_all = allow_outside or folder in ("", "/")
        self._indices, self._lines = array("Q"), array("Q")

    def without_rows(self) -> ImageRoot:
        """Return the same folder with no row to check."""
        return ImageRoot(self.folder, allow_outside=self._allows_all)

    def part(self, _names: Sequence[str]) -> ImageRoot:
        """Return the same folder for the images of some rows, without the rows."""
        return self.without_rows()

    def has(self, name: str) -> bool:
        """Tell whether a path of the list is that of a file."""
        return os.path.isfile(find_image(self.folder, name))

    def has_any(self, names: Sequence[str]) -> bool:
        """Tell whether any of some paths of the list exists."""
        return any(os.path.exists(find_image(self.folder, name)) for name in names)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return self.read([entry.name for entry in entries], max_bytes)

    def note(self, index: int, line: int, name: str) -> None:
        """Remember a row for `check` if its path may lead out of the folder."""
        if not self._allows_all and _may_lead_out(name):
            self._indices.append(index)
            self._lines.append(line)

    def check(self, path: Path, name_of: Callable[[int], str]) -> None:
        """Refuse a list if a path leads out of the folder.

        Parameters
        ----------
        path : Path
            The list.
        name_of : callable
            Returns the path of the image of a row.

        Raises
        ------
        SourceError
            Paths lead out of the folder. The error has the line of the first one.
        """
        absolute = filter(_is_absolute, map(name_of, self._indices))
        below = any(os.path.exists(os.path.join(self.folder, _plain(name))) for name in islice(absolute, _N_PROBED))
        lines = [
            (line, name)
            for line, name in zip(self._lines, map(name_of, self._indices), strict=True)
            if self.find(name) is None or not (below or not _is_absolute(name) or _is_below(self.folder, name.strip()))
        ]
        self._refuse(path, lines)

    def _refuse(self, path: Path, lines: Sequence[tuple[int, str]]) -> None:
        """Raise a SourceError if there are paths that lead out of the folder, each with its line."""
        if lines:
            raise SourceError(
                path=str(path),
                line=lines[0][0],
                expected=f"paths inside the folder {self.folder}",
                got=f"{plural(len(lines), 'path')} outside, the first is {excerpt(lines[0][1])}",
                advice="correct the list, or give `allow_outside=True` if you trust it",
            )

    def find(self, name: str) -> str | None:
        """Return the path of an image that the list names; None if it leads out of the folder."""
        if self._allows_all or not _may_lead_out(name):
            return find_image(self.folder, name)
        if _is_absolute(name) and _is_below(self.folder, name.strip()):
            return name.strip()
        path = os.path.join(self.folder, name.lstrip("/") if _is_absolute(name) else name)
        if not os.path.exists(path):
            path = os.path.join(self.folder, _plain(name))
        return path if _is_below(self.folder, path) else None

    def read(self, names: Sequence[str], max_bytes: int | None = None) -> list[bytes | ImageError]:
        """Read images whole, as `recordkit.sources.files.read_images` does; a path that leads out is an error."""
        paths = [self.find(name) for name in names]
        contents = iter(read_images([path for path in paths if path is not None], max_bytes))
        outside = self._outside_error()
        read = (outside if path is None else next(contents, None) for path in paths)
        return list(itertools.takewhile(lambda content: content is not None, read))  # type: ignore[arg-type]  # no None is left

    def _outside_error(self) -> ImageError:
        return ImageError(expected=f"a path inside the folder {self.folder}", got="one that leads out of it")


def _may_lead_out(name: str) -> bool:
    return ".." in name or "\\" in name or os.path.isabs(name.strip())


def _plain(name: str) -> str:
    """Return a path without blanks around it, with slashes, and without one at its beginning."""
    return name.strip().replace("\\", "/").lstrip("/")


def _is_absolute(name: str) -> bool:
    return name.strip().replace("\\", "/").startswith("/") or os.path.isabs(name.strip())


def _is_below(folder: str, path: str) -> bool:
    """Return True if a path stays in a folder: it climbs nowhere, or ends in the folder after all links."""
    start = os.path.join(folder, "")
    if path.startswith(start) and ".." not in path[len(start) :]:
        return True
    try:
        return os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))
    except ValueError:  # a zero byte, with which no file can be opened
        return True
