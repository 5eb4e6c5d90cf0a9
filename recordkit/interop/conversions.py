"""The formats that datasets are converted to and from, by name, and the format that a path shows.

A format is one package of `recordkit.interop` with two functions. ``write_X(source, path, ...)`` takes the arguments
`threads`, `memory`, `overwrite`, `dry_run`, `on_note` and `progress`, and those that `Format.write_options` names, and
returns an `ExportReport`. ``read_X(path, ...)`` returns a source, or a dict of sources by split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recordkit.dataset.packed_sets import packed_set_error
from recordkit.errors import PlanError, SourceError, enumerate_some, quoted
from recordkit.formats.files import not_found
from recordkit.interop.export import ExportReport
from recordkit.interop.export.parts import PartWriter
from recordkit.interop.folder import read_folder, write_folder
from recordkit.interop.insightface import (
    is_insightface,
    is_verification_set,
    read_insightface,
    read_verification_set,
    write_insightface,
    write_verification_set,
)
from recordkit.interop.parquet import ParquetParts, is_parquet, read_parquet, write_parquet
from recordkit.interop.webdataset import TarParts, is_webdataset, read_webdataset, write_webdataset
from recordkit.sample import Source
from recordkit.sources.list_form import advise_columns


@dataclass(frozen=True)
class Format:
    """A format of datasets.

    Attributes
    ----------
    name : str
    write : callable
        ``write_X``.
    read : callable
        ``read_X``.
    is_at : callable
        Tells whether a path has data of this format, by its name and its first bytes.
    suffix : str, optional
        The suffix of a new file that can only be of this format.
    write_options, read_options : frozenset of str
        Arguments that not every format has.
    parts : PartWriter, optional
        Writes the files of a folder apart, as the tasks of a cluster do; None if the format cannot.
    """

    name: str
    write: Callable[..., ExportReport]
    read: Callable[..., Source | dict[str, Source]]
    is_at: Callable[[Path], bool]
    suffix: str | None = None
    write_options: frozenset[str] = frozenset()
    read_options: frozenset[str] = frozenset()
    parts: PartWriter | None = None


# The first format that is at a path reads it, so the folder of images, which may hold anything, is the last one.
_FORMATS = (
    Format(
        "insightface", write_insightface, read_insightface, is_insightface, write_options=frozenset({"shuffle_seed"})
    ),
    Format("insightface-pairs", write_verification_set, read_verification_set, is_verification_set, suffix=".bin"),
    Format(
        "webdataset",
        write_webdataset,
        read_webdataset,
        is_webdataset,
        write_options=frozenset({"shard_bytes"}),
        read_options=frozenset({"label_column"}),
        parts=TarParts(),
    ),
    Format(
        "parquet",
        write_parquet,
        read_parquet,
        is_parquet,
        suffix=".parquet",
        write_options=frozenset({"shard_bytes"}),
        read_options=frozenset({"label_column"}),
        parts=ParquetParts(),
    ),
    Format("folder", write_folder, read_folder, Path.is_dir, write_options=frozenset({"name", "metadata"})),
)
FORMATS = {each.name: each for each in _FORMATS}
"""The formats by name."""

# Suffixes of files that no format writes. A folder of that name would be a surprise.
_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".gz", ".zip")


def format_of_output(path: str | Path) -> Format:
    """Return the format that the name of a new file or folder shows: a folder of images, if its suffix shows no other.

    Raises
    ------
    PlanError
        It is the name of an archive.

    Examples
    --------
    >>> format_of_output("digits").name, format_of_output("lfw.bin").name
    ('folder', 'insightface-pairs')
    """
    suffix = Path(path).suffix.lower()
    if suffix in _ARCHIVE_SUFFIXES:
        raise PlanError(
            path=str(path),
            expected="the name of a folder, or of a .bin or .parquet file",
            got=f"one that ends in {suffix}",
            advice=f"leave out {suffix}, and give `format_name=webdataset` for a folder of .tar files",
        )
    return next((each for each in _FORMATS if each.suffix and each.suffix == suffix), FORMATS["folder"])


def format_of_input(path: str | Path) -> Format:
    """Return the format of the data at a path.

    Raises
    ------
    NotFoundError
        The path does not exist.
    SourceError
        It has no known format.
    """
    path = Path(path)
    for each in _FORMATS:
        if each.is_at(path):
            return each
    if packed := packed_set_error(path, "a dataset of another format"):
        raise packed
    if not path.exists():
        raise not_found(path, "a dataset")
    program = f"recordkit pack {quoted(path)} PREFIX"
    advice = f"'{program}' reads a list" if path.suffix == ".lst" else advise_columns(path, None, program=program)
    raise SourceError(path=str(path), expected=f"one of {enumerate_some(FORMATS)}", got="another file", advice=advice)


def foreign_format(path: str | Path) -> Format | None:
    """Return the format of the data at a path if `recordkit.open_source` and `RecordDataset` have no other use for it.

    Examples
    --------
    >>> foreign_format("photos.lst") is None
    True
    """
    return next((each for each in _FORMATS if each.name != "folder" and each.is_at(Path(path))), None)


def check_options(given: Format, options: Mapping[str, object], *, is_read: bool) -> dict[str, object]:
    """Return the options that have a value, all of which the format must have.

    Raises
    ------
    PlanError
        It has not.
    """
    given_options = {name: value for name, value in options.items() if value is not None}
    for name in given_options:
        owners = [each.name for each in _FORMATS if name in (each.read_options if is_read else each.write_options)]
        if given.name not in owners:
            raise PlanError(
                f"applies to {' and '.join(owners)}, and this is {given.name}", argument=name, advice="leave it out"
            )
    return given_options
