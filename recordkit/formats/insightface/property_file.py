r"""The text file ``property`` beside InsightFace's train.rec: ``classes,height,width``.

Some writers add lines: the number of images, the word ``shuffled``, a time. Readers take the first line, and old ones
accept no other, so one line is written.

Source: ``RecBuilder.close`` of ``rec_builder.py`` and ``rec2shufrec.py`` of InsightFace.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.formats.files import read_file

NAME = "property"
"""The name of the file."""

MAX_BYTES = 4096
_MAX_NUMBER = 2**32 - 1


@dataclass(frozen=True)
class FaceProperty:
    """The content of the file.

    Attributes
    ----------
    n_classes : int
        The largest label and 1.
    height, width : int
        Size of the images, in pixels.
    """

    n_classes: int
    height: int
    width: int

    def pack(self) -> bytes:
        r"""Return the bytes of the file.

        Examples
        --------
        >>> FaceProperty(93431, 112, 112).pack()
        b'93431,112,112\n'
        """
        return f"{self.n_classes},{self.height},{self.width}\n".encode()


def read(path: str | Path) -> FaceProperty:
    r"""Read the file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content : FaceProperty

    Raises
    ------
    FormatError
        The first line is not three whole numbers below 2**32, or the file is larger than 4 KiB, a pipe or a device.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "property")
    >>> _ = path.write_text("93431,112,112\n5179510\nshuffled\n")
    >>> read(path)
    FaceProperty(n_classes=93431, height=112, width=112)
    """
    content = read_file(path, max_bytes=MAX_BYTES, what="the classes and the image size of a face dataset")
    line = content.decode("latin-1").partition("\n")[0].strip()
    fields = [field.strip() for field in line.split(",")]
    numbers = [int(field) for field in fields if field.isascii() and field.isdecimal() and len(field) <= 10]
    if len(fields) != 3 or len(numbers) != 3 or max(numbers) > _MAX_NUMBER:
        raise FormatError(path=os.fspath(path), line=1, expected="CLASSES,HEIGHT,WIDTH", got=repr(line[:80]))
    return FaceProperty(*numbers)
