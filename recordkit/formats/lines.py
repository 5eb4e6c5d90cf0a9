r"""The lines of a text file, read from the file each time.

Files are UTF-8 with or without a byte-order mark, CRLF is accepted, blank lines are skipped, and bytes that are not
UTF-8 are kept (surrogateescape).
"""

from __future__ import annotations

import codecs
import os
import weakref
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.formats.files import not_found, open_file, pread

# Longest line. A row of 8,600 labels is about 80 kB; a file with far longer lines is a binary file.
MAX_LINE_BYTES = 1 << 24

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Each is the beginning of a text that Excel or PowerShell saved as UTF-16, in which bytes are no characters."""


class LineFile:
    r"""Lines of a text file. It keeps the bounds of the lines that `keep` was called with, 16 bytes each.

    Threads may share an instance, once all lines are kept.

    Parameters
    ----------
    path : str or Path
    expected : str
        Description of the file for errors, for example "a .lst file".
    suffix : str, optional
        The file's suffix; if the file does not exist, the error names similar files with it.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        The path is a pipe or a device.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.csv")
    >>> _ = path.write_text("image,label\na.jpg,3\n")
    >>> lines = LineFile(path, "a list")
    >>> for _number, offset, content in lines.scan():
    ...     lines.keep(offset, len(content))
    >>> len(lines), lines.texts([1])
    (2, ['a.jpg,3'])
    """

    def __init__(self, path: str | Path, expected: str, *, suffix: str = "") -> None:
        self.path = os.fspath(path)
        self._expected = expected
        self._bounds = array("Q")
        try:
            self._file = open_file(path, what=expected, buffering=1 << 16)
        except FileNotFoundError:
            raise not_found(path, expected, suffix=suffix) from None
        weakref.finalize(self, self._file.close)  # sources are often dropped without a call of close

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __len__(self) -> int:
        return len(self._bounds) // 2

    @property
    def n_bytes(self) -> int:
        """Size of the file."""
        return os.fstat(self._file.fileno()).st_size

    def scan(self) -> Iterator[tuple[int, int, bytes]]:
        """Read every line that is not blank, from the beginning.

        Yields
        ------
        number : int
            Number of the line in the file, counted from 1.
        offset : int
            Offset of the first byte of `content`.
        content : bytes
            The line without its end and without a byte-order mark.

        Raises
        ------
        FormatError
            The file is UTF-16, its lines end with carriage returns alone, or a line has `MAX_LINE_BYTES` bytes or more.
        """
        offset = number = 0
        self._file.seek(0)
        while raw := self._file.readline(MAX_LINE_BYTES):
            number += 1
            if len(raw) == MAX_LINE_BYTES:
                raise FormatError(
                    path=self.path,
                    line=number,
                    expected=f"lines shorter than {MAX_LINE_BYTES} bytes",
                    got="a longer one",
                    advice=f"is it {self._expected}?",
                )
            if number == 1 and raw.startswith(UTF_16_MARKS):
                raise FormatError(path=self.path, expected="UTF-8", got="UTF-16", advice="save the list as UTF-8")
            if number == 1 and not raw.endswith(b"\n") and b"\r" in raw.strip(b"\r"):
                raise FormatError(
                    path=self.path,
                    line=1,
                    expected="lines that end with a line feed",
                    got="carriage returns between them",
                    advice="save the list with the line ends of Unix or Windows",
                )
            begin = offset + (len(codecs.BOM_UTF8) if number == 1 and raw.startswith(codecs.BOM_UTF8) else 0)
            content = raw[begin - offset :].rstrip(b"\r\n")
            offset += len(raw)
            if content.strip():
                yield number, begin, content

    def keep(self, offset: int, n_bytes: int) -> None:
        """Remember the bounds of a line, so that `texts` can read it."""
        self._bounds.append(offset)
        self._bounds.append(offset + n_bytes)

    def texts(self, indices: Sequence[int]) -> list[str]:
        """Return some of the kept lines. Lines of a range with step 1 are read with one system call."""
        bounds = [(self._bounds[2 * index], self._bounds[2 * index + 1]) for index in indices]
        if isinstance(indices, range) and indices.step == 1 and bounds:
            (begin, _), (_, end) = bounds[0], bounds[-1]
            block = pread(self._file.fileno(), end - begin, begin)
            contents = [block[first - begin : last - begin] for first, last in bounds]
        else:
            contents = [pread(self._file.fileno(), last - first, first) for first, last in bounds]
        return list(map(os.fsdecode, contents))
