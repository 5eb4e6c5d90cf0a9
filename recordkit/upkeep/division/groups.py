r"""The groups of samples that must stay together: by a label, by the key, or by a part of the image's path.

label:1            samples with the same label in this column; label:0 is the first label
key//100           keys 0 to 99, 100 to 199 and so on
name:^(\w+)_       samples in whose path, in the .lst file, the regular expression finds the same text: that of
                   its first group, or what it matches if it has none
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, PlanError
from recordkit.formats.lst import ListFile, excerpt
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.selection.keys import SortedKeys
from recordkit.upkeep.selection.table import SampleTable

_FORMS = r"label:N, key//N or name:EXPRESSION"
# Lines of a list that are parsed at a time.
_BLOCK_SIZE = 1 << 14


def find_groups(text: str, inputs: Inputs) -> NDArray[np.int64]:
    """Return the number of each sample's group, from 0.

    Parameters
    ----------
    text : str
        One of the forms above.
    inputs : Inputs

    Returns
    -------
    groups : ndarray of int64, shape (n,)

    Raises
    ------
    PlanError
        The text has another form, a sample has no such label, or the expression matches no part of a path.
    NotFoundError, FormatError
        There is no list for an expression, or it does not fit the records.
    """
    kind, _, rest = text.partition(":")
    values: NDArray[np.generic]
    if kind == "label" and rest.isdecimal() and len(rest) < 7:
        values = SampleTable(inputs).label_column(int(rest), np.arange(len(inputs)))
    elif (match := re.fullmatch(r"key ?// ?(\d{1,19})", text, re.ASCII)) and int(match[1]):
        values = inputs.keys // np.uint64(match[1])
    elif kind == "name" and rest:
        values = _groups_by_name(rest, inputs)
    else:
        raise PlanError(argument="group_by", expected=_FORMS, got=excerpt(text))
    groups: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return groups


def _groups_by_name(expression: str, inputs: Inputs) -> NDArray[np.int64]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise PlanError(argument="group_by", expected="a regular expression", got=f"{expression}: {error}") from None
    numbers: dict[str, int] = {}
    groups = np.empty(len(inputs), np.int64)
    for rows, paths in _image_paths(inputs):
        for row, path in zip(rows, paths, strict=True):
            match = pattern.search(path)
            name = match and (match[1] if pattern.groups else match[0])
            if name is None:
                expected = f"paths in which {expression} finds a group"
                raise PlanError(argument="group_by", expected=expected, got=excerpt(path))
            groups[row] = numbers.setdefault(name, len(numbers))
    return groups


def _image_paths(inputs: Inputs) -> Iterator[tuple[list[int], list[str]]]:
    """Yield rows and the paths of their images, from the lists of all files, in blocks."""
    numbers = inputs.locations(np.arange(len(inputs))).file_numbers
    for number, rec_path in enumerate(inputs.paths):
        file_rows = np.flatnonzero(numbers == number)
        with ListFile(Fileset(rec_path).path(".lst")) as lines:
            listed = SortedKeys(np.array(lines.keys, np.uint64))
            try:
                indices = listed.of_each(inputs.keys[file_rows], lines.path)
            except PlanError as error:
                raise FormatError(path=lines.path, expected=f"the keys of {rec_path}", got=error.got) from None
            for begin in range(0, len(file_rows), _BLOCK_SIZE):
                block = slice(begin, begin + _BLOCK_SIZE)
                yield file_rows[block].tolist(), [row.path for row in lines.rows(indices[block].tolist())]
