"""A list of any columns as a source: CSV files, and the lists of other tools.

The grammar of the columns is in `recordkit.sources.columns`. MXNet's own lists are read by `recordkit.sources.listing`.
"""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from recordkit.errors import FormatError, ImageError, SourceError, with_places
from recordkit.formats.lines import LineFile
from recordkit.formats.lst import excerpt
from recordkit.sample import BadEntry, Entry
from recordkit.sources.columns import DELIMITERS, Columns, TableRow, is_label, split_fields
from recordkit.sources.doubts import count_rows, doubt_class_names, doubt_labels
from recordkit.sources.files import EXTENSIONS
from recordkit.sources.missing_images import explain_wrong_root
from recordkit.sources.outside import ImageRoot
from recordkit.sources.repeated_keys import repeated_key_error
from recordkit.sources.roots.opening import open_root

# Rows that are looked at to find the delimiter, the heading and the suffix of the images.
_N_PROBED_ROWS = 100


class TableReader:
    """Reads the images that a list names.

    Parameters
    ----------
    images : ImageRoot
    suffixes : tuple of str
        Suffixes of images, in lower case.
    """

    def __init__(self, images: ImageRoot, suffixes: tuple[str, ...]) -> None:
        self._images = images
        self._suffixes = suffixes

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        contents = self._images.first_contents(entries, max_bytes)
        for number, content in enumerate(contents):
            if isinstance(content, ImageError) and len(found := self.completions(entries[number].name)) > 1:
                contents[number] = ImageError(
                    expected="one image of that name", got=", ".join(found), advice="write the suffix in the list"
                )
        return contents

    def has(self, name: str) -> bool:
        """Tell whether a path of the list is that of a file."""
        return self._images.has(name)

    def completions(self, name: str) -> list[str]:
        """Return the images whose names are the given one and a suffix, if it is not the name of an image itself."""
        if name.lower().endswith(self._suffixes) or self.has(name):
            return []
        for suffixes in (self._suffixes, [suffix.upper() for suffix in self._suffixes]):
            if found := [name + suffix for suffix in suffixes if self.has(name + suffix)]:
                return found
        return []


class TableSource:
    r"""The images that a list names, in its order. The list has any columns and any delimiter.

    Rows are read when they are needed, so memory is 16 bytes per row, and 8 more if there is a column of keys.
    Threads may share an instance.

    Parameters
    ----------
    path : str or Path
        The list: text with a row per line, between tabs, commas, semicolons or blanks.
    root : str or Path, optional
        Folder that the paths start from, or the URL of one, which is listed; by default the folder of the list.
    columns : str
        The columns, for example ``path,label``; see `recordkit.sources.columns`.
    extensions : sequence of str
        Suffixes of images. If the image of a path does not exist, it is looked for with these suffixes.
    classes : mapping of str to int, optional
        Label by class name. By default, class names are numbered in code point order.

    Raises
    ------
    PlanError
        `columns` is not understood.
    NotFoundError
        The list does not exist.
    FormatError
        A row does not have these columns.
    SourceError
        A key is repeated, there are no rows, a class is not in `classes`, or none of the first 100 images exists.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "7.jpg").touch()
    ...     _ = Path(folder, "train.csv").write_text("id,breed\n7,collie\n")
    ...     source = TableSource(Path(folder, "train.csv"), columns="path,class")
    ...     source.entries([0]), source.classes
    ([Entry(key=0, labels=(0,), name='7.jpg')], {'collie': 0})
    """

    order = "listed"
    pixels = False

    def __init__(
        self,
        path: str | Path,
        root: str | Path | None = None,
        *,
        columns: str,
        extensions: Sequence[str] = EXTENSIONS,
        classes: Mapping[str, int] | None = None,
        allow_outside: bool = False,
    ) -> None:
        self.path = Path(path)
        self._images = open_root(self.path.parent if root is None else root, allow_outside=allow_outside, listed=True)
        self.root = self._images.folder
        self._shown = with_places(str(self.path))
        self.notes: list[str] = []
        self.bad: list[BadEntry] = []
        self.classes = None if classes is None else dict(classes)
        self._columns = Columns(columns)
        self._suffixes = tuple(suffix.lower() for suffix in extensions)
        self._reader = TableReader(self._images.without_rows(), self._suffixes)
        self._completions = self._reader.completions
        self._completes_paths = True
        self._keys = array("Q")
        self._path_hashes, self._label_hashes = array("q"), array("q")
        self._lines = LineFile(path, "a list")
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the list. A second call does nothing."""
        self._lines.close()

    def __len__(self) -> int:
        return len(self._lines)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return key, labels and path of the rows at `indices`."""
        return [
            Entry(index if row.key is None else row.key, self._labels(row), self._complete(row.path))
            for index, row in zip(indices, self._rows(indices), strict=True)
        ]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the rows at `indices`."""
        return [self._labels(row) for row in self._rows(indices)]

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Read the images of some entries."""
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return self._reader.first_contents(entries, max_bytes)

    def reader(self, indices: Sequence[int]) -> TableReader:
        """See `recordkit.sample.PortableSource`."""
        return TableReader(self._images.part([entry.name for entry in self.entries(indices)]), self._suffixes)

    def _rows(self, indices: Sequence[int]) -> list[TableRow]:
        return [self._row(text) for text in self._lines.texts(indices)]

    def _row(self, text: str) -> TableRow:
        return self._columns.row(self._columns.split(text, self._delimiter))

    def _labels(self, row: TableRow) -> tuple[float, ...]:
        return row.labels if row.class_name is None else ((self.classes or {})[row.class_name],)

    def _open(self) -> None:
        first_texts = [os.fsdecode(content) for _, _, content in itertools.islice(self._lines.scan(), _N_PROBED_ROWS)]
        self._delimiter = self._find_delimiter(first_texts)
        n_headings = self._count_headings(first_texts)
        names = self._index(n_headings)
        if not len(self):
            raise SourceError(path=str(self.path), expected=f"rows of {self._columns.text}", got="none")
        columns = self._columns.text.replace("key", "-")
        if error := repeated_key_error(self.path, self._keys, f"`columns={columns}`"):
            raise error
        self._check_images()
        self._images.check(self.path, lambda index: self._rows([index])[0].path)
        if names and self.classes is None:
            self.classes = {name: number for number, name in enumerate(sorted(names))}
            if doubt := doubt_class_names(names):
                self.notes.append(f"{self._shown}: {doubt}")
        labels = self.labels(range(min(len(self), _N_PROBED_ROWS)))
        if self._columns.names[0] in ("label", "labels") and count_rows(labels):
            self.notes.append(
                f"{self._shown}: the labels are successive numbers from {labels[0][0]}, as keys are; are the labels in "
                "another column?"
            )
        if doubt := doubt_labels(self._path_hashes, self._label_hashes):
            self.notes.append(f"{self._shown}: {doubt}")
        del self._path_hashes, self._label_hashes

    def _find_delimiter(self, texts: Sequence[str]) -> str:
        """Return the delimiter with which most lines are rows, or else most have the columns, and most images exist.

        If no line has the columns, it is the one that most lines have.
        """

        def counts(delimiter: str) -> tuple[int, int, int, int]:
            self._delimiter = delimiter
            rows = [row for row in map(self._try_row, texts) if row]
            n_long = sum(self._columns.fits(self._columns.split(text, delimiter)) for text in texts)
            n_divided = sum(len(split_fields(text, delimiter)) > 1 for text in texts)
            return len(rows), n_long, sum(self._exists(row.path) for row in rows), n_divided

        return max(DELIMITERS, key=counts)

    def _try_row(self, text: str) -> TableRow | None:
        try:
            return self._row(text)
        except FormatError:
            return None

    def _count_headings(self, texts: Sequence[str]) -> int:
        """Return the number of lines before the first row: comments, a number of rows (CelebA), names of columns."""
        rows = [self._try_row(text) for text in texts]
        n = 0
        while n < len(texts) and texts[n].startswith(("#", "sep=")) and not self._has_image(texts[n]):
            n += 1
        if n < len(texts) - 1 and rows[n] is None and texts[n].strip().isdigit():
            n += 1
        return n + (n < len(texts) - 1 and self._is_heading(texts[n], rows[n], rows[n + 1 :]))

    def _is_heading(self, text: str, row: TableRow | None, others: Sequence[TableRow | None]) -> bool:
        """Tell whether a line has the names of the columns: it has no number and no image, and is unlike the others."""
        fields = split_fields(text, self._delimiter)
        if any(map(is_label, fields)) or self._has_image(text) or any(map(text.lower().__contains__, self._suffixes)):
            return False
        if row is None or row.class_name is None:
            return row is None
        is_class = any(other and other.class_name == row.class_name for other in others)
        return not is_class and any(other and self._has_image(other.path) for other in others)

    def _has_image(self, text: str) -> bool:
        """Tell whether a field of a line has the suffix of an image, or is the path of an image that exists."""
        fields = split_fields(text, self._delimiter)
        return any(
            field.lower().endswith(self._suffixes) or self._exists(field) or self._completions(field)
            for field in fields
        )

    def _index(self, n_headings: int) -> set[str]:
        """Find the rows, and return the class names."""
        names: set[str] = set()
        for index, (number, offset, content) in enumerate(self._lines.scan()):
            text = os.fsdecode(content)
            if index < n_headings:
                self.notes.append(f"{self._shown}: line {number} is a heading and is not read: {excerpt(text)}")
                continue
            try:
                row = self._row(text)
            except FormatError as error:
                raise error.located(path=str(self.path), line=number) from None
            self._images.note(len(self._path_hashes), number, row.path)
            if row.class_name is not None:
                self._check_class(row.class_name, number)
                names.add(row.class_name)
            if row.key is not None:
                self._keys.append(row.key)
            self._path_hashes.append(hash(row.path))
            self._label_hashes.append(hash((row.labels, row.class_name)))
            self._lines.keep(offset, len(content))
        return names

    def _check_class(self, name: str, line: int) -> None:
        if self.classes is not None and name not in self.classes:
            raise SourceError(
                path=str(self.path),
                line=line,
                expected=f"one of the {len(self.classes)} names in `classes`",
                got=excerpt(name),
                advice="add it to them or remove the row",
            )

    def _check_images(self) -> None:
        names = [row.path for row in self._rows(range(min(len(self), _N_PROBED_ROWS)))]
        completions = {name: self._completions(name) for name in names}
        if not any(completions.values()) and not any(map(self._exists, names)):
            raise explain_wrong_root(self.path, self.root, names, self._suffixes)
        self._completes_paths = any(completions.values())
        if example := next((found[0] for found in completions.values() if len(found) == 1), None):
            self.notes.append(f"{self._shown}: paths without a suffix get the one of their image, as in {example}")

    def _exists(self, name: str) -> bool:
        return self._reader.has(name)

    def _complete(self, name: str) -> str:
        found = self._completions(name) if self._completes_paths else ()
        return found[0] if len(found) == 1 else name
