r"""A text file of pairs: what is there now, a tab, and what it becomes.

::

    cat <tab> feline <line feed>
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.formats.lines import LineFile


def read_pairs(path: str | Path) -> dict[str, str]:
    r"""Read a file of pairs.

    Parameters
    ----------
    path : str or Path
        Two fields in each line, with a tab between them. Blanks around a field do not belong to it.

    Returns
    -------
    pairs : dict of str to str

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        A line has another number of fields or an empty one, or an old value is there twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "map.tsv")
    >>> _ = path.write_text("0\t5\n1\t5\n")
    >>> read_pairs(path)
    {'0': '5', '1': '5'}
    """
    pairs: dict[str, str] = {}
    with closing(LineFile(path, "a file with OLD and NEW in each line")) as lines:
        for number, _, content in lines.scan():
            fields = [field.strip() for field in os.fsdecode(content).split("\t")]
            expected = ""
            if len(fields) != 2 or not all(fields):
                expected = "OLD and NEW, with a tab between them"
            elif fields[0] in pairs:
                expected = "each OLD once"
            if expected:
                raise FormatError(path=os.fspath(path), line=number, expected=expected, got=repr("\t".join(fields)))
            pairs[fields[0]] = fields[1]
    return pairs
