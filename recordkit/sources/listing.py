"""A .lst file as a source: its rows in order, and the images that they name.

The format of the file is in `recordkit.formats.lst`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from recordkit.errors import FormatError, ImageError, SourceError, quoted
from recordkit.formats.lst import LabelWidth, ListFile
from recordkit.sample import BadEntry, Entry
from recordkit.sources.list_form import advise_columns
from recordkit.sources.missing_images import explain_missing_images
from recordkit.sources.outside import ImageRoot
from recordkit.sources.repeated_keys import repeated_key_error
from recordkit.sources.roots.opening import open_root
from recordkit.storage.remote.urls import is_url

# Number of images that are looked up when a list is opened. If the root is wrong, none of them exists.
_N_PROBED_IMAGES = 100

_Error = TypeVar("_Error", FormatError, SourceError)


class ListSource:
    r"""The images that a .lst file names, in its order.

    Rows are read when they are needed, so memory is 24 bytes per row. Threads may share an instance.

    Parameters
    ----------
    path : str or Path
        The .lst file.
    root : str or Path, optional
        Folder that the paths start from, or the URL of one; by default the folder of the list.
    label_width : int or "auto", optional
        Number of labels of each row; rows are then split as the native im2rec does, see `recordkit.formats.lst.parse`.
    classes : mapping of str to int, optional
        Label by class name, stored with the packed set.
    part : (part_index, num_parts), default (0, 1)
        Read only one of `num_parts` ranges of the list; see `recordkit.formats.lst.ListFile`.
    lenient : bool, default False
        Skip rows that cannot be parsed, which are then in `bad`, and accept repeated keys with a note, as im2rec does.
    allow_outside : bool, default False
        Allow paths that lead out of `root`; "" and "/" allow them too. See `recordkit.sources.outside`.

    Raises
    ------
    NotFoundError
        The list does not exist.
    FormatError
        A row cannot be parsed; if `lenient` is set, none can.
    SourceError
        A key is repeated, there are no rows, a path leads out of `root`, or none of the first 100 images exists.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "tom.jpg").touch()
    ...     _ = Path(folder, "cats.lst").write_text("7\t3.000000\ttom.jpg\n")
    ...     ListSource(Path(folder, "cats.lst")).entries([0])
    [Entry(key=7, labels=(3.0,), name='tom.jpg')]
    """

    order = "listed"
    pixels = False

    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        *,
        label_width: LabelWidth = None,
        part: tuple[int, int] = (0, 1),
        classes: Mapping[str, int] | None = None,
        lenient: bool = False,
        allow_outside: bool = False,
    ) -> None:
        self.path = Path(path)
        self.classes = None if classes is None else dict(classes)
        self._images = open_root(Path(path).parent if root is None else root, allow_outside=allow_outside)
        self.root = self._images.folder
        self._label_width = label_width
        try:
            self._list = ListFile(path, label_width=label_width, part=part, lenient=lenient, on_row=self._images.note)
            if self._list.bad and not len(self):
                raise self._list.bad[0]
        except FormatError as error:
            raise self._with_columns(error, lenient=lenient) from None
        self.notes: list[str] = []
        self.bad = [BadEntry(os.fspath(path), error.problem, error.line) for error in self._list.bad]
        if not lenient and not len(self):
            raise SourceError(path=str(path), expected="rows of KEY, LABEL and PATH", got="none")
        self._check_keys(lenient=lenient)
        self._check_images(lenient=lenient)
        self._images.check(self.path, lambda index: self._list[index].path)

    def close(self) -> None:
        """Close the list. A second call does nothing."""
        self._list.close()

    def __len__(self) -> int:
        return len(self._list)

    @property
    def label_widths(self) -> set[int]:
        """The numbers of labels that rows have: one number, if all rows have the same."""
        return self._list.widths

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, labels and path of the rows at `indices`."""
        return [Entry(row.key, row.labels, row.path) for row in self._list.rows(indices)]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the rows at `indices`."""
        return [row.labels for row in self._list.rows(indices)]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images of some entries."""
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return self._images.first_contents(entries, max_bytes)

    def reader(self, _indices: Sequence[int]) -> ImageRoot:
        """See `recordkit.sample.PortableSource`."""
        return self._images.without_rows()

    def _check_keys(self, *, lenient: bool) -> None:
        columns = self._columns_without_keys()
        command = f"'{self._pack_command()} --root {quoted(self.root)} --columns {columns}'"
        error = repeated_key_error(self.path, self._list.keys, command if lenient else f"`columns={columns}`")
        if error and not lenient:
            raise error
        if error:
            self.notes.append(str(error))

    def _pack_command(self) -> str:
        return f"recordkit pack {quoted(str(self.path))} PREFIX"

    def _check_images(self, *, lenient: bool) -> None:
        rows = self._list.rows(range(min(len(self), _N_PROBED_IMAGES)))
        if rows and not self._images.has_any([row.path for row in rows]):
            error = explain_missing_images(self.path, self.root, rows, self._label_width)
            raise error if error.advice else self._with_columns(error, lenient=lenient)

    def _columns_without_keys(self) -> str:
        """Return the columns that read the list if its keys are none: all alike, or the labels."""
        rows = self._list.rows(range(min(len(self), _N_PROBED_IMAGES)))
        if len(rows) > 2 and self.label_widths == {1} and len({row.labels for row in rows}) == len(rows):
            return "label,key,path"
        return "-,label,path" if self.label_widths == {1} else "-,labels,path"

    def _with_columns(self, error: _Error, *, lenient: bool) -> _Error:
        """Add the advice to name the columns, if the list has others; im2rec cannot read it."""
        if "label_width" not in (error.advice or "") and not is_url(self.root):
            program = self._pack_command() if lenient else ""
            error.advice = advise_columns(self.path, self.root, program=program) or error.advice
        return error
