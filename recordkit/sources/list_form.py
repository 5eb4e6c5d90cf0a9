"""The advice about a list of another tool: which columns its rows have, tried on the list before it is given."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from recordkit.errors import RecordkitError, quoted
from recordkit.formats.files import open_file
from recordkit.formats.lines import UTF_16_MARKS
from recordkit.sources.columns import DELIMITERS, is_label, split_fields
from recordkit.sources.doubts import count_rows
from recordkit.sources.files import EXTENSIONS, find_image
from recordkit.sources.missing_images import other_folders
from recordkit.sources.table import TableSource

# The beginning of a list that is looked at.
_N_BYTES, _N_LINES = 1 << 20, 100
# Rows whose images are looked for in each folder near the list.
_N_LOOKED_FOR = 2
# Lines that may have other columns: a number of rows and the names of the columns.
_N_HEADINGS = 2
# Headings of a column of keys; that of pandas is empty.
_KEY_WORDS = ("", "id", "key", "index", "idx", "number", "no", "nr", "unnamed: 0")
# Words in the heading of a column of labels.
_LABEL_WORDS = ("label", "class", "category", "target", "breed", "species", "tag")


def advise_columns(
    path: Path,
    root: str | Path | None,
    extensions: Sequence[str] = EXTENSIONS,
    *,
    program: str = "",
    is_list: bool = False,
) -> str | None:
    """Return the advice that reads a list, or None if it does not look like one.

    Parameters
    ----------
    path : Path
        A file of any kind.
    root : str, Path or None
        Folder that the paths start from; None is the folder of the list.
    extensions : sequence of str
        Suffixes of images.
    program : str, optional
        The beginning of the command that reads the list, if the reader of the advice has another program before them.
    is_list : bool, default False
        Whether the file is certainly a list, so that no advice says "if it is a list".

    Returns
    -------
    advice : str or None
        The columns, and the root if it is another folder. Unless no image exists anywhere near, the whole list was
        read with them.
    """
    root = path.parent if root is None else Path(root)
    with open_file(path, what="a list") as file:
        head = file.read(_N_BYTES)
    is_list = is_list or path.suffix == ".lst" or bool(program)
    if head.startswith(UTF_16_MARKS) and not is_list:
        return "if it is a list of images, save it as UTF-8; it is UTF-16"
    lines = _first_lines(head)
    is_titled = bool(lines) and any(word in lines[0].lower() for word in _LABEL_WORDS)
    tables = [[split_fields(line, delimiter) for line in lines] for delimiter in DELIMITERS]
    for rows, (delimiter, separators) in zip(tables, DELIMITERS.items(), strict=True):
        for columns, folder in _likely_forms(rows, path, root, tuple(extensions)):
            if folder is not None and not _reads(path, folder, columns, extensions, is_titled=is_titled):
                continue
            if folder is None and delimiter == " " and "class" in columns and not columns.startswith("path"):
                continue  # the word may be the beginning of a path
            names = " ".join("..." if name == "-" else name.upper() for name in columns.split(","))
            looks = f"the rows look like {names}, separated by {separators}"
            where = "the folder of the images" if folder is None else folder
            if program:
                root_text = "ROOT" if folder is None else quoted(str(folder))
                return f"{looks}: '{program} --root {root_text} --columns {columns}' reads them"
            return f"{looks}: give `columns={columns}`" + ("" if folder == root else f", and {where} as `root`")
    if not is_list and any(map(_is_table, tables)):
        return (
            "if it is a list of images, name its columns, for example `columns=path,label`, and their folder as `root`"
        )
    return None


def _is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows have the same number of fields, and more than one."""
    widths = set(map(len, rows))
    return len(widths) == 1 and widths != {1}


def _first_lines(head: bytes) -> list[str]:
    if b"\0" in head:
        return []
    lines = head.removeprefix(codecs.BOM_UTF8).split(b"\n")
    if len(head) == _N_BYTES:
        lines.pop()  # its end is missing
    texts = [os.fsdecode(line.rstrip(b"\r")) for line in lines if line.strip()]
    return [text for text in texts if not text.startswith(("#", "sep="))][:_N_LINES]


def _reads(path: Path, root: Path, columns: str, extensions: Sequence[str], *, is_titled: bool) -> bool:
    """Return whether the list can be read, and labels before the paths are no keys, unless they have a title."""
    try:
        with contextlib.closing(TableSource(path, root, columns=columns, extensions=extensions)) as source:
            labels = source.labels(range(min(len(source), _N_LINES)))
    except RecordkitError:
        return False
    return is_titled or not columns.startswith("label") or not count_rows(labels)


def _are_keys(column: Sequence[str], heading: Sequence[str]) -> bool:
    """Return whether the first of several columns of numbers has keys, and is not one of several labels."""
    is_whole = all(float(text).is_integer() for text in column)
    if heading:
        return is_whole and len(set(column)) == len(column) and heading[0].lower() in _KEY_WORDS
    return is_whole and (_are_distinct(column) or len(set(column)) == 1)


def _name_titled_keys(names: list[str], fields: Sequence[Sequence[str]], heading: Sequence[str]) -> list[str]:
    """Return the names of the columns, that of the first with ``key`` if its heading and its numbers say so."""
    is_key = names[0] == "-" and heading[0].lower() == "key" and all(map(is_label, fields[0]))
    return ["key", *names[1:]] if is_key and _are_keys(fields[0], heading) else names


def _are_labels(words: Sequence[int], numbers: Sequence[int], fields: Sequence[Sequence[str]]) -> bool:
    """Return whether the only column of words, or else the columns of numbers, are the labels."""
    if words:
        return _are_class_names(words[0], numbers, fields)
    if numbers == [0]:
        return not count_rows([(float(text),) for text in fields[0]])
    return bool(numbers)


def _are_class_names(word: int, numbers: Sequence[int], fields: Sequence[Sequence[str]]) -> bool:
    """Return whether the only column of words is the class: no list of numbers, and no split beside a label.

    Columns of numbers beside it are the numbers of the classes, or the four of a box.
    """
    column = fields[word]
    if any(all(map(is_label, text.split())) for text in column):
        return False
    n_names = len(set(column))
    return len(numbers) in (0, 4) or all(
        n_names == len(set(fields[number])) == len(set(zip(column, fields[number], strict=True))) for number in numbers
    )


def _are_distinct(column: Sequence[str]) -> bool:
    return len(column) > 1 and len(set(column)) == len(column)


def _likely_forms(
    rows: list[list[str]], path: Path, root: Path, suffixes: tuple[str, ...]
) -> Iterator[tuple[str, Path | None]]:
    """Yield the columns that rows may have and the folder of their images, from what the fields look like."""
    widths = Counter(map(len, rows[1:] or rows))
    if not widths or max(widths) < 2:
        return
    width = widths.most_common(1)[0][0]
    heading = rows[0] if len(rows) > 1 and not any(map(is_label, rows[0])) else []
    table = [row for row in rows[bool(heading) :] if len(row) == width]
    if len(table) < len(rows) - bool(heading):
        yield "path,labels", root
    if table and width > 1:
        fields = list(zip(*table, strict=True))
        number, folder = _find_path(fields, path, root, suffixes)
        if number is not None and (
            folder is not None or _is_table(rows[_N_HEADINGS if len(rows) > 2 * _N_HEADINGS else 0 :])
        ):
            for columns in _name_columns(number, fields, heading if len(heading) == width else []):
                yield columns, folder
    for columns in ("path,label", "label,path", "key,label,path"):  # with blanks inside the paths
        yield columns, root
    if not any(is_label(field) for row in rows for field in row[1:2]):
        yield "path,class", root  # with blanks inside the names of the classes


def _find_path(
    fields: Sequence[Sequence[str]], path: Path, root: Path, suffixes: tuple[str, ...]
) -> tuple[int | None, Path | None]:
    """Return the number of the column of paths, and the folder of the images; None for what is not known.

    Names with suffixes go before names without, which may be keys. Of two columns that name images, neither is known.
    """
    n_whole = [sum(name.lower().endswith(suffixes) for name in names) for names in fields]
    whole = [number for number, names in enumerate(fields) if n_whole[number] == len(names)]
    likely = [
        [name + suffix for name in names if name for suffix in ("", *suffixes)] if number in (whole or [number]) else []
        for number, names in enumerate(fields)
    ]
    for folder in itertools.chain([root], other_folders(path, os.fspath(root))):
        n_names = None if folder is root else _N_LOOKED_FOR * (1 + len(suffixes))
        counts = [sum(_is_file(folder, name) for name in names[:n_names]) for names in likely]
        if max(counts):
            ranks = list(zip(counts, n_whole, strict=True))
            return (ranks.index(max(ranks)) if ranks.count(max(ranks)) == 1 else None), folder
    return (whole[0] if whole else None), None


def _is_file(folder: Path, name: str) -> bool:
    return os.path.isfile(find_image(os.fspath(folder), name))  # noqa: PTH113 (Path raises an error for a long name)


def _name_columns(path: int, fields: Sequence[Sequence[str]], heading: Sequence[str]) -> Iterator[str]:
    names = ["-"] * len(fields)
    names[path] = "path"
    n_numbers = [sum(map(is_label, column)) for column in fields]
    numbers = [i for i, column in enumerate(fields) if i != path and n_numbers[i] == len(column)]
    words = [i for i, column in enumerate(fields) if i != path and n_numbers[i] == 0 and any(column)]
    n_empty = sum(not any(column) for column in fields)
    titled = [i for i in (*numbers, *words) if heading and any(word in heading[i].lower() for word in _LABEL_WORDS)]
    if len(titled) == 1:
        names[titled[0]] = "class" if titled[0] in words else "label"
        yield ",".join(_name_titled_keys(names, fields, heading))
        return
    if len(words) + len(numbers) + n_empty + 1 < len(fields) or len(words) > 1:
        return
    if len(fields) - n_empty > 2 and numbers[:1] == [0]:
        if not _are_keys(fields[0], heading):
            return
        names[numbers.pop(0)] = "key" if len(set(fields[0])) == len(fields[0]) else "-"
    elif words == [0] and numbers and _are_distinct(fields[0]):
        words = []  # keys that are no numbers
    if not _are_labels(words, numbers, fields):
        return
    for number in words or numbers:
        names[number] = "class" if words else "label"
    text = ",".join(names)
    if not words and len(numbers) > 1:
        text = text.replace(",".join(["label"] * len(numbers)), "labels")
    yield text
    if names[0] == "key":
        yield text.replace("key", "-")
